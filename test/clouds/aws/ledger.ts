import { addMoney, costOf, type Money, moneyFromDecimal } from "../../../src/model/money.ts";
import { EBS_PRICE, SNAPSHOT_PRICE } from "./catalogue.ts";
import { pointsBetween, typeNamed } from "./prices.ts";
import type { AwsState, BillLine } from "./state.ts";

const HOURS_A_MONTH = 730;
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

type Begun = Pick<BillLine, "resourceId" | "kind" | "pricePerHour"> & Partial<Pick<BillLine, "pool">>;

export function beginBill(state: AwsState, line: Begun, from: number): void {
  state.bill.push({ pool: null, ...line, from, to: null, free: false });
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

/** By the second, at the price of the time, which moves while a spot machine runs; a start costs a minute at least. */
export function costOfLine(line: BillLine, now: number): Money {
  const nothing = { micros: 0n, currency: "USD" };
  if (line.free) return nothing;
  const to = Math.max(line.to ?? now, line.from + (line.kind === "compute" ? MINUTE_MS : 0));
  const cost = (price: string, from: number, until: number) =>
    costOf(moneyFromDecimal(price, "USD"), Math.ceil((until - from) / 1000) * 1000);
  const type = line.pool === null ? undefined : typeNamed(line.pool.type);
  if (line.pool === null || type === undefined) return cost(line.pricePerHour, line.from, to);
  const points = pointsBetween(type, line.pool.zone, line.from, to);
  return points.map(({ at, price }, index) => cost(price, Math.max(at, line.from), points[index - 1]?.at ?? to)).reduce(addMoney, nothing);
}

export function totalBill(state: AwsState, now: number): Money {
  return state.bill.map((line) => costOfLine(line, now)).reduce(addMoney, { micros: 0n, currency: "USD" });
}
