import { bytesText } from "../model/bytes.ts";
import type { Checkpoint } from "../model/checkpoint.ts";
import { checkpointJson, isoTime } from "./json.ts";
import { listView } from "./list-view.ts";
import type { View } from "./view.ts";

/** One checkpoint and what becomes of it. */
export interface PruneRow {
  readonly checkpoint: Checkpoint;
  /** `spared`: it was to go, and somebody reads it by now. */
  readonly outcome: "kept" | "goes" | "gone" | "spared";
  /** Why it stays; empty when it goes. */
  readonly because: readonly string[];
}

export interface PruneParts {
  readonly rows: readonly PruneRow[];
  /** Bytes of disk, all volumes together; of a bucket those of its objects. */
  readonly freedBytes: number;
  /** Where they are free; of disk where it is left out. */
  readonly freedWhere?: string;
  /** Ids of what does not verify. */
  readonly damaged: readonly string[];
}

const OUTCOME_WORDS = { kept: "stays", goes: "goes", gone: "gone", spared: "stays" } as const;

/** What pruning would do, or did: as `spot.checkpoints/1`, and of each why. */
export function pruneView({ rows, freedBytes, freedWhere = "of disk", damaged }: PruneParts): View {
  const going = rows.filter(({ outcome }) => outcome === "goes" || outcome === "gone").length;
  const isDone = rows.some(({ outcome }) => outcome === "gone");
  const freed = `${bytesText(freedBytes)} ${freedWhere} ${isDone ? "are free" : "will be free"}`;
  const footer =
    going === 0 ? "Nothing goes." : `${going} of ${rows.length} ${isDone ? "went" : "go"}, ${freed}. Files that others share stay.`;
  const view = listView<PruneRow>({
    schema: "spot.prune/1",
    items: rows,
    toJson: ({ checkpoint, outcome, because }) => ({ ...checkpointJson(checkpoint), outcome, because }),
    columns: [
      { key: "id", header: "ID", value: ({ checkpoint }) => checkpoint.id },
      { key: "instance", header: "INSTANCE", value: ({ checkpoint }) => checkpoint.instance, drop: 2 },
      { key: "volume", header: "VOLUME", value: ({ checkpoint }) => checkpoint.volume, drop: 4 },
      { key: "bytes", header: "SIZE", align: "right", value: ({ checkpoint }) => bytesText(checkpoint.bytes), drop: 1 },
      {
        key: "createdAt",
        header: "MADE",
        value: ({ checkpoint }) => `${(isoTime(checkpoint.createdAt) ?? "").slice(0, 19)}Z`,
        drop: 3,
      },
      {
        key: "outcome",
        header: "OUTCOME",
        value: ({ outcome }) => OUTCOME_WORDS[outcome],
        paint: (text, { outcome }, painter) => (outcome === "goes" || outcome === "gone" ? painter.yellow(text) : painter.green(text)),
      },
      { key: "because", header: "WHY", value: ({ because }) => because.join(", ") },
    ],
    empty: "No checkpoints.",
    footer,
  });
  return { ...view, beside: { freedBytes, damaged } };
}
