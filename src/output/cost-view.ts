import { addMoney, type Money, moneyJson, moneyText, savingsShare } from "../model/money.ts";
import type { CostLine } from "../pricing/ledger-sums.ts";
import { listView } from "./list-view.ts";
import type { View } from "./view.ts";

/** The ledger, as `spot.cost/1`: what was paid, what on-demand would have cost, and what is estimated. */
export function costView(lines: readonly CostLine[]): View {
  const total = totalText(lines);
  return listView<CostLine>({
    schema: "spot.cost/1",
    items: lines,
    toJson: (line) => ({
      group: line.group,
      paid: moneyJson(line.paid),
      gpu: moneyJson(line.gpu),
      disk: moneyJson(line.disk),
      onDemand: line.onDemand === null ? null : moneyJson(line.onDemand),
      savings: line.onDemand === null ? null : savingsShare(line.paid, line.onDemand),
      gpuHours: Number(line.gpuHours.toFixed(6)),
      basis: line.basis,
    }),
    columns: [
      { key: "group", header: "WHAT", value: (line) => line.group, paint: (text, _, painter) => painter.bold(text) },
      { key: "hours", header: "GPU HOURS", align: "right", value: (line) => line.gpuHours.toFixed(line.gpuHours < 1 ? 3 : 1), drop: 3 },
      { key: "gpu", header: "GPU", align: "right", value: (line) => moneyText(line.gpu), drop: 2 },
      { key: "disk", header: "DISK", align: "right", value: (line) => moneyText(line.disk), drop: 2 },
      { key: "paid", header: "PAID", align: "right", value: (line) => `${line.basis === "billed" ? "" : "~"}${moneyText(line.paid)}` },
      { key: "onDemand", header: "ON-DEMAND", align: "right", value: (line) => (line.onDemand === null ? "?" : moneyText(line.onDemand)) },
      {
        key: "savings",
        header: "SAVED",
        align: "right",
        value: savedText,
        paint: (text, line, painter) => (isDearer(line) ? painter.red(text) : painter.green(text)),
      },
      { key: "basis", header: "BASIS", value: (line) => line.basis, drop: 1 },
    ],
    empty: "Nothing was paid for yet.",
    ...(total === null ? {} : { footer: total }),
  });
}

function isDearer(line: CostLine): boolean {
  return line.onDemand !== null && line.paid.micros > line.onDemand.micros;
}

function savedText(line: CostLine): string {
  const saved = line.onDemand === null ? null : savingsShare(line.paid, line.onDemand);
  return saved === null ? "?" : `${Math.round(saved * 100)} %`;
}

/** One sentence for each currency: sums of different currencies are never added. */
function totalText(lines: readonly CostLine[]): string | null {
  const totals = new Map<string, { readonly paid: Money; readonly onDemand: Money | null }>();
  for (const { paid, onDemand } of lines) {
    const sum = totals.get(paid.currency);
    totals.set(paid.currency, {
      paid: sum === undefined ? paid : addMoney(sum.paid, paid),
      onDemand: sum === undefined ? onDemand : sum.onDemand === null || onDemand === null ? null : addMoney(sum.onDemand, onDemand),
    });
  }
  const sentences = [...totals.values()].map(
    ({ paid, onDemand }) => `Together ${moneyText(paid)}${onDemand === null ? "" : `, against ${moneyText(onDemand)} on demand`}.`,
  );
  if (sentences.length === 0) return null;
  const isEstimated = lines.some((line) => line.basis !== "billed");
  return `${sentences.join(" ")}${isEstimated ? " ~ marks what is estimated from price and time, not yet billed." : ""}`;
}
