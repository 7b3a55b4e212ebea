import { usageProblem } from "../model/problem.ts";

/** Where checkpoints lie in an object store. `prefix` has no slash at either end, and is empty for the whole bucket. */
export interface BucketPlace {
  readonly bucket: string;
  readonly prefix: string;
}

/** As the server has it. `sha256`: what it keeps of the checksum that was sent along: of all bytes, or of the parts' checksums. */
export interface StoredObject {
  readonly size: number;
  readonly sha256: { readonly kind: "whole" | "parts"; readonly hex: string } | null;
}

export interface StoredPart {
  readonly number: number;
  readonly size: number;
  /** Lower-case hex; null where the server does not say. */
  readonly sha256: string | null;
  /** MD5 in hex where the server makes it so; something else where it encrypts with keys of its own. */
  readonly etag: string;
}

/** A multipart upload that was begun. */
export interface OpenUpload {
  readonly key: string;
  readonly uploadId: string;
  /** Epoch milliseconds; null where the server does not say. */
  readonly begunAt: number | null;
}

export interface SentPart {
  readonly number: number;
  readonly etag: string;
  readonly sha256: string;
}

/**
 * An object store below one place. Keys are relative to it. What fails in passing is sent again by itself, with back-off; all
 * throw `Problem` (exit 4 without the right to it, 9 for a bucket that is not there), or the signal's reason.
 */
export interface Bucket {
  readonly place: BucketPlace;
  /** Of a server other than AWS's own; empty for that. */
  readonly endpoint: string;
  /** Null when there is no such object. */
  head(key: string, signal: AbortSignal): Promise<StoredObject | null>;
  /** `sha256` in hex. @returns whether the server confirmed it. */
  put(key: string, body: Uint8Array, sha256: string, signal: AbortSignal): Promise<boolean>;
  /** The bytes from `from` up to `to` (exclusive), all of one version of the object. Null: no such object. */
  get(key: string, range: { readonly from: number; readonly to: number }, signal: AbortSignal): Promise<AsyncIterable<Uint8Array> | null>;
  /** One that is not there any more is removed. */
  remove(key: string, signal: AbortSignal): Promise<void>;
  /** Every object whose key begins so, in pages, to the end. */
  list(prefix: string, signal: AbortSignal): AsyncIterable<{ readonly key: string; readonly size: number }>;
  /** Uploads that were begun and not ended, for keys that begin so; null where the server cannot say. */
  openUploads(prefix: string, signal: AbortSignal): Promise<readonly OpenUpload[] | null>;
  begin(key: string, signal: AbortSignal): Promise<string>;
  /** Null when the upload is not there any more, or the server cannot say. */
  parts(key: string, uploadId: string, signal: AbortSignal): Promise<readonly StoredPart[] | null>;
  /** Null when there is no such upload (any more). */
  putPart(key: string, uploadId: string, number: number, body: Uint8Array, sha256: string, signal: AbortSignal): Promise<SentPart | null>;
  /** @returns whether the server confirmed the checksum of the parts' checksums; null when there is no such upload (any more). */
  complete(key: string, uploadId: string, parts: readonly SentPart[], signal: AbortSignal): Promise<boolean | null>;
  /** One that is not there any more is aborted. */
  abort(key: string, uploadId: string, signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

const BUCKET_NAME = /^[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]$/i;

export function isBucketUrl(text: string): boolean {
  return /^s3:\/\//i.test(text);
}

/** `s3://BUCKET/PREFIX`. @throws Problem (usage) for what is none. */
export function parseBucketUrl(text: string): BucketPlace {
  const match = /^s3:\/\/([^/]*)(?:\/(.*))?$/is.exec(text);
  const [, bucket = "", rest = ""] = match ?? [];
  if (match === null || !BUCKET_NAME.test(bucket))
    throw usageProblem(`${JSON.stringify(text)} names no bucket`, "as in s3://BUCKET/PREFIX");
  const parts = rest.split("/").filter((part) => part !== "");
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  if (parts.some((part) => part === "." || part === ".." || /[\x00-\x1f\x7f]/.test(part)) || rest.length > 512)
    throw usageProblem(`${JSON.stringify(text)} is no place in a bucket`, "as in s3://BUCKET/PREFIX");
  return { bucket, prefix: parts.join("/") };
}

export function bucketText({ bucket, prefix }: BucketPlace): string {
  return prefix === "" ? `s3://${bucket}` : `s3://${bucket}/${prefix}`;
}
