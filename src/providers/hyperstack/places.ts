import { createHash, generateKeyPairSync } from "node:crypto";
import { isFault, ProviderError } from "../errors.ts";
import type { CallContext } from "../provider.ts";
import type { Api } from "./api.ts";
import { PROVIDER } from "./codes.ts";
import { usualImage } from "./images.ts";
import { wholeList } from "./pages.ts";
import { environmentSchema, keypairSchema, oneEnvironment, oneKeypair } from "./wire.ts";

const LONGEST_NAME = 50;
const FINGERPRINT_DIGITS = 16;

/** What must be there before a machine or a volume can be made. Nothing here rents anything. */
export interface Places {
  /** The name of our environment in a region, made when it is missing. */
  environment(region: string, context: CallContext): Promise<string>;
  /** The name of a key pair with this public key in our environment there; null: a key to which nobody has the other half. */
  keypair(region: string, publicKey: string | null, context: CallContext): Promise<string>;
  image(region: string, context: CallContext): Promise<string>;
  /** Forgets what it knows: the cloud refused something that was built on it. */
  forget(): void;
}

export function environmentName(region: string): string {
  const longest = LONGEST_NAME - FINGERPRINT_DIGITS - 1;
  return `spot-${region.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-")}`.slice(0, longest);
}

/** The key itself, of a line as in `authorized_keys`. */
function blobOf(publicKey: string): string {
  return publicKey.trim().split(/\s+/)[1] ?? publicKey;
}

function isSameKey(one: string | null, other: string | null): boolean {
  return one !== null && other !== null && blobOf(one) === blobOf(other);
}

/** From the key itself, not from its comment. The environment is in it, should names be unique in a whole account. */
export function keypairName(environment: string, publicKey: string): string {
  const digest = createHash("sha256")
    .update(Buffer.from(blobOf(publicKey), "base64"))
    .digest("hex");
  return `${environment}-${digest.slice(0, FINGERPRINT_DIGITS)}`;
}

function keyOfNobody(): string {
  const { x = "" } = generateKeyPairSync("ed25519").publicKey.export({ format: "jwk" });
  const part = (bytes: Buffer) => Buffer.concat([Buffer.from([0, 0, 0, bytes.length]), bytes]);
  return `ssh-ed25519 ${Buffer.concat([part(Buffer.from("ssh-ed25519")), part(Buffer.from(x, "base64url"))]).toString("base64")}`;
}

/** Whatever goes wrong before a launch, nothing was launched: a lost answer here is no reason to look for a machine. */
export async function preparing<Result>(work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    if (!isFault(error, "ambiguous", "protocol")) throw error;
    throw new ProviderError(PROVIDER, { kind: "unavailable" }, error.message, error.rawCode, error);
  }
}

async function remembered(known: Map<string, string>, key: string, ask: () => Promise<string>): Promise<string> {
  const found = known.get(key) ?? (await ask());
  known.set(key, found);
  return found;
}

/** Makes it unless it is there; where somebody else was faster, looks again. */
async function findOrMake(
  find: () => Promise<string | undefined>,
  make: () => Promise<string>,
  findAgain: () => Promise<string | undefined> = find,
): Promise<string> {
  const found = await find();
  if (found !== undefined) return found;
  try {
    return await make();
  } catch (error) {
    if (!isFault(error, "conflict")) throw error;
    const theirs = await findAgain();
    if (theirs === undefined) throw error;
    return theirs;
  }
}

export function places(api: Api): Places {
  const known = new Map<string, string>();
  const environment = (region: string, context: CallContext) =>
    remembered(known, `environment ${region}`, () => {
      const name = environmentName(region);
      const find = async () => {
        const where = { path: "/core/environments", key: "environments", row: environmentSchema, query: { search: name } };
        const one = (await wholeList(api, where, context)).find((row) => row.name === name);
        if (one !== undefined && one.region !== null && one.region !== region)
          throw new ProviderError(
            PROVIDER,
            { kind: "invalid-request" },
            `the environment ${name} is in ${one.region}, not in ${region}: delete or rename it`,
          );
        return one?.name;
      };
      const make = async () => {
        const request = { method: "POST" as const, path: "/core/environments", body: { name, region } };
        return (await api.made(oneEnvironment, request, context)).environment.name;
      };
      return findOrMake(find, make);
    });
  return {
    environment: (region, context) => preparing(() => environment(region, context)),
    keypair: (region, publicKey, context) =>
      preparing(async () => {
        const home = await environment(region, context);
        const name = publicKey === null ? `${home}-nobody` : keypairName(home, publicKey);
        const here = async (query: Readonly<Record<string, string>>) => {
          const all = await wholeList(api, { path: "/core/keypairs", key: "keypairs", row: keypairSchema, query }, context);
          return all.filter((row) => row.environment?.name === home);
        };
        const find = async () => (await here({ search: name })).find((row) => row.name === name)?.name;
        // Perhaps the same key is there under a name of somebody's own.
        const findAgain = async () => (await find()) ?? (await here({})).find((row) => isSameKey(row.public_key, publicKey))?.name;
        const make = async () => {
          const body = { environment_name: home, name, public_key: publicKey?.trim() ?? keyOfNobody() };
          return (await api.made(oneKeypair, { method: "POST", path: "/core/keypairs", body }, context)).keypair.name;
        };
        return remembered(known, `keypair ${name}`, () => findOrMake(find, make, findAgain));
      }),
    image: (region, context) => preparing(() => remembered(known, `image ${region}`, () => usualImage(api, region, context))),
    forget: () => known.clear(),
  };
}
