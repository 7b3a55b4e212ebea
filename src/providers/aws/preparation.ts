import { createHash } from "node:crypto";
import { DescribeImagesCommand, DescribeKeyPairsCommand, ImportKeyPairCommand } from "@aws-sdk/client-ec2";
import { isFault, ProviderError } from "../errors.ts";
import type { CallContext } from "../provider.ts";
import type { Api } from "./api.ts";
import { PROVIDER } from "./codes.ts";
import { securityGroup } from "./groups.ts";
import { everyPage, rowsOf } from "./pages.ts";

/** What must be there before a machine can be made. Nothing here rents anything. */
export interface Preparation {
  image(region: string, arm: boolean, context: CallContext): Promise<string>;
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

async function newestImage(api: Api, region: string, arm: boolean, context: CallContext): Promise<string> {
  const Filters = [
    { Name: "name", Values: [arm ? ARM_IMAGE : IMAGE] },
    { Name: "architecture", Values: [arm ? "arm64" : "x86_64"] },
    { Name: "state", Values: ["available"] },
  ];
  const images = await everyPage(
    "images",
    (token) =>
      api.ask(region, context, (ec2, options) => ec2.send(new DescribeImagesCommand({ Owners: ["amazon"], Filters, ...token }), options)),
    (page) => page.Images,
  );
  const [newest] = images
    .filter(({ ImageId }) => ImageId !== undefined)
    .toSorted((a, b) => (b.CreationDate ?? "").localeCompare(a.CreationDate ?? ""));
  if (newest?.ImageId !== undefined) return newest.ImageId;
  throw new ProviderError(PROVIDER, { kind: "invalid-request" }, `${region} has no image like "${IMAGE}": name one with --image ami-…`);
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
  const known = new Map<string, string>();
  const remembered = (key: string, ask: () => Promise<string>) =>
    preparing(async () => {
      const found = known.get(key) ?? (await ask());
      known.set(key, found);
      return found;
    });
  return {
    image: (region, arm, context) => remembered(`image ${region} ${arm}`, () => newestImage(api, region, arm, context)),
    group: (region, ports, context) => remembered(`group ${region} ${[...ports].sort()}`, () => securityGroup(api, region, ports, context)),
    keyPair: async (region, publicKey, context) =>
      publicKey === null
        ? undefined
        : remembered(`key ${region} ${keyPairName(publicKey)}`, () => importedKey(api, region, publicKey, context)),
    forget: () => known.clear(),
  };
}
