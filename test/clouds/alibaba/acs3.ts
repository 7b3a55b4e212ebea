import { createHash, createHmac } from "node:crypto";
import type { FakeRequest } from "../fake-server.ts";
import { Refusal } from "./refusal.ts";

const ALGORITHM = "ACS3-HMAC-SHA256";
const STALE_MS = 15 * 60_000;
const AUTHORIZATION = /^ACS3-HMAC-SHA256 Credential=([^,\s]+),\s*SignedHeaders=([^,\s]+),\s*Signature=([0-9a-f]{64})$/;
const UTC = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$/;

export interface AccessKey {
  readonly id: string;
  readonly secret: string;
  /** Of temporary credentials (STS); null for a key that lasts. */
  readonly securityToken: string | null;
}

const hexOfHash = (text: string) => createHash("sha256").update(text, "utf8").digest("hex");

/** RFC 3986: only letters, digits, `-`, `_`, `.` and `~` stay as they are. */
function encoded(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`);
}

function byBytes(left: string, right: string): number {
  return Buffer.compare(Buffer.from(left), Buffer.from(right));
}

/** What was signed, from what arrived: the order and the encoding of the URL do not matter, only this form does. */
export function canonicalRequest(request: FakeRequest, signed: readonly string[]): string {
  const query = [...request.query]
    .map(([name, value]) => [encoded(name), encoded(value)] as const)
    .sort(([a], [b]) => byBytes(a, b))
    .map(([name, value]) => `${name}=${value}`)
    .join("&");
  const names = [...signed].sort(byBytes);
  const headers = names.map((name) => `${name}:${(request.headers[name] ?? "").trim()}\n`).join("");
  return [request.method, request.path, query, headers, names.join(";"), hexOfHash(request.body)].join("\n");
}

export function signatureOf(canonical: string, secret: string): string {
  return createHmac("sha256", secret)
    .update(`${ALGORITHM}\n${hexOfHash(canonical)}`)
    .digest("hex");
}

const doesNotMatch = () =>
  new Refusal(400, "SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided.");
const incomplete = (what: string) => new Refusal(400, "IncompleteSignature", `The request signature does not conform: ${what}.`);

/** Every header that must be signed when it is there. */
function mustBeSigned(headers: FakeRequest["headers"]): readonly string[] {
  return Object.keys(headers).filter((name) => name === "host" || name === "content-type" || name.startsWith("x-acs-"));
}

export interface Gate {
  /** @throws Refusal for whoever cannot prove who he is. */
  check(request: FakeRequest, now: number): void;
}

/** Looks at signatures, dates and nonces. A nonce counts as used once its signature was right. */
export function gate(keys: () => readonly AccessKey[]): Gate {
  const used = new Map<string, number>();
  const firstTime = (nonce: string, now: number) => {
    if (used.has(nonce)) throw new Refusal(400, "SignatureNonceUsed", "Specified signature nonce was used already.");
    for (const [old, at] of used) {
      if (now - at <= 2 * STALE_MS) break;
      used.delete(old);
    }
    used.set(nonce, now);
  };
  return {
    check(request, now) {
      const { headers } = request;
      const [, keyId, list, signature] = AUTHORIZATION.exec(headers["authorization"] ?? "") ?? [];
      if (keyId === undefined || list === undefined) throw incomplete("no Authorization of ACS3-HMAC-SHA256");
      const signed = list.split(";");
      for (const name of ["host", "x-acs-action", "x-acs-version", "x-acs-date", "x-acs-signature-nonce", "x-acs-content-sha256"])
        if ((headers[name] ?? "") === "") throw incomplete(`no header ${name}`);
      for (const name of mustBeSigned(headers)) if (!signed.includes(name)) throw incomplete(`${name} is not signed`);
      const date = headers["x-acs-date"] ?? "";
      if (!UTC.test(date)) throw new Refusal(400, "InvalidTimeStamp.Format", "Specified time stamp or date value is not well formatted.");
      if (Math.abs(now - Date.parse(date)) > STALE_MS)
        throw new Refusal(400, "InvalidTimeStamp.Expired", "Specified time stamp or date value is expired.");
      const key = keys().find(({ id }) => id === keyId);
      if (key === undefined) throw new Refusal(404, "InvalidAccessKeyId.NotFound", "Specified access key is not found.");
      if ((headers["x-acs-security-token"] ?? null) !== key.securityToken)
        throw new Refusal(400, "InvalidSecurityToken.Malformed", "The specified SecurityToken is malformed or missing.");
      if (headers["x-acs-content-sha256"] !== hexOfHash(request.body)) throw doesNotMatch();
      if (signatureOf(canonicalRequest(request, signed), key.secret) !== signature) throw doesNotMatch();
      firstTime(headers["x-acs-signature-nonce"] ?? "", now);
    },
  };
}
