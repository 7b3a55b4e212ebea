import { join } from "node:path";
import { isFile, readFileIfThere } from "../platform/files.ts";
import { type CredentialSource, credentialOrigins } from "../platform/secrets.ts";
import type { CloudAccess } from "./credentials.ts";

/** Where one part of a cloud's credentials lies; null for a part that is missing. Never the value. */
export interface CredentialOrigin {
  readonly variable: string;
  readonly from: "environment" | "stored" | "file" | null;
}

/**
 * Where a cloud's credentials would be read from. Of a chain only the first find is told; when there is none, all that could
 * have been there is missing as one. Says nothing of whether the cloud takes them.
 */
export async function searchCredentials(access: CloudAccess, source: CredentialSource): Promise<readonly CredentialOrigin[]> {
  if (access.chain === undefined) return credentialOrigins(access.variables, source);
  const { variables, files } = access.chain;
  const given = (name: string) => (source.env[name]?.trim() ?? "") !== "";
  const variable = variables.find(given);
  if (variable !== undefined) return [{ variable, from: "environment" }];
  const home = source.env["HOME"];
  for (const file of files) {
    const path = source.env[file.variable]?.trim() || (home === undefined || home === "" ? "" : join(home, file.path));
    if (path !== "" && (await isFile(path)) && (await leadsOn(path, file.says)))
      return [{ variable: given(file.variable) ? file.variable : `~/${file.path}`, from: "file" }];
  }
  return [{ variable: access.chain.login, from: null }];
}

/** Whether a file says what it has to; one that may not be read is left to whoever reads it, and says why. */
async function leadsOn(path: string, says: RegExp | undefined): Promise<boolean> {
  return (
    says === undefined ||
    readFileIfThere(path).then(
      (text) => says.test(text ?? ""),
      () => true,
    )
  );
}

/** Whether there are credentials for a cloud. */
export async function hasCredentials(access: CloudAccess, source: CredentialSource): Promise<boolean> {
  return (await searchCredentials(access, source)).every(({ from }) => from !== null);
}
