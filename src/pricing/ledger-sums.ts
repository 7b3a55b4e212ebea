import { addMoney, type Money } from "../model/money.ts";
import type { LedgerRecord } from "../state/records.ts";
import { intervalCost, intervalOnDemand } from "./instance-cost.ts";

export const COST_GROUPS = ["instance", "fleet", "day", "provider"] as const;
export type CostGroup = (typeof COST_GROUPS)[number];

/** One line of `spot cost`: amounts of one group in one currency. */
export interface CostLine {
  readonly group: string;
  /** GPU and disk together. */
  readonly paid: Money;
  readonly gpu: Money;
  readonly disk: Money;
  /** What the same GPU and disk time would have cost with every GPU on demand; null when a price is not known. */
  readonly onDemand: Money | null;
  /** Hours of billed GPU machines. */
  readonly gpuHours: number;
  readonly basis: "estimated" | "billed" | "mixed";
}

const DAY_MS = 86_400_000;

/** An interval cut to [since, now], and by days when asked. A billed figure is shared out by time. */
interface Piece {
  readonly group: string;
  readonly entry: LedgerRecord;
  readonly from: number;
  readonly to: number;
}

function pieces(entry: LedgerRecord, by: CostGroup, now: number, since: number | null): readonly Piece[] {
  const from = Math.max(entry.from, since ?? entry.from);
  const to = Math.max(from, entry.to ?? now);
  if (by !== "day") return [{ group: groupName(entry, by), entry, from, to }];
  const result: Piece[] = [];
  for (let start = from; start <= to; ) {
    const end = Math.min(to, (Math.floor(start / DAY_MS) + 1) * DAY_MS);
    result.push({ group: new Date(start).toISOString().slice(0, 10), entry, from: start, to: end });
    if (end === to) break;
    start = end;
  }
  return result;
}

function groupName(entry: LedgerRecord, by: Exclude<CostGroup, "day">): string {
  if (by === "provider") return entry.provider;
  if (by === "fleet") return entry.fleet ?? "(no fleet)";
  return entry.kind === "disk" ? `volume ${entry.instance}` : entry.instance;
}

function share(money: Money, piece: Piece, now: number): Money {
  const whole = (piece.entry.to ?? now) - piece.entry.from;
  const part = piece.to - piece.from;
  if (whole <= 0 || part >= whole) return money;
  return { micros: (money.micros * BigInt(Math.round(part))) / BigInt(Math.round(whole)), currency: money.currency };
}

/** The ledger against its on-demand counterfactual, by group; groups in the order of their names, currencies apart. */
export function sumLedger(ledger: readonly LedgerRecord[], by: CostGroup, now: number, since: number | null): readonly CostLine[] {
  const lines = new Map<string, CostLine>();
  for (const piece of ledger.flatMap((entry) => pieces(entry, by, now, since))) {
    const { entry } = piece;
    const paid = share(intervalCost(entry, now), piece, now);
    const counterfactual = intervalOnDemand(entry, now);
    const key = `${piece.group}\n${paid.currency}`;
    const line = lines.get(key);
    lines.set(key, addTo(line, piece, paid, counterfactual === null ? null : share(counterfactual, piece, now)));
  }
  return [...lines.values()].sort((a, b) => a.group.localeCompare(b.group));
}

function addTo(line: CostLine | undefined, piece: Piece, paid: Money, onDemand: Money | null): CostLine {
  const { entry, group } = piece;
  const zero: Money = { micros: 0n, currency: paid.currency };
  const basis = entry.billed === null ? "estimated" : "billed";
  const base = line ?? { group, paid: zero, gpu: zero, disk: zero, onDemand: zero, gpuHours: 0, basis };
  return {
    group,
    paid: addMoney(base.paid, paid),
    gpu: entry.kind === "gpu" ? addMoney(base.gpu, paid) : base.gpu,
    disk: entry.kind === "disk" ? addMoney(base.disk, paid) : base.disk,
    onDemand: base.onDemand === null || onDemand === null || onDemand.currency !== paid.currency ? null : addMoney(base.onDemand, onDemand),
    gpuHours: base.gpuHours + (entry.kind === "gpu" ? (piece.to - piece.from) / 3_600_000 : 0),
    basis: base.basis === basis ? basis : "mixed",
  };
}
