import { createHash, createHmac } from "node:crypto";

/**
 * Alibaba Cloud's signature V3 (ACS3-HMAC-SHA256), as in the vendor's "Request structure and signature of V3". The HMAC key is
 * the plain secret. Every `x-acs-*` header that is sent must be signed, and so must `host` and `content-type`.
 */

export interface SignedParts {
  readonly method: string;
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  /** Lower-case names; all of them are signed. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface AccessKey {
  readonly id: string;
  readonly secret: string;
}

const ALGORITHM = "ACS3-HMAC-SHA256";

export function sha256Hex(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

/** RFC 3986: only letters, digits and `-._~` stay as they are. */
function encoded(text: string): string {
  return encodeURIComponent(text).replaceAll(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`);
}

/** By bytes, as the vendor sorts; not by anybody's language. */
function byBytes(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}

export function canonicalQuery(query: SignedParts["query"]): string {
  return Object.entries(query)
    .map(([key, value]) => [encoded(key), encoded(value)] as const)
    .sort(([one], [other]) => byBytes(one, other))
    .map(([key, value]) => `${key}=${value}`)
    .join("&");
}

/** The value of the header `authorization`. */
export function authorization({ method, path, query, headers, body }: SignedParts, key: AccessKey): string {
  const names = Object.keys(headers).sort(byBytes);
  const signed = names.join(";");
  const lines = names.map((name) => `${name}:${(headers[name] ?? "").trim()}\n`).join("");
  const canonical = [method, path, canonicalQuery(query), lines, signed, sha256Hex(body)].join("\n");
  const signature = createHmac("sha256", key.secret)
    .update(`${ALGORITHM}\n${sha256Hex(canonical)}`)
    .digest("hex");
  return `${ALGORITHM} Credential=${key.id},SignedHeaders=${signed},Signature=${signature}`;
}
