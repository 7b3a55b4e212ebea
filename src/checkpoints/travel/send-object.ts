import { createHash } from "node:crypto";
import { EXIT } from "../../model/exit-codes.ts";
import { Problem } from "../../model/problem.ts";
import { type Bucket, bucketText, type OpenUpload, type SentPart, type StoredPart } from "../../providers/bucket.ts";
import type { ByteBudget } from "./byte-budget.ts";
import { ContentDamage } from "./contents.ts";

const MIB = 1024 * 1024;
/** Three times what S3 wants at least: fewer requests, and not much is lost with one. */
export const PART_BYTES = 16 * MIB;
/** S3's limit (User Guide, "Multipart upload limits"). */
const MOST_PARTS = 10_000;

/** Follows from the object's size alone, so that whoever comes later goes on with the same parts. */
export function partSize(size: number, usual: number = PART_BYTES): number {
  return Math.max(usual, Math.ceil(size / MOST_PARTS / MIB) * MIB);
}

export interface Sending {
  readonly bucket: Bucket;
  /** For what is held in memory, by all objects together. */
  readonly budget: ByteBudget;
  /** What was begun and not ended before, by key; null where the server cannot say. */
  readonly begun: ReadonlyMap<string, readonly OpenUpload[]> | null;
  /** What is no larger is sent at once, and larger things in parts of this size. */
  readonly partBytes: number;
  readonly signal: AbortSignal;
  /** So many bytes have left. */
  onSent(bytes: number): void;
}

const hex = (algorithm: string, bytes: Uint8Array) => createHash(algorithm).update(bytes).digest("hex");

/** The bytes in pieces of `size`, the last one shorter. Room for each is taken before it is filled, and is whoever takes it to give back. */
async function* pieces(contents: AsyncIterable<Uint8Array>, total: number, size: number, budget: ByteBudget): AsyncGenerator<Buffer> {
  let left = total;
  let piece: Buffer | null = null;
  let filled = 0;
  try {
    for await (const chunk of contents) {
      for (let at = 0; at < chunk.length; ) {
        if (piece === null) {
          await budget.take(Math.min(size, left));
          piece = Buffer.allocUnsafe(Math.min(size, left));
          filled = 0;
        }
        const copied = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength).copy(piece, filled, at);
        at += copied;
        filled += copied;
        if (filled < piece.length) continue;
        left -= piece.length;
        const full = piece;
        piece = null;
        yield full;
      }
    }
  } finally {
    if (piece !== null) budget.give(piece.length);
  }
}

/** Whether a part that the server has is this one. */
function isPart(there: StoredPart | undefined, piece: Buffer, sha256: string): there is StoredPart {
  if (there === undefined || there.size !== piece.length) return false;
  return there.sha256 === null ? there.etag === hex("md5", piece) : there.sha256 === sha256;
}

interface Upload {
  readonly uploadId: string;
  readonly parts: ReadonlyMap<number, StoredPart>;
}

/** Of the uploads of that key that were begun and not ended, the one that is furthest; the others are aborted. */
async function furthest({ bucket, begun, signal }: Sending, key: string): Promise<Upload | null> {
  const found: Upload[] = [];
  for (const { uploadId } of begun?.get(key) ?? []) {
    const parts = await bucket.parts(key, uploadId, signal);
    if (parts !== null) found.push({ uploadId, parts: new Map(parts.map((part) => [part.number, part])) });
  }
  const [best, ...others] = found.sort((a, b) => b.parts.size - a.parts.size);
  for (const { uploadId } of others) await bucket.abort(key, uploadId, signal);
  return best ?? null;
}

/**
 * Sends the parts that are not there yet, several at a time; what is sent is over when this returns or throws. Null when the
 * upload has vanished meanwhile.
 */
async function sendParts(
  { bucket, budget, partBytes, signal, onSent }: Sending,
  key: string,
  size: number,
  upload: Upload,
  contents: AsyncIterable<Uint8Array>,
): Promise<readonly SentPart[] | null> {
  const parts: SentPart[] = [];
  const underWay = new Set<Promise<void>>();
  const failure: { error?: unknown } = {};
  let isLost = false;
  let number = 0;
  try {
    for await (const piece of pieces(contents, size, partSize(size, partBytes), budget)) {
      number += 1;
      if (isLost || "error" in failure) {
        budget.give(piece.length);
        break;
      }
      const mine = number;
      const work = async () => {
        try {
          const sha256 = hex("sha256", piece);
          const there = upload.parts.get(mine);
          if (isPart(there, piece, sha256)) parts[mine - 1] = { number: mine, etag: there.etag, sha256 };
          else {
            const sent = await bucket.putPart(key, upload.uploadId, mine, piece, sha256, signal);
            if (sent === null) isLost = true;
            else {
              parts[mine - 1] = sent;
              onSent(piece.length);
            }
          }
        } catch (error) {
          failure.error ??= error;
        } finally {
          budget.give(piece.length);
        }
      };
      const sent = work().finally(() => underWay.delete(sent));
      underWay.add(sent);
    }
  } finally {
    await Promise.all(underWay);
  }
  if ("error" in failure) throw failure.error;
  return isLost ? null : parts;
}

async function sendWhole(
  { bucket, budget, signal, onSent }: Sending,
  key: string,
  size: number,
  contents: AsyncIterable<Uint8Array>,
): Promise<boolean> {
  const held: Buffer[] = [];
  try {
    for await (const piece of pieces(contents, size, size, budget)) held.push(piece);
    const body = held[0] ?? Buffer.alloc(0);
    const confirmed = await bucket.put(key, body, hex("sha256", body), signal);
    onSent(body.length);
    return confirmed;
  } finally {
    for (const piece of held) budget.give(piece.length);
  }
}

/** As `Bucket.complete`. Servers differ in what they say to whom asks again because the first answer got lost: what counts is what is there. */
async function completed(
  { bucket, signal }: Sending,
  key: string,
  size: number,
  uploadId: string,
  parts: readonly SentPart[],
): Promise<boolean | null> {
  try {
    return await bucket.complete(key, uploadId, parts, signal);
  } catch (error) {
    if (!(error instanceof Problem) || !error.retryable || (await bucket.head(key, signal))?.size !== size) throw error;
    return false;
  }
}

/**
 * Sends an object of that size; a large one in parts, going on with an upload that was broken off. It appears when all of its
 * content was read without a complaint, and not before. `open` may be called a second time.
 * @returns whether the server confirmed its checksum.
 */
export async function sendObject(sending: Sending, key: string, size: number, open: () => AsyncIterable<Uint8Array>): Promise<boolean> {
  const { bucket, partBytes, signal } = sending;
  if (size <= partBytes) return sendWhole(sending, key, size, open());
  for (let begun = await furthest(sending, key); ; begun = null) {
    const upload = begun ?? { uploadId: await bucket.begin(key, signal), parts: new Map() };
    const parts = await sendParts(sending, key, size, upload, open()).catch(async (error: unknown) => {
      // What was sent of it will never be completed.
      if (error instanceof ContentDamage) await bucket.abort(key, upload.uploadId, signal);
      throw error;
    });
    const confirmed = parts === null ? null : await completed(sending, key, size, upload.uploadId, parts);
    if (confirmed !== null) return confirmed;
    // The answer to an earlier try got lost, or somebody else has sent the same meanwhile and put our upload away.
    const there = await bucket.head(key, signal);
    if (there?.size === size) return there.sha256 !== null;
    if (begun === null)
      throw new Problem({
        code: "SPOT_E_UNAVAILABLE",
        message: `${bucketText(bucket.place)}: the server has lost the upload of ${key}`,
        exit: EXIT.failed,
        retryable: true,
      });
  }
}
