import { moneyJson, moneyText } from "../model/money.ts";
import type { Summary, SummaryRow } from "../pricing/summary.ts";
import { listView } from "./list-view.ts";
import type { View } from "./view.ts";

const MS_PER_HOUR = 3_600_000;

type Basis = "estimated" | "billed" | "mixed";

function basisOf(row: SummaryRow): Basis {
  if (row.estimated.micros === 0n) return "billed";
  return row.billed.micros === 0n ? "estimated" : "mixed";
}

/** The ledger, as `spot.cost/1`: what was paid, what on-demand would have cost, and what is estimated. `budget`: one more sentence. */
export function costView(summary: Summary, by: string, budget: string | null): View {
  return listView<SummaryRow>({
    schema: "spot.cost/1",
    items: summary.rows,
    toJson: (row) => ({
      group: row.key,
      by,
      paid: moneyJson(row.paid),
      billed: moneyJson(row.billed),
      estimated: moneyJson(row.estimated),
      onDemand: row.onDemand === null ? null : moneyJson(row.onDemand),
      savings: row.savings,
      gpuHours: Number((row.gpuMs / MS_PER_HOUR).toFixed(6)),
      running: row.open,
      basis: basisOf(row),
    }),
    columns: [
      {
        key: "group",
        header: by.toUpperCase(),
        value: (row) => (row.key === "" ? "(none)" : row.key),
        paint: (text, _, painter) => painter.bold(text),
      },
      { key: "hours", header: "GPU HOURS", align: "right", value: (row) => hoursText(row.gpuMs), drop: 2 },
      { key: "paid", header: "PAID", align: "right", value: (row) => `${basisOf(row) === "billed" ? "" : "~"}${moneyText(row.paid)}` },
      { key: "billed", header: "BILLED", align: "right", value: (row) => moneyText(row.billed), drop: 3 },
      { key: "estimated", header: "ESTIMATED", align: "right", value: (row) => moneyText(row.estimated), drop: 3 },
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
    ],
    empty: "Nothing was paid for yet.",
    ...(summary.totals.length === 0 ? {} : { footer: [totalText(summary.totals), ...(budget === null ? [] : [budget])].join(" ") }),
  });
}

function hoursText(ms: number): string {
  if (ms === 0) return "-";
  const hours = ms / MS_PER_HOUR;
  return hours.toFixed(hours < 1 ? 3 : 1);
}

/** One sentence for each currency: sums of different currencies are never added. */
function totalText(totals: readonly SummaryRow[]): string {
  const sentences = totals.map(
    ({ paid, onDemand, savings }) =>
      `Together ${moneyText(paid)}${onDemand === null ? "" : `, against ${moneyText(onDemand)} on demand`}${savings === null ? "" : ` (${Math.round(savings * 100)}% saved)`}.`,
  );
  const isEstimated = totals.some((row) => row.estimated.micros !== 0n);
  return `${sentences.join(" ")}${isEstimated ? " ~ is estimated from price and time, not billed yet." : ""}`;
}
