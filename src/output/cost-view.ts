import { type Money, moneyText, moneyToDecimal } from "../model/money.ts";
import type { SummaryKey, SummaryRow } from "../pricing/summary.ts";
import { basisOf, besideJson, type CostReport, HOUR_MS, lostOf, rowJson, savedOf, storageOf } from "./cost-report.ts";
import { costParagraphs } from "./cost-text.ts";
import { csvText } from "./csv-text.ts";
import { wrap } from "./detail-view.ts";
import { listView } from "./list-view.ts";
import type { Column, View } from "./view.ts";

/** For people: a volume is told apart from an instance of that name. */
export function groupText({ key, of }: Pick<SummaryRow, "key" | "of">): string {
  if (key === "") return "(none)";
  return of === "volume" ? `${key} (volume)` : key;
}

/** `~` marks what is not all billed. */
export function paidText(row: SummaryRow): string {
  return `${basisOf(row) === "billed" ? "" : "~"}${moneyText(row.paid)}`;
}

export function someText(amount: Money): string {
  return amount.micros === 0n ? "-" : moneyText(amount);
}

export function hoursText(ms: number): string {
  if (ms === 0) return "-";
  const hours = ms / HOUR_MS;
  return hours.toFixed(hours < 1 ? 3 : 1);
}

function columnsOf(by: SummaryKey): readonly Column<SummaryRow>[] {
  return [
    { key: "group", header: by.toUpperCase(), value: groupText, paint: (text, _, painter) => painter.bold(text) },
    { key: "hours", header: "GPU HOURS", align: "right", value: (row) => hoursText(row.gpuMs), drop: 2 },
    { key: "paid", header: "PAID", align: "right", value: paidText },
    { key: "billed", header: "BILLED", align: "right", value: (row) => moneyText(row.billed), drop: 5 },
    { key: "estimated", header: "ESTIMATED", align: "right", value: (row) => moneyText(row.estimated), drop: 5 },
    { key: "storage", header: "STORAGE", align: "right", value: (row) => someText(storageOf(row)), drop: 4 },
    { key: "asleep", header: "ASLEEP", align: "right", value: (row) => someText(row.storage.asleep), hidden: true },
    { key: "lost", header: "LOST", align: "right", value: (row) => someText(lostOf(row)), drop: 3 },
    {
      key: "onDemand",
      header: "ON-DEMAND",
      align: "right",
      value: (row) => (row.onDemand === null ? "?" : moneyText(row.onDemand)),
    },
    {
      key: "savings",
      header: "SAVED",
      align: "right",
      value: (row) => (row.savings === null ? "?" : `${Math.round(row.savings * 100)}%`),
      paint: (text, row, painter) => ((row.savings ?? 0) < 0 ? painter.red(text) : painter.green(text)),
    },
    { key: "basis", header: "BASIS", value: basisOf, drop: 1 },
  ];
}

/** The ledger, as `spot.cost/1`: what was paid, what on-demand would have cost, what was in vain, and what is expected. */
export function costView(report: CostReport): View {
  const { summary, by } = report;
  const list = listView<SummaryRow>({
    schema: "spot.cost/1",
    items: summary.rows,
    toJson: (row) => rowJson(row, by),
    columns: columnsOf(by),
    empty: "Nothing was paid for yet.",
  });
  return {
    schema: list.schema,
    data: list.data,
    beside: besideJson(report),
    ...(list.list === undefined ? {} : { list: list.list }),
    async render(painter, width, options) {
      const table = await list.render(painter, width, options);
      if (summary.rows.length === 0) return table;
      const below = costParagraphs(report).map((text) =>
        wrap(text, width)
          .map((line) => painter.dim(line))
          .join("\n"),
      );
      return [table, ...below].join("\n\n");
    },
  };
}

const AMOUNTS: readonly (readonly [string, (row: SummaryRow) => Money | null])[] = [
  ["paid", (row) => row.paid],
  ["billed", (row) => row.billed],
  ["estimated", (row) => row.estimated],
  ["gpu", (row) => row.gpu],
  ["storage_in_use", (row) => row.storage.inUse],
  ["storage_asleep", (row) => row.storage.asleep],
  ["storage_kept", (row) => row.storage.kept],
  ["lost_work", (row) => row.lost.work],
  ["lost_wakes", (row) => row.lost.wakes],
  ["lost_restarts", (row) => row.lost.restarts],
  ["billed_minus_estimate", (row) => row.difference],
  ["on_demand", (row) => row.onDemand],
  ["saved", savedOf],
];

/** The rows as comma-separated values, amounts with all their six places; sums are left to whoever reads them. */
export function costCsv({ summary, by, calendar }: CostReport): string {
  const header = [by, "of", "currency", "basis", "gpu_hours", ...AMOUNTS.map(([name]) => name), "savings", "running", "time_zone"];
  const rows = summary.rows.map((row) => [
    row.key,
    row.of,
    row.currency,
    basisOf(row),
    (row.gpuMs / HOUR_MS).toFixed(6),
    ...AMOUNTS.map(([, amountOf]) => {
      const amount = amountOf(row);
      return amount === null ? null : moneyToDecimal(amount);
    }),
    row.savings,
    String(row.open),
    calendar.zone,
  ]);
  return csvText(header, rows);
}
