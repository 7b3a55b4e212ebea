import { bytesText } from "../model/bytes.ts";
import { moneyJson, moneyText } from "../model/money.ts";
import type { VolumeRecord } from "../state/records.ts";
import { isoTime } from "./json.ts";
import { listView } from "./list-view.ts";
import { priceHeader } from "./price-header.ts";
import type { View } from "./view.ts";

export interface VolumeRow {
  readonly volume: VolumeRecord;
  /** Name of the instance that uses it. */
  readonly instance: string | null;
  readonly usedBytes: number | null;
}

/** Disks that outlive instances, as `spot.volumes/1`. */
export function volumesView(rows: readonly VolumeRow[]): View {
  return listView<VolumeRow>({
    schema: "spot.volumes/1",
    items: rows,
    toJson: ({ volume, instance, usedBytes }) => ({
      name: volume.name,
      id: volume.id,
      provider: volume.provider,
      providerId: volume.providerId,
      region: volume.region,
      zone: volume.zone,
      sizeGb: volume.sizeGb,
      usedBytes,
      state: volume.state,
      instance,
      createdAt: isoTime(volume.createdAt),
      price: volume.pricePerHour === null ? null : { ...moneyJson(volume.pricePerHour), per: "hour", of: "volume" },
    }),
    columns: [
      { key: "name", header: "NAME", value: ({ volume }) => volume.name, paint: (text, _, painter) => painter.bold(text) },
      {
        key: "state",
        header: "STATE",
        value: ({ volume, instance }) => (instance !== null && volume.state === "available" ? "in use" : volume.state),
      },
      { key: "instance", header: "USED BY", value: ({ instance }) => instance ?? "-" },
      { key: "size", header: "SIZE", align: "right", value: ({ volume }) => `${volume.sizeGb} GB` },
      { key: "used", header: "USED", align: "right", value: ({ usedBytes }) => (usedBytes === null ? "?" : bytesText(usedBytes)) },
      { key: "where", header: "WHERE", value: ({ volume }) => `${volume.provider} ${volume.zone}`, drop: 1 },
      {
        key: "price",
        header: priceHeader(rows.map(({ volume }) => volume.pricePerHour)),
        align: "right",
        value: ({ volume }) => (volume.pricePerHour === null ? "?" : moneyText(volume.pricePerHour)),
        drop: 2,
      },
      { key: "id", header: "ID", value: ({ volume }) => volume.id, hidden: true },
    ],
    empty: "No volumes. One is made with each instance, or by: spot volumes create NAME",
  });
}
