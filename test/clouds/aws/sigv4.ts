import { createHash, createHmac } from "node:crypto";
import type { FakeRequest } from "../fake-server.ts";

export interface Keys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** The parts of an `Authorization` header of Signature Version 4. */
export interface Signed {
  readonly accessKeyId: string;
  readonly day: string;
  readonly region: string;
  readonly service: string;
  readonly headers: readonly string[];
  readonly signature: string;
}

const HEADER =
  /^AWS4-HMAC-SHA256\s+Credential=([^/,\s]+)\/(\d{8})\/([^/]+)\/([^/]+)\/aws4_request,\s*SignedHeaders=([^,\s]+),\s*Signature=([0-9a-f]{64})$/;

export function readAuthorization(text: string): Signed | undefined {
  const match = HEADER.exec(text);
  if (match === null) return undefined;
  const [, accessKeyId = "", day = "", region = "", service = "", headers = "", signature = ""] = match;
  return { accessKeyId, day, region, service, headers: headers.split(";"), signature };
}

const sha256 = (text: string) => createHash("sha256").update(text, "utf8").digest("hex");
const hmac = (key: string | Buffer, text: string) => createHmac("sha256", key).update(text, "utf8").digest();
const escaped = (text: string) =>
  encodeURIComponent(text).replaceAll(/[!'()*]/g, (one) => `%${one.charCodeAt(0).toString(16).toUpperCase()}`);

type Signable = Pick<FakeRequest, "method" | "path" | "query" | "headers" | "body">;

/** The signature that a request should carry, by AWS's documents of Signature Version 4. */
function signatureOf(
  request: Signable,
  { day, region, service, headers }: Omit<Signed, "signature" | "accessKeyId">,
  secret: string,
): string {
  const query = [...request.query].map(([name, value]) => `${escaped(name)}=${escaped(value)}`).sort();
  const lines = headers.map((name) => `${name}:${(request.headers[name] ?? "").trim().replaceAll(/ +/g, " ")}\n`);
  const canonical = [request.method, request.path, query.join("&"), lines.join(""), headers.join(";"), sha256(request.body)].join("\n");
  const scope = `${day}/${region}/${service}/aws4_request`;
  const toSign = ["AWS4-HMAC-SHA256", request.headers["x-amz-date"] ?? "", scope, sha256(canonical)].join("\n");
  const key = [region, service, "aws4_request"].reduce(hmac, hmac(`AWS4${secret}`, day));
  return hmac(key, toSign).toString("hex");
}

export function isSignedBy(request: Signable, signed: Signed, secret: string): boolean {
  const mustBeSigned = Object.keys(request.headers).filter((name) => name === "host" || name.startsWith("x-amz-"));
  if (mustBeSigned.some((name) => !signed.headers.includes(name))) return false;
  return signatureOf(request, signed, secret) === signed.signature;
}

/** `20261121T101112Z` */
function amzDate(at: number): string {
  return new Date(at).toISOString().replaceAll(/[-:]|\.\d{3}/g, "");
}

/** @returns epoch milliseconds, or undefined for what is no date. */
export function readAmzDate(text: string): number | undefined {
  const match = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(text);
  if (match === null) return undefined;
  const [year = 0, month = 0, ...rest] = match.slice(1).map(Number);
  return Date.UTC(year, month - 1, ...(rest as [number]));
}

/** The headers of a signed request; `headers` are signed all. */
export function signedHeaders(
  { path, headers, body }: { readonly path: string; readonly headers: Readonly<Record<string, string>>; readonly body: string },
  { region, service }: { readonly region: string; readonly service: string },
  keys: Keys,
  at: number,
): Readonly<Record<string, string>> {
  const date = amzDate(at);
  const all = { ...headers, "x-amz-date": date };
  const names = Object.keys(all).sort();
  const scope = { day: date.slice(0, 8), region, service, headers: names };
  const signature = signatureOf({ method: "POST", path, query: new URLSearchParams(), headers: all, body }, scope, keys.secretAccessKey);
  const credential = `${keys.accessKeyId}/${scope.day}/${region}/${service}/aws4_request`;
  return {
    ...all,
    authorization: `AWS4-HMAC-SHA256 Credential=${credential}, SignedHeaders=${names.join(";")}, Signature=${signature}`,
  };
}
