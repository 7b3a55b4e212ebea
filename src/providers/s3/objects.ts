import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  type HeadObjectCommandOutput,
  ListObjectsV2Command,
  PutObjectCommand,
} from "@aws-sdk/client-s3";
import type { Bucket } from "../bucket.ts";
import { checksumOf, fromBase64, wholeOrParts } from "./checksums.ts";
import { type Line, orNull } from "./line.ts";
import { pagesOf } from "./pages.ts";
import { inPieces, PIECE_BYTES } from "./pieces.ts";
import { saysMissing } from "./refusals.ts";

/** Null when there is no such object. */
export function askHead({ s3, send, at }: Line, key: string, signal: AbortSignal): Promise<HeadObjectCommandOutput | null> {
  const command = new HeadObjectCommand({ ...at(key), ChecksumMode: "ENABLED" });
  return orNull(
    send(`HEAD ${key}`, signal, (abortSignal) => s3.send(command, { abortSignal }), saysMissing),
    saysMissing,
  );
}

/** All bytes of a piece of an object; what is not all of it is asked for again. */
async function fetchPiece({ s3, send, at }: Line, key: string, from: number, to: number, etag: string | undefined, signal: AbortSignal) {
  if (from >= to) return { bytes: new Uint8Array(), etag };
  const command = { ...at(key), Range: `bytes=${from}-${to - 1}`, ...(etag === undefined ? {} : { IfMatch: etag }) };
  const ask = async (abortSignal: AbortSignal) => {
    const { Body, ContentRange, ETag } = await s3.send(new GetObjectCommand(command), { abortSignal });
    const body = (await Body?.transformToByteArray()) ?? new Uint8Array();
    // A server that knows no ranges sends all of it.
    const begin = Number(/^bytes (\d+)-/.exec(ContentRange ?? "")?.[1] ?? 0);
    const bytes = body.subarray(Math.max(0, from - begin), Math.max(0, to - begin));
    if (begin > from || bytes.length < to - from) throw new Error(`it ended too early: ${bytes.length} of ${to - from} bytes`);
    return { bytes, etag: ETag };
  };
  return send(`GET ${key}`, signal, ask, saysMissing);
}

/** Whole objects. */
export function objectsOf(line: Line): Pick<Bucket, "head" | "put" | "get" | "remove" | "list"> {
  const { place, s3, send, below, at } = line;
  return {
    async head(key, signal) {
      const found = await askHead(line, key, signal);
      return found === null ? null : { size: found.ContentLength ?? 0, sha256: wholeOrParts(found.ChecksumSHA256) };
    },
    async put(key, body, sha256, signal) {
      const command = { ...at(key), Body: body, ContentLength: body.length, ...checksumOf(sha256) };
      const answer = await send(`PUT ${key}`, signal, (abortSignal) => s3.send(new PutObjectCommand(command), { abortSignal }));
      return fromBase64(answer.ChecksumSHA256) === sha256;
    },
    async get(key, { from, to }, signal) {
      const first = await orNull(fetchPiece(line, key, from, Math.min(to, from + PIECE_BYTES), undefined, signal), saysMissing);
      return first === null ? null : inPieces({ from, to }, first, (begin, end, etag) => fetchPiece(line, key, begin, end, etag, signal));
    },
    async remove(key, signal) {
      await orNull(
        send(`DELETE ${key}`, signal, (abortSignal) => s3.send(new DeleteObjectCommand(at(key)), { abortSignal }), saysMissing),
        saysMissing,
      );
    },
    async *list(prefix, signal) {
      const page = (token: string | undefined) =>
        send(`list ${prefix}`, signal, (abortSignal) =>
          s3.send(new ListObjectsV2Command({ Bucket: place.bucket, Prefix: `${below}${prefix}`, ContinuationToken: token }), {
            abortSignal,
          }),
        );
      for await (const answer of pagesOf(place, page, (one) => (one.IsTruncated === true ? one.NextContinuationToken : undefined)))
        for (const { Key = "", Size = 0 } of answer.Contents ?? [])
          if (Key.startsWith(`${below}${prefix}`)) yield { key: Key.slice(below.length), size: Size };
    },
  };
}
