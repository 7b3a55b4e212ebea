import { createHash } from "node:crypto";
import type { SentPart, StoredObject } from "../bucket.ts";

/** S3 writes checksums in base64, we in hex. */
export function toBase64(hex: string): string {
  return Buffer.from(hex, "hex").toString("base64");
}

/** What goes along with a body. */
export function checksumOf(sha256: string): { readonly ChecksumAlgorithm: "SHA256"; readonly ChecksumSHA256: string } {
  return { ChecksumAlgorithm: "SHA256", ChecksumSHA256: toBase64(sha256) };
}

/** Null for what is no SHA-256. */
export function fromBase64(text: string | undefined): string | null {
  const bytes = Buffer.from(text ?? "", "base64");
  return bytes.length === 32 ? bytes.toString("hex") : null;
}

/** `<base64>` is that of all bytes, `<base64>-<number of parts>` that of the parts' checksums. */
export function wholeOrParts(text: string | undefined): StoredObject["sha256"] {
  const match = /^([A-Za-z0-9+/=]+)(-\d+)?$/.exec(text ?? "");
  const hex = fromBase64(match?.[1]);
  return hex === null ? null : { kind: match?.[2] === undefined ? "whole" : "parts", hex };
}

/** The checksum that S3 makes of an object of several parts (User Guide, "Checking object integrity": composite). */
export function compositeOf(parts: readonly SentPart[]): string {
  const hash = createHash("sha256");
  for (const { sha256 } of parts) hash.update(Buffer.from(sha256, "hex"));
  return hash.digest("hex");
}
