import { bytesText } from "../model/bytes.ts";
import type { Checkpoint } from "../model/checkpoint.ts";
import { checkpointJson, isoTime } from "./json.ts";
import { listView } from "./list-view.ts";
import type { View } from "./view.ts";

/** Checkpoints, newest first. */
export function checkpointsView(checkpoints: readonly Checkpoint[], empty = "No checkpoints. Make one with: spot snapshot NAME"): View {
  return listView<Checkpoint>({
    schema: "spot.checkpoints/1",
    items: checkpoints,
    toJson: checkpointJson,
    columns: [
      { key: "id", header: "ID", value: (item) => item.id },
      { key: "instance", header: "INSTANCE", value: (item) => item.instance, drop: 1 },
      { key: "step", header: "STEP", align: "right", value: (item) => item.step ?? "-" },
      { key: "reason", header: "REASON", value: (item) => item.reason },
      { key: "files", header: "FILES", align: "right", value: (item) => String(item.files), drop: 3 },
      { key: "bytes", header: "SIZE", align: "right", value: (item) => bytesText(item.bytes) },
      { key: "createdAt", header: "MADE", value: (item) => `${(isoTime(item.createdAt) ?? "").slice(0, 19)}Z`, drop: 2 },
      {
        key: "verifiedAt",
        header: "VERIFIED",
        value: (item) => (item.verifiedAt === null ? "-" : `${(isoTime(item.verifiedAt) ?? "").slice(0, 19)}Z`),
        drop: 4,
      },
      { key: "volume", header: "VOLUME", value: (item) => item.volume, drop: 5 },
      { key: "sha256", header: "SHA256", value: (item) => item.sha256, hidden: true },
    ],
    empty,
  });
}
