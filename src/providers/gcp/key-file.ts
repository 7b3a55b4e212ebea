import { join } from "node:path";
import * as v from "valibot";
import { readFileIfThere } from "../../platform/files.ts";
import { ProviderError } from "../errors.ts";
import { PROVIDER } from "./codes.ts";
import type { GcpWorld } from "./settings.ts";

/** What a file of Application Default Credentials says, whatever its type. The rest is for Google's library. */
const secrets = { token_uri: v.optional(v.string()), client_secret: v.optional(v.string()), refresh_token: v.optional(v.string()) };
const fileSchema = v.looseObject({
  type: v.string(),
  project_id: v.optional(v.string()),
  quota_project_id: v.optional(v.string()),
  ...secrets,
  /** Of an impersonated service account: who impersonates. */
  source_credentials: v.optional(v.looseObject(secrets)),
});
export type KeyFile = v.InferOutput<typeof fileSchema>;

/** Where Google's library sends everything that has no address of its own, whatever `token_uri` the file names. */
export const GOOGLE_TOKEN_URL = "https://oauth2.googleapis.com/token";

/** Where the file wants its tokens from. */
export function tokenUrlOf({ token_uri: own, source_credentials: source }: KeyFile): string {
  return own ?? source?.token_uri ?? GOOGLE_TOKEN_URL;
}

/** What of a file is sent, and must never be said back. The private key is not: it only signs. */
export function sentSecrets({ client_secret, refresh_token, source_credentials: source }: KeyFile): readonly string[] {
  return [client_secret, refresh_token, source?.client_secret, source?.refresh_token].filter((secret) => secret !== undefined);
}

const WELL_KNOWN = [".config", "gcloud", "application_default_credentials.json"];

const refused = (message: string, cause?: unknown) => new ProviderError(PROVIDER, { kind: "auth" }, message, null, cause);

/** The file that `GOOGLE_APPLICATION_CREDENTIALS` names, or gcloud's own below HOME; null when there is none. @throws `auth` */
export async function readKeyFile({ env }: Pick<GcpWorld, "env">): Promise<KeyFile | null> {
  const named = env["GOOGLE_APPLICATION_CREDENTIALS"]?.trim() || undefined;
  const home = env["HOME"] || undefined;
  const path = named ?? (home === undefined ? undefined : join(home, ...WELL_KNOWN));
  if (path === undefined) return null;
  const text = await readFileIfThere(path).catch((error: unknown) => {
    throw refused(`${path} cannot be read`, error);
  });
  if (text === undefined && named !== undefined) throw refused(`GOOGLE_APPLICATION_CREDENTIALS names ${path}, which is not there`);
  if (text === undefined) return null;
  try {
    return v.parse(fileSchema, JSON.parse(text));
  } catch {
    // What is wrong with it is not repeated: a parser quotes what it read.
    throw refused(`${path} is no file of Google credentials: it must be JSON with a "type"`);
  }
}

/**
 * Which project pays. Google's own variables first, then the key file.
 * @throws ProviderError `auth` when nobody says: an id is never guessed.
 */
export function projectOf({ env }: Pick<GcpWorld, "env">, file: KeyFile | null): string | null {
  return env["GOOGLE_CLOUD_PROJECT"]?.trim() || env["CLOUDSDK_CORE_PROJECT"]?.trim() || file?.project_id || null;
}
