import { readFileSync } from "node:fs";
import type { ConnectionOptions } from "node:tls";

/** How the way to the server is kept from others: not at all, or by these rules. */
export type TlsWish = "none" | Pick<ConnectionOptions, "ca" | "cert" | "key" | "rejectUnauthorized" | "checkServerIdentity">;

/** As PostgreSQL's own programs name them, without the two that fall back to no protection. */
export const TLS_MODES = ["disable", "require", "verify-ca", "verify-full"] as const;
export type TlsMode = (typeof TLS_MODES)[number];

export interface TlsFiles {
  /** `system` for the certificates that Node trusts. */
  readonly rootCert: string | undefined;
  readonly cert: string | undefined;
  readonly key: string | undefined;
}

/** @throws what the file system says of a file that cannot be read. */
export function tlsWish(mode: TlsMode, files: TlsFiles): TlsWish {
  if (mode === "disable") return "none";
  const read = (file: string | undefined) => (file === undefined || file === "system" ? undefined : readFileSync(file, "utf8"));
  const [ca, cert, key] = [read(files.rootCert), read(files.cert), read(files.key)];
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    // Like theirs: `require` keeps listeners out and does not ask who answers, unless it was told whom to trust.
    rejectUnauthorized: mode !== "require" || ca !== undefined,
    ...(mode === "verify-full" ? {} : { checkServerIdentity: () => undefined }),
  };
}
