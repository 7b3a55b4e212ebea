import { expect } from "vitest";
import type { Money } from "../../src/model/money.ts";
import { standing } from "../../src/pricing/budget.ts";
import { type Calendar, calendarOf } from "../../src/pricing/calendar.ts";
import { BUNDLED_RATE } from "../../src/pricing/currency.ts";
import { intervalCost } from "../../src/pricing/instance-cost.ts";
import { type Loss, lossBook } from "../../src/pricing/losses.ts";
import { reconciled } from "../../src/pricing/reconciliation.ts";
import { type DiskUser, storageBook } from "../../src/pricing/storage-use.ts";
import { type Period, SUMMARY_KEYS, type SummaryBooks, type SummaryKey, type SummaryRow, summarize } from "../../src/pricing/summary.ts";
import type { LedgerRecord } from "../../src/state/records.ts";
import { sampleLedger } from "../state/sample-records.ts";
import { ZONES } from "./zones.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

/** A ledger with whatever can be in one, and the books that its sums go by. */
export interface MoneyCase {
  readonly ledger: readonly LedgerRecord[];
  readonly books: Required<SummaryBooks>;
  readonly now: number;
  readonly chance: () => number;
}

/** Mulberry32: the same numbers for the same seed. */
function chanceOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const calendars = new Map<string, Calendar>(ZONES.map((zone) => [zone, calendarOf(zone)]));

/** A case of `size` intervals, over the clock changes of some months. */
export function moneyCase(seed: number, size: number): MoneyCase {
  const chance = chanceOf(seed);
  const whole = (below: number) => Math.floor(chance() * below);
  const one = <Value>(values: readonly Value[]): Value => values[whole(values.length)] as Value;
  const names = ["a", "b", "c", "d"] as const;
  const begin = Date.UTC(2026, whole(12), 1 + whole(28), whole(24));
  const span = one([HOUR, DAY, 3 * DAY, 10 * DAY, 40 * DAY, 300 * DAY]);
  const now = begin + span + whole(2 * DAY);
  const anyMicros = () => BigInt(one([0, 1, 7, whole(1000), whole(9_999_999), whole(2_000_000_000)]));
  const ledger = Array.from({ length: size }, (_, index): LedgerRecord => {
    const name = one(names);
    const isDisk = chance() < 0.3;
    const from = begin + whole(span);
    const isOpen = chance() < 0.1;
    const to = isOpen ? null : from + one([0, 1, whole(1000), whole(HOUR), whole(span)]);
    const currency = one(["USD", "USD", "CNY"]);
    const money = (): Money => ({ micros: anyMicros(), currency });
    return sampleLedger(`l-${index}`, {
      instanceId: isDisk ? one([null, `i-${name}`]) : `i-${name}`,
      instance: name,
      fleet: one([null, "night", "day"]),
      provider: one(["local", "aws"]),
      providerId: isDisk ? `disk-${name}` : `machine-${name}-${whole(3)}`,
      kind: isDisk ? "disk" : "gpu",
      billing: one(["spot", "on-demand"]),
      from,
      to: to === null ? null : Math.min(to, now),
      rate: money(),
      onDemandRate: one([null, money(), { micros: 5n, currency: "EUR" }]),
      billed: isOpen || chance() < 0.5 ? null : money(),
    });
  });
  const users: DiskUser[] = names.slice(0, 3).map((name) => {
    const createdAt = begin + whole(span);
    const state = one(["gone", "running"] as const);
    const volumes = [{ name, id: `v-${name}`, mount: "/data" }];
    const provider = one(["local", "aws"]);
    return { id: `i-${name}`, name, provider, state, createdAt, changedAt: createdAt + whole(span), volumes, rootVolume: null };
  });
  const volumes = names.map((name) => ({ id: `v-${name}`, provider: one(["local", "aws"]), providerId: `disk-${name}` }));
  const losses = Array.from({ length: whole(12) }, (): Loss => {
    const from = begin + whole(span);
    const name = one(names);
    const providerId = one([null, `machine-${name}-${whole(3)}`]);
    return { kind: one(["work", "wakes", "restarts", "unsealed"]), instance: name, providerId, from, to: from + whole(span / 4) };
  });
  const calendar = calendars.get(one(ZONES)) as Calendar;
  return { ledger, now, chance, books: { calendar, storage: storageBook(users, volumes, ledger), losses: lossBook(losses) } };
}

/** Every amount of a row that parts must add up to, and the hours. */
function amountsOf(row: SummaryRow): readonly bigint[] {
  return [
    ...[
      row.paid,
      row.billed,
      row.estimated,
      row.gpu,
      row.comparable.paid,
      row.comparable.onDemand,
      row.comparable.onDemandUseful,
      row.mayBeLost.paid,
    ].map(({ micros }) => micros),
    ...[...Object.values(row.storage), ...Object.values(row.lost)].map(({ micros }) => micros),
    row.difference?.micros ?? 0n,
    BigInt(row.gpuMs),
  ];
}

/** The sums of rows by currency, as texts that can be compared. */
function sumsOf(rows: readonly SummaryRow[]): ReadonlyMap<string, readonly bigint[]> {
  const sums = new Map<string, readonly bigint[]>();
  for (const row of rows) {
    const known = sums.get(row.currency);
    const amounts = amountsOf(row);
    sums.set(row.currency, known === undefined ? amounts : amounts.map((amount, index) => amount + (known[index] ?? 0n)));
  }
  // A currency of which nothing came to anything is in no row, or in one of nothing.
  return new Map([...sums].filter(([, amounts]) => amounts.some((amount) => amount !== 0n)).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/**
 * Holds that the sums are exact: for every grouping, for every slicing of time, for every day and month of the zone, and against
 * what `ls` and a budget say. @throws when one of them is off by a millionth.
 */
export function holdSums({ ledger, books, now, chance }: MoneyCase): void {
  const all: Period = { since: 0, now };
  const { rows, totals } = summarize(ledger, "instance", all, books);
  const whole = sumsOf(totals);
  expect(sumsOf(rows)).toEqual(whole);
  // Each interval by itself, by no code that cuts anything.
  const billed = reconciled(ledger, all).intervals;
  for (const { currency, paid, gpu, storage, lost, mayBeLost, difference } of totals) {
    const apart = ledger.filter((one) => (one.billed ?? one.rate).currency === currency).map((one) => intervalCost(one, now).micros);
    expect(paid.micros).toBe(apart.reduce((sum, one) => sum + one, 0n));
    const apartBilled = billed.flatMap((one) => (one.difference?.currency === currency ? [one.difference.micros] : []));
    expect(difference?.micros ?? 0n, "billed beside estimated").toBe(apartBilled.reduce((sum, one) => sum + one, 0n));
    expect(gpu.micros + storage.inUse.micros + storage.asleep.micros + storage.kept.micros).toBe(paid.micros);
    expect(lost.work.micros + lost.wakes.micros + lost.restarts.micros + mayBeLost.paid.micros <= gpu.micros).toBe(true);
  }
  for (const by of SUMMARY_KEYS) expect(sumsOf(summarize(ledger, by, all, books).rows), by).toEqual(whole);
  const first = Math.min(now, ...ledger.map(({ from }) => from));
  const cuts = Array.from({ length: 3 }, () => first + Math.floor(chance() * (now - first))).sort((a, b) => a - b);
  const edges = [first, ...cuts, now];
  const by = SUMMARY_KEYS[Math.floor(chance() * SUMMARY_KEYS.length)] as SummaryKey;
  const slices = edges.slice(1).map((until, index) => summarize(ledger, by, { since: edges[index] ?? 0, until, now }, books).rows);
  expect(sumsOf(slices.flat()), `slices at ${edges}`).toEqual(whole);
  holdDays({ ledger, books, now, chance });
  holdBudgets(ledger, now);
}

/** A row of a day is what a sum over that very day's hours says, and so is a month's. */
function holdDays({ ledger, books, now, chance }: MoneyCase): void {
  for (const by of ["day", "month"] as const) {
    const { rows } = summarize(ledger, by, { since: 0, now }, books);
    const row = rows[Math.floor(chance() * rows.length)];
    if (row === undefined) continue;
    const { from, to } =
      by === "day"
        ? books.calendar.dayOf(books.calendar.beginOf(row.key))
        : books.calendar.monthOf(books.calendar.beginOf(`${row.key}-01`));
    const alone = summarize(ledger, "provider", { since: from, until: to, now }, books).totals;
    expect(sumsOf(alone), row.key).toEqual(sumsOf(rows.filter(({ key }) => key === row.key)));
  }
}

/** A budget counts what `cost` shows: in all, for a fleet, and for a day in UTC. */
function holdBudgets(ledger: readonly LedgerRecord[], now: number): void {
  const own = ledger.filter((one) => (one.billed ?? one.rate).currency === "USD");
  const spent = (scope: string) => {
    const cap: Money = { micros: 1n, currency: "USD" };
    return standing({ scope, cap, atCap: "warn", createdAt: 0, said: { percent: 0, at: 0 } }, own, now, BUNDLED_RATE).spent.micros;
  };
  const paid = (by: SummaryKey, key: string) =>
    summarize(own, by, { since: 0, now }).rows.reduce((sum, row) => (row.key === key ? sum + row.paid.micros : sum), 0n);
  const total = summarize(own, "provider", { since: 0, now }).totals[0]?.paid.micros ?? 0n;
  expect(spent("total")).toBe(total);
  expect(spent("fleet:night")).toBe(paid("fleet", "night"));
  expect(spent("day")).toBe(paid("day", new Date(now).toISOString().slice(0, 10)));
}
