import { createHash } from "node:crypto";
import { DescribeImagesCommand, DescribeKeyPairsCommand, type Image, ImportKeyPairCommand } from "@aws-sdk/client-ec2";
import { isFault, ProviderError } from "../errors.ts";
import type { CallContext } from "../provider.ts";
import type { Api } from "./api.ts";
import { PROVIDER } from "./codes.ts";
import { securityGroup } from "./groups.ts";
import { everyPage, rowsOf } from "./pages.ts";

export interface LaunchImage {
  readonly id: string;
  /** The name of its root disk and its size in GB: `/dev/sda1`, 100; null when EC2 does not say. */
  readonly root: { readonly device: string; readonly sizeGb: number } | null;
  /** Its other disks, where it says of them that they stay when the machine ends; a root disk of unknown size is among them. */
  readonly staying: readonly { readonly device: string; readonly sizeGb: number | null; readonly snapshot: string | null }[];
}

/** What must be there before a machine can be made. Nothing here rents anything. */
export interface Preparation {
  /** The one that is named, or else the newest of the usual ones for this architecture. */
  image(region: string, named: string | null, arm: boolean, context: CallContext): Promise<LaunchImage>;
  group(region: string, ports: readonly number[], context: CallContext): Promise<string>;
  /** The name of the key pair with this public key there; undefined for none. */
  keyPair(region: string, publicKey: string | null, context: CallContext): Promise<string | undefined>;
  /** Forgets what it knows: EC2 refused something that was built on it. */
  forget(): void;
}

/** With NVIDIA's open driver, CUDA and Docker, of Amazon's own account (DLAMI release notes). */
const IMAGE = "Deep Learning Base OSS Nvidia Driver GPU AMI (Ubuntu 22.04) *";
const ARM_IMAGE = "Deep Learning ARM64 Base OSS Nvidia Driver GPU AMI (Ubuntu 22.04) *";
const FINGERPRINT_DIGITS = 16;

/** Whatever goes wrong before a launch, nothing was launched: a lost answer here is no reason to look for a machine. */
export async function preparing<Result>(work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    if (!isFault(error, "ambiguous", "protocol")) throw error;
    throw new ProviderError(PROVIDER, { kind: "unavailable" }, error.message, error.rawCode, error);
  }
}

/** From the key itself, not from its comment. */
export function keyPairName(publicKey: string): string {
  const blob = publicKey.trim().split(/\s+/)[1] ?? publicKey;
  const digest = createHash("sha256").update(Buffer.from(blob, "base64")).digest("hex");
  return `spot-fleet-${digest.slice(0, FINGERPRINT_DIGITS)}`;
}

function rootOf({ RootDeviceName, BlockDeviceMappings }: Image): LaunchImage["root"] {
  const sizeGb = BlockDeviceMappings?.find(({ DeviceName }) => DeviceName === RootDeviceName)?.Ebs?.VolumeSize;
  return RootDeviceName === undefined || sizeGb === undefined ? null : { device: RootDeviceName, sizeGb };
}

function stayingIn({ BlockDeviceMappings = [] }: Image, root: LaunchImage["root"]): LaunchImage["staying"] {
  return BlockDeviceMappings.flatMap(({ DeviceName: device, Ebs }) =>
    device === undefined || device === root?.device || Ebs === undefined || Ebs.DeleteOnTermination === true
      ? []
      : [{ device, sizeGb: Ebs.VolumeSize ?? null, snapshot: Ebs.SnapshotId ?? null }],
  );
}

async function imageFor(api: Api, region: string, named: string | null, arm: boolean, context: CallContext): Promise<LaunchImage> {
  const usual = {
    Owners: ["amazon"],
    Filters: [
      { Name: "name", Values: [arm ? ARM_IMAGE : IMAGE] },
      { Name: "architecture", Values: [arm ? "arm64" : "x86_64"] },
      { Name: "state", Values: ["available"] },
    ],
  };
  const wanted = named === null ? usual : { ImageIds: [named] };
  const images = await everyPage(
    "images",
    (token) => api.ask(region, context, (ec2, options) => ec2.send(new DescribeImagesCommand({ ...wanted, ...token }), options)),
    (page) => page.Images,
  );
  const [newest] = images.toSorted((a, b) => (b.CreationDate ?? "").localeCompare(a.CreationDate ?? ""));
  if (newest?.ImageId !== undefined) {
    const root = rootOf(newest);
    return { id: newest.ImageId, root, staying: stayingIn(newest, root) };
  }
  const what = named === null ? `no image like "${arm ? ARM_IMAGE : IMAGE}": name one with --image ami-…` : `no image ${named}`;
  throw new ProviderError(PROVIDER, { kind: "invalid-request" }, `${region} has ${what}`);
}

async function importedKey(api: Api, region: string, publicKey: string, context: CallContext): Promise<string> {
  const name = keyPairName(publicKey);
  const Filters = [{ Name: "key-name", Values: [name] }];
  const { KeyPairs } = await api.ask(region, context, (ec2, options) => ec2.send(new DescribeKeyPairsCommand({ Filters }), options));
  if (rowsOf("key pairs", KeyPairs).some(({ KeyName }) => KeyName === name)) return name;
  const command = new ImportKeyPairCommand({
    KeyName: name,
    PublicKeyMaterial: Buffer.from(publicKey.trim()),
    TagSpecifications: [{ ResourceType: "key-pair", Tags: [{ Key: "Name", Value: name }] }],
  });
  // The name says which key it is, so whoever was faster has brought the same one.
  await api
    .ask(region, context, (ec2, options) => ec2.send(command, options))
    .catch((error: unknown) => {
      if (!isFault(error, "conflict")) throw error;
    });
  return name;
}

export function preparation(api: Api): Preparation {
  const known = new Map<string, unknown>();
  const remembered = <Value>(key: string, ask: () => Promise<Value>) =>
    preparing(async () => {
      const found = (known.get(key) as Value | undefined) ?? (await ask());
      known.set(key, found);
      return found;
    });
  return {
    image: (region, named, arm, context) =>
      remembered(`image ${region} ${named ?? ""} ${arm}`, () => imageFor(api, region, named, arm, context)),
    group: (region, ports, context) => remembered(`group ${region} ${[...ports].sort()}`, () => securityGroup(api, region, ports, context)),
    keyPair: async (region, publicKey, context) =>
      publicKey === null
        ? undefined
        : remembered(`key ${region} ${keyPairName(publicKey)}`, () => importedKey(api, region, publicKey, context)),
    forget: () => known.clear(),
  };
}
