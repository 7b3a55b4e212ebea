import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  ListMultipartUploadsCommand,
  ListPartsCommand,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import { EXIT } from "../../model/exit-codes.ts";
import { Problem } from "../../model/problem.ts";
import { type Bucket, bucketText, type OpenUpload, type StoredPart } from "../bucket.ts";
import { checksumOf, compositeOf, fromBase64, toBase64, wholeOrParts } from "./checksums.ts";
import { type Line, orNull } from "./line.ts";
import { askHead } from "./objects.ts";
import { pagesOf } from "./pages.ts";
import { saysCannot, saysMissing } from "./refusals.ts";

const unquoted = (etag: string | undefined) => (etag ?? "").replaceAll('"', "");
const missingOrCannot = (error: unknown) => saysMissing(error) || saysCannot(error);

/** What was begun and not ended. */
export function openUploadsOf(line: Line): Pick<Bucket, "openUploads" | "parts"> {
  const { place, s3, send, below, at } = line;
  type Marks = { readonly KeyMarker?: string | undefined; readonly UploadIdMarker?: string | undefined };
  const uploadsPage = (prefix: string, signal: AbortSignal) => (marks: Marks | undefined) => {
    const command = { Bucket: place.bucket, Prefix: `${below}${prefix}`, ...marks };
    return send(`list uploads`, signal, (abortSignal) => s3.send(new ListMultipartUploadsCommand(command), { abortSignal }), saysCannot);
  };
  const partsPage = (key: string, uploadId: string, signal: AbortSignal) => (mark: string | undefined) => {
    const command = { ...at(key), UploadId: uploadId, PartNumberMarker: mark };
    return send(`list parts of ${key}`, signal, (abortSignal) => s3.send(new ListPartsCommand(command), { abortSignal }), missingOrCannot);
  };
  const allUploads = async (prefix: string, signal: AbortSignal) => {
    const found: OpenUpload[] = [];
    const pages = pagesOf(place, uploadsPage(prefix, signal), (answer) =>
      answer.IsTruncated === true ? { KeyMarker: answer.NextKeyMarker, UploadIdMarker: answer.NextUploadIdMarker } : undefined,
    );
    for await (const answer of pages)
      for (const { Key = "", UploadId = "", Initiated } of answer.Uploads ?? [])
        if (Key.startsWith(`${below}${prefix}`) && UploadId !== "")
          found.push({ key: Key.slice(below.length), uploadId: UploadId, begunAt: Initiated?.getTime() ?? null });
    return found;
  };
  const allParts = async (key: string, uploadId: string, signal: AbortSignal) => {
    const found: StoredPart[] = [];
    const pages = pagesOf(place, partsPage(key, uploadId, signal), (answer) =>
      answer.IsTruncated === true ? answer.NextPartNumberMarker : undefined,
    );
    for await (const answer of pages)
      for (const { PartNumber = 0, Size = -1, ChecksumSHA256, ETag } of answer.Parts ?? [])
        found.push({ number: PartNumber, size: Size, sha256: fromBase64(ChecksumSHA256), etag: unquoted(ETag) });
    return found;
  };
  return {
    openUploads: (prefix, signal) => orNull(allUploads(prefix, signal), saysCannot),
    parts: (key, uploadId, signal) => orNull(allParts(key, uploadId, signal), missingOrCannot),
  };
}

/** Objects that come in parts. */
export function uploadsOf(line: Line): Pick<Bucket, "begin" | "putPart" | "complete" | "abort"> {
  const { place, s3, send, at } = line;
  return {
    async begin(key, signal) {
      const command = { ...at(key), ChecksumAlgorithm: "SHA256" as const };
      const { UploadId = "" } = await send(`begin ${key}`, signal, (abortSignal) =>
        s3.send(new CreateMultipartUploadCommand(command), { abortSignal }),
      );
      if (UploadId !== "") return UploadId;
      throw new Problem({ code: "SPOT_E_PROTOCOL", message: `${bucketText(place)}: an upload without a name`, exit: EXIT.failed });
    },
    async putPart(key, uploadId, number, body, sha256, signal) {
      const part = { UploadId: uploadId, PartNumber: number, Body: body, ContentLength: body.length };
      const command = { ...at(key), ...part, ...checksumOf(sha256) };
      const answer = await orNull(
        send(`part ${number} of ${key}`, signal, (abortSignal) => s3.send(new UploadPartCommand(command), { abortSignal }), saysMissing),
        saysMissing,
      );
      return answer === null ? null : { number, etag: unquoted(answer.ETag), sha256 };
    },
    async complete(key, uploadId, parts, signal) {
      const Parts = parts.map(({ number, etag, sha256 }) => ({ PartNumber: number, ETag: `"${etag}"`, ChecksumSHA256: toBase64(sha256) }));
      const command = { ...at(key), UploadId: uploadId, MultipartUpload: { Parts } };
      const answer = await orNull(
        send(
          `complete ${key}`,
          signal,
          (abortSignal) => s3.send(new CompleteMultipartUploadCommand(command), { abortSignal }),
          saysMissing,
        ),
        saysMissing,
      );
      if (answer === null) return null;
      const said = wholeOrParts(answer.ChecksumSHA256 ?? (await askHead(line, key, signal))?.ChecksumSHA256);
      return said !== null && said.hex === compositeOf(parts);
    },
    async abort(key, uploadId, signal) {
      const command = new AbortMultipartUploadCommand({ ...at(key), UploadId: uploadId });
      await orNull(
        send(`abort an upload of ${key}`, signal, (abortSignal) => s3.send(command, { abortSignal }), missingOrCannot),
        missingOrCannot,
      );
    },
  };
}
