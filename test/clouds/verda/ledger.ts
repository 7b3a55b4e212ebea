import { addMoney, costOf, type Money, moneyFromDecimal } from "../../../src/model/money.ts";
import { VOLUME_TYPES } from "./catalogue.ts";
import type { BillLine, VerdaState } from "./state.ts";

const STEP_MS = 600_000;
const HOURS_A_MONTH = 730;

export function beginBill(state: VerdaState, line: Pick<BillLine, "resourceId" | "kind" | "pricePerHour">, from: number): void {
  state.bill.push({ ...line, from, to: null });
}

export function endBill(state: VerdaState, resourceId: string, to: number): void {
  for (const line of state.bill) if (line.resourceId === resourceId && line.to === null) line.to = Math.max(line.from, to);
}

/** The vendor's formula: rounded up to a hundredth of a cent. */
export function volumePricePerHour(type: string, sizeGb: number): string {
  return (Math.ceil(((Number(VOLUME_TYPES[type] ?? "0") * sizeGb) / HOURS_A_MONTH) * 10_000) / 10_000).toFixed(4);
}

/** Instances are paid in steps of ten minutes, in advance; volumes by the time that they were kept. */
export function costOfLine(line: BillLine, now: number): Money {
  const rate = moneyFromDecimal(line.pricePerHour, "USD");
  const ms = (line.to ?? now) - line.from;
  return costOf(rate, line.kind === "instance" ? (Math.floor(ms / STEP_MS) + 1) * STEP_MS : ms);
}

export function totalBill(state: VerdaState, now: number): Money {
  return state.bill.map((line) => costOfLine(line, now)).reduce(addMoney, { micros: 0n, currency: "USD" });
}
