import type { ProviderSnapshot } from "../providers/provider.ts";
import { isoTime } from "./json.ts";
import { listView } from "./list-view.ts";
import type { View } from "./view.ts";

export interface SnapshotRow {
  readonly provider: string;
  readonly snapshot: ProviderSnapshot;
}

/** The providers' own snapshots of volumes, as `spot.snapshots/1`. */
export function snapshotsView(rows: readonly SnapshotRow[]): View {
  return listView<SnapshotRow>({
    schema: "spot.snapshots/1",
    items: rows,
    toJson: ({ provider, snapshot }) => ({
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
    ],
    empty: "No snapshots of volumes. One is made by: spot volumes snapshot NAME",
  });
}
