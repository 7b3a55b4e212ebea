import { durationText } from "../model/duration.ts";
import { gpuText } from "../model/gpu.ts";
import type { Guard } from "../model/guard.ts";
import { moneyText } from "../model/money.ts";
import { workloadEnd, workloadEndText } from "../model/workload-end.ts";
import type { CostSoFar } from "../pricing/instance-cost.ts";
import type { ListedRecord } from "../state/records.ts";
import { guardCell, isUnguarded } from "./guard-text.ts";
import { instanceJson } from "./json.ts";
import { listView } from "./list-view.ts";
import { priceHeader } from "./price-header.ts";
import type { Column, Painter, View } from "./view.ts";

export interface InstanceRow {
  readonly record: ListedRecord;
  readonly cost: CostSoFar | undefined;
  readonly now: number;
  /** Who ends it when its time is over; null or absent where nobody has to. */
  readonly guard?: Guard | null;
}

/** The state in a person's words: a notice says how long is left, an ending says that it is not confirmed, a workload that has ended is said. */
export function stateText(row: InstanceRow): string {
  const end = workloadEnd(row.record);
  return end === null ? ownStateText(row) : `${ownStateText(row)}, ${workloadEndText(end, row.now)}`;
}

function ownStateText({ record, now }: InstanceRow): string {
  const since = durationText(now - record.changedAt);
  switch (record.state) {
    case "reclaiming":
      return record.notice === null ? "reclaiming" : `reclaiming in ${durationText(record.notice.deadline - now)}`;
    case "terminating":
      return `terminating (unconfirmed ${since})`;
    case "hibernated":
      return record.parked === "recreate" ? "hibernated (on volume)" : "hibernated";
    case "stopped":
      return record.dataKeptUntil === null ? "stopped" : `stopped (data kept ${durationText(Math.max(0, record.dataKeptUntil - now))})`;
    case "requested":
    case "provisioning":
    case "restoring":
    case "hibernating":
      return `${record.state} (${since})`;
    case "gone":
    case "failed":
      return record.state;
    default:
      return record.desired === "gone" ? `${record.state} (to be ended)` : record.state;
  }
}

/** Green serves, yellow is on its way or has done its work, red needs eyes. */
export function paintState(text: string, record: ListedRecord, painter: Painter): string {
  const end = workloadEnd(record);
  if (end !== null) return end.code === 0 ? painter.yellow(text) : painter.red(text);
  if (record.state === "running") return painter.green(text);
  if (["reclaiming", "failed", "unknown", "terminating"].includes(record.state)) return painter.red(text);
  return ["hibernated", "gone", "stopped"].includes(record.state) ? painter.dim(text) : painter.yellow(text);
}

const COLUMNS: readonly Column<InstanceRow>[] = [
  { key: "name", header: "NAME", value: ({ record }) => record.name, paint: (text, _, painter) => painter.bold(text) },
  { key: "state", header: "STATE", value: stateText, paint: (text, { record }, painter) => paintState(text, record, painter) },
  { key: "gpu", header: "GPU", value: ({ record }) => gpuText(record.gpu) },
  { key: "billing", header: "BILLING", value: ({ record }) => record.billing, drop: 3 },
  { key: "where", header: "WHERE", value: ({ record }) => `${record.provider} ${record.zone}`, drop: 1 },
  { key: "type", header: "TYPE", value: ({ record }) => record.type, drop: 5 },
  { key: "price", header: "$/HOUR", align: "right", value: ({ record }) => priceText(record) },
  { key: "cost", header: "SO FAR", align: "right", value: ({ cost }) => costText(cost) },
  { key: "age", header: "AGE", align: "right", value: ({ record, now }) => durationText(now - record.createdAt), drop: 2 },
  { key: "ttl", header: "ENDS IN", align: "right", value: ttlText, drop: 4 },
  {
    key: "guard",
    header: "GUARD",
    value: ({ guard, now }) => guardCell(guard, now),
    paint: (text, { guard }, painter) => (guard != null && isUnguarded(guard) ? painter.red(text) : text),
    drop: 4,
  },
  { key: "volume", header: "VOLUME", value: ({ record }) => record.volumes.map((volume) => volume.name).join(" "), drop: 6 },
  { key: "id", header: "ID", value: ({ record }) => record.id, hidden: true },
  { key: "provider", header: "PROVIDER", value: ({ record }) => record.provider, hidden: true },
  { key: "providerId", header: "PROVIDER ID", value: ({ record }) => record.providerId ?? "", hidden: true },
  { key: "zone", header: "ZONE", value: ({ record }) => record.zone, hidden: true },
  { key: "fleet", header: "FLEET", value: ({ record }) => record.fleet ?? "", hidden: true },
];

/** What is paid for the machine now; one that is asleep or gone has no rate. */
function priceText({ state, price }: ListedRecord): string {
  if (state === "gone" || state === "hibernated") return "-";
  return price === null ? "?" : moneyText(price);
}

/** `~` marks what is only estimated. */
export function costText(cost: CostSoFar | undefined): string {
  if (cost === undefined) return "-";
  return `${cost.basis === "estimated" ? "~" : ""}${[cost.amount, ...(cost.also ?? [])].map(moneyText).join(" + ")}`;
}

function ttlText({ record, now }: InstanceRow): string {
  return record.ttlEndsAt === null || record.state === "gone" ? "-" : durationText(record.ttlEndsAt - now);
}

/** Many instances, as `spot ls` shows them. */
export function instancesView(rows: readonly InstanceRow[], empty = "No instances. Rent one with: spot up"): View {
  return listView({
    schema: "spot.instances/1",
    items: rows,
    toJson: ({ record, cost, guard }) => instanceJson(record, cost, guard),
    columns: COLUMNS.map((column) => {
      if (column.key === "price") return { ...column, header: priceHeader(rows.map(({ record }) => record.price)) };
      // A fleet without TTL and idle time has no guards to show.
      return column.key === "guard" && rows.every(({ guard }) => guard == null) ? { ...column, hidden: true } : column;
    }),
    empty,
  });
}
