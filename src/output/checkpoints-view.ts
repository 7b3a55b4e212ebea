import { bytesText } from "../model/bytes.ts";
import type { Checkpoint } from "../model/checkpoint.ts";
import { checkpointJson, isoTime } from "./json.ts";
import { listView } from "./list-view.ts";
import type { Column, View } from "./view.ts";

/** What lies under a checkpoint's name without a manifest that holds. */
export interface DamagedRow {
  readonly id: string;
  /** Whose it was, by what is left of its manifest; null when that cannot be told. */
  readonly instance: string | null;
  /** The volume, or the bucket. */
  readonly volume: string;
  readonly what: string;
}

const COLUMNS: readonly Column<Checkpoint>[] = [
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
];

/** Checkpoints, newest first. */
export function checkpointsView(checkpoints: readonly Checkpoint[], empty = "No checkpoints. Make one with: spot snapshot NAME"): View {
  return listView<Checkpoint>({ schema: "spot.checkpoints/1", items: checkpoints, toJson: checkpointJson, columns: COLUMNS, empty });
}

/** What stands in the row of a damaged one. */
const DAMAGED_CELLS: Readonly<Record<string, (row: DamagedRow) => string>> = {
  id: ({ id }) => id,
  instance: ({ instance }) => instance ?? "-",
  reason: () => "damaged",
  volume: ({ volume }) => volume,
};

/**
 * The same with what lies there and is damaged: rows of the table among the others, and `damaged` beside the data, for whatever is
 * in the data is sealed.
 */
export function catalogueView(checkpoints: readonly Checkpoint[], damaged: readonly DamagedRow[], empty?: string): View {
  const sealed = checkpointsView(checkpoints, empty);
  const rows = [...checkpoints, ...damaged].toSorted((a, b) => (a.id < b.id ? 1 : a.id > b.id ? -1 : 0));
  const columns = COLUMNS.map(
    (column): Column<Checkpoint | DamagedRow> => ({
      ...column,
      value: (row) => ("what" in row ? (DAMAGED_CELLS[column.key]?.(row) ?? "-") : column.value(row)),
      paint: (text, row, painter) => ("what" in row ? painter.red(text) : text),
    }),
  );
  const table = listView({ schema: sealed.schema, items: rows, toJson: () => null, columns, empty: empty ?? "" });
  return {
    schema: sealed.schema,
    data: sealed.data,
    beside: { damaged },
    get list() {
      return sealed.list as NonNullable<View["list"]>;
    },
    render: (...how) => (damaged.length === 0 ? sealed : table).render(...how),
  };
}
