import type { ProviderSnapshot } from "../providers/provider.ts";
import { isoTime } from "./json.ts";
import { listView } from "./list-view.ts";
import type { Column, View } from "./view.ts";

export interface SnapshotRow {
  readonly provider: string;
  readonly snapshot: ProviderSnapshot;
  /** What the rules of a retention make of it, and why it stays. */
  readonly verdict?: { readonly outcome: "kept" | "goes" | "gone"; readonly because: readonly string[] };
}

const OUTCOME_WORDS = { kept: "stays", goes: "goes", gone: "gone" } as const;

const VERDICT_COLUMNS: readonly Column<SnapshotRow>[] = [
  {
    key: "outcome",
    header: "OUTCOME",
    value: ({ verdict }) => (verdict === undefined ? "" : OUTCOME_WORDS[verdict.outcome]),
    paint: (text, _, painter) => (text === "stays" ? text : painter.yellow(text)),
  },
  { key: "because", header: "BECAUSE", value: ({ verdict }) => verdict?.because.join(", ") ?? "", drop: 2 },
];

/** The providers' own snapshots of volumes, as `spot.snapshots/1`. */
export function snapshotsView(rows: readonly SnapshotRow[]): View {
  return listView<SnapshotRow>({
    schema: "spot.snapshots/1",
    items: rows,
    toJson: ({ provider, snapshot, verdict }) => ({
      id: snapshot.providerId,
      name: snapshot.name,
      provider,
      region: snapshot.region,
      volumeId: snapshot.volumeId,
      sizeGb: snapshot.sizeGb,
      state: snapshot.state,
      rawState: snapshot.rawState,
      createdAt: isoTime(snapshot.createdAt),
      ours: snapshot.token !== null,
      ...verdict,
    }),
    columns: [
      { key: "name", header: "NAME", value: ({ snapshot }) => snapshot.name, paint: (text, _, painter) => painter.bold(text) },
      { key: "state", header: "STATE", value: ({ snapshot }) => snapshot.state },
      { key: "size", header: "SIZE", align: "right", value: ({ snapshot }) => `${snapshot.sizeGb} GB` },
      { key: "where", header: "WHERE", value: ({ provider, snapshot }) => `${provider} ${snapshot.region}` },
      {
        key: "made",
        header: "MADE",
        value: ({ snapshot }) => isoTime(snapshot.createdAt)?.slice(0, 19) ?? "?",
        drop: 1,
      },
      { key: "id", header: "ID", value: ({ snapshot }) => snapshot.providerId },
      ...(rows.some(({ verdict }) => verdict !== undefined) ? VERDICT_COLUMNS : []),
    ],
    empty: "No snapshots of volumes. One is made by: spot volumes snapshot NAME",
  });
}
