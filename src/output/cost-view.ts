import { type Money, moneyText, moneyToDecimal } from "../model/money.ts";
import type { SummaryKey, SummaryRow } from "../pricing/summary.ts";
import { basisOf, groupText, HOUR_MS, hoursText, paidCell, paidText, savedOf } from "./cost-amounts.ts";
import { besideJson, type CostReport, rowJson } from "./cost-report.ts";
import { costParagraphs, nothingText } from "./cost-text.ts";
import { csvText } from "./csv-text.ts";
import { wrap } from "./detail-view.ts";
import { listView } from "./list-view.ts";
import type { Column, View } from "./view.ts";

function columnsOf(by: SummaryKey): readonly Column<SummaryRow>[] {
  return [
    { key: "group", header: by.toUpperCase(), value: groupText, paint: (text, _, painter) => painter.bold(text) },
    { key: "hours", header: "GPU HOURS", align: "right", value: (row) => hoursText(row.gpuMs), drop: 2 },
    { key: "paid", header: "PAID", align: "right", value: (row) => paidText(row) },
    { key: "billed", header: "BILLED", align: "right", value: (row) => moneyText(row.billed), drop: 5 },
    { key: "estimated", header: "ESTIMATED", align: "right", value: (row) => moneyText(row.estimated), drop: 5 },
    { key: "storage", header: "STORAGE", align: "right", value: (row) => paidCell(row, "storage"), drop: 4 },
    { key: "asleep", header: "ASLEEP", align: "right", value: (row) => paidCell(row, "asleep"), hidden: true },
    { key: "lost", header: "LOST", align: "right", value: (row) => paidCell(row, "lost"), drop: 3 },
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
    empty: nothingText(report),
  });
  return {
    schema: list.schema,
    data: list.data,
    beside: besideJson(report),
    ...(list.list === undefined ? {} : { list: list.list }),
    async render(painter, width, options) {
      const table = await list.render(painter, width, options);
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
  const header = [
    by,
    "of",
    "currency",
    "basis",
    "gpu_hours",
    ...AMOUNTS.map(([name]) => name),
    "savings",
    "running",
    "time_zone",
    "gpu_running",
    "may_be_lost",
  ];
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
    String(row.gpuRunning),
    moneyToDecimal(row.mayBeLost.paid),
  ]);
  return csvText(header, rows);
}
