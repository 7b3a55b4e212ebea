import { bytesText } from "../model/bytes.ts";
import { detailView } from "./detail-view.ts";
import type { View } from "./view.ts";

/** What a copy did, or would do. */
export interface CopyParts {
  readonly id: string;
  readonly instance: string;
  readonly step: string | null;
  readonly from: string;
  readonly to: string;
  readonly files: number;
  /** Of its distinct contents. */
  readonly bytes: number;
  /** Of these, what is there already. */
  readonly presentBytes: number;
  readonly movedBytes: number;
  /** Null after a dry run. */
  readonly proof: "checksum" | "read" | null;
  /** One of the two ends is a bucket. */
  readonly isBilled: boolean;
}

const PROOFS = {
  checksum: "the server confirmed the SHA-256 of what it took",
  read: "every byte was read again at the far end",
} as const;

/** `spot.copy/1`. `cost` is null: what a bucket's provider takes for requests and for bytes that leave it is not known here. */
export function copyView(parts: CopyParts): View {
  const { id, instance, step, from, to, files, bytes, presentBytes, movedBytes, proof, isBilled } = parts;
  const isDry = proof === null;
  return detailView({
    schema: "spot.copy/1",
    data: { id, instance, step, from, to, files, bytes, presentBytes, movedBytes, verified: proof, dryRun: isDry, cost: null },
    blocks: [
      {
        rows: [
          { label: "checkpoint", value: `${id} (${instance}${step === null ? "" : `, step ${step}`})` },
          { label: "from", value: from },
          { label: "to", value: to },
          { label: "files", value: String(files) },
          { label: "size", value: bytesText(bytes) },
          { label: "there already", value: bytesText(presentBytes) },
          isDry ? { label: "to be moved", value: bytesText(bytes - presentBytes) } : { label: "moved", value: bytesText(movedBytes) },
          { label: "verified", value: proof === null ? null : PROOFS[proof] },
          { label: "cost", value: isDry && isBilled ? "not known: what the bucket's provider takes for requests and traffic" : null },
        ],
      },
    ],
  });
}
