import {
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
import { saysMissing } from "./refusals.ts";
import { resumed } from "./resumed.ts";

/** Null when there is no such object. */
export function askHead({ s3, send, at }: Line, key: string, signal: AbortSignal): Promise<HeadObjectCommandOutput | null> {
  const command = new HeadObjectCommand({ ...at(key), ChecksumMode: "ENABLED" });
  return orNull(
    send(`HEAD ${key}`, signal, (abortSignal) => s3.send(command, { abortSignal }), saysMissing),
    saysMissing,
  );
}

/** Whole objects. */
export function objectsOf(line: Line): Pick<Bucket, "head" | "put" | "get" | "list"> {
  const { world, place, s3, send, below, at } = line;
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
      const open = (begin: number, more: { readonly IfMatch?: string }) => {
        const command = { ...at(key), Range: `bytes=${begin}-${to - 1}`, ...more };
        return orNull(
          send(`GET ${key}`, signal, (abortSignal) => s3.send(new GetObjectCommand(command), { abortSignal }), saysMissing),
          saysMissing,
        );
      };
      const first = await open(from, {});
      return first === null ? null : resumed(world, place, key, { from, to }, first, open, signal);
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
