import { addMoney, costOf, type Money, moneyFromDecimal } from "../../../src/model/money.ts";
import { EBS_PRICE, SNAPSHOT_PRICE } from "./catalogue.ts";
import type { AwsState, BillLine } from "./state.ts";

const HOURS_A_MONTH = 730;
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

export function beginBill(state: AwsState, line: Pick<BillLine, "resourceId" | "kind" | "pricePerHour">, from: number): void {
  state.bill.push({ ...line, from, to: null, free: false });
}

/** `interrupted`: EC2 ended or stopped it; its first hour is then free. */
export function endBill(state: AwsState, resourceId: string, to: number, interrupted = false): void {
  for (const line of state.bill) {
    if (line.resourceId !== resourceId || line.to !== null) continue;
    line.to = Math.max(line.from, to);
    if (interrupted && line.kind === "compute" && line.to - line.from < HOUR_MS) line.free = true;
  }
}

export const volumePrice = (sizeGb: number) => ((Number(EBS_PRICE) * sizeGb) / HOURS_A_MONTH).toFixed(6);
export const snapshotPrice = (sizeGb: number) => ((Number(SNAPSHOT_PRICE) * sizeGb) / HOURS_A_MONTH).toFixed(6);

/** By the second; a start costs a minute at least. */
export function costOfLine(line: BillLine, now: number): Money {
  const rate = moneyFromDecimal(line.pricePerHour, "USD");
  if (line.free) return { ...rate, micros: 0n };
  const ms = Math.max((line.to ?? now) - line.from, line.kind === "compute" ? MINUTE_MS : 0);
  return costOf(rate, Math.ceil(ms / 1000) * 1000);
}

export function totalBill(state: AwsState, now: number): Money {
  return state.bill.map((line) => costOfLine(line, now)).reduce(addMoney, { micros: 0n, currency: "USD" });
}
