import type { PriceRun } from "../model/listed-price.ts";

/** A price that held from one moment to another (epoch milliseconds, the last one not included); of one moment when both are the same. */
export interface HeldPrice {
  readonly from: number;
  readonly to: number;
  readonly micros: bigint;
}

/** What is known of a price over a while: in order, without overlaps. */
export interface PriceSteps {
  readonly held: readonly HeldPrice[];
  /** Between observations that lie too far apart: nothing is said of what the price was then. */
  readonly gaps: readonly { readonly from: number; readonly to: number }[];
}

export interface StepWindow {
  readonly since: number;
  readonly until: number;
  /** Two observations that lie further apart have a gap between them. */
  readonly maxGapMs: number;
}

/** A day and two hours: who syncs once a day leaves no gap, on the longest day of the year either. */
export const USUAL_MAX_GAP_MS = 26 * 3_600_000;

/**
 * Runs one after the other. Who looked twice and saw one price has a run, whatever the price was in between: where another
 * source of the same series knows of another price within it, it was seen at its two ends, and says nothing of the middle.
 */
function apart(runs: readonly PriceRun[]): readonly PriceRun[] {
  const left = runs.toSorted((a, b) => a.from - b.from);
  const done: PriceRun[] = [];
  for (let index = 0; index < left.length; index++) {
    const [run, next] = [left[index], left[index + 1]];
    if (run === undefined) break;
    if (next === undefined || next.from > run.to) done.push(run);
    else if (next.micros === run.micros) left[index + 1] = { from: run.from, to: Math.max(run.to, next.to), micros: run.micros };
    else {
      done.push({ ...run, to: next.from });
      // What was in force when it was last seen is not taken back by it.
      if (left.some(({ from, to }, at) => at > index && from <= run.to && to >= run.to)) continue;
      const after = left.findIndex(({ from }, at) => at > index + 1 && from >= run.to);
      left.splice(after < 0 ? left.length : after, 0, { ...run, from: run.to });
    }
  }
  return done;
}

/**
 * The step function through runs of observations: a price holds from its observation until the next one. After the last one,
 * and in a gap, nothing is assumed. Within a run nothing else was observed, so there is no gap in one.
 */
export function priceSteps(runs: readonly PriceRun[], { since, until, maxGapMs }: StepWindow): PriceSteps {
  const held: HeldPrice[] = [];
  const gaps: { readonly from: number; readonly to: number }[] = [];
  const inOrder = apart(runs);
  for (const [index, { from, to, micros }] of inOrder.entries()) {
    const next = inOrder[index + 1]?.from;
    const isGap = next !== undefined && next - to > maxGapMs;
    const end = next === undefined || isGap ? to : next;
    if (isGap) gaps.push({ from: to, to: next });
    const last = held.at(-1);
    if (last !== undefined && last.micros === micros && last.to === from) held[held.length - 1] = { ...last, to: end };
    else held.push({ from, to: end, micros });
  }
  const clip = <Span extends { readonly from: number; readonly to: number }>(spans: readonly Span[]) =>
    spans
      .filter(({ from, to }) => from <= until && (to > since || (from === to && from === since)))
      .map((span) => ({ ...span, from: Math.max(span.from, since), to: Math.min(span.to, until) }));
  return { held: clip(held), gaps: clip(gaps) };
}

/** What is said of prices over a while. Amounts are those of the steps; times are epoch milliseconds. */
export interface PriceFigures {
  readonly min: bigint;
  readonly max: bigint;
  /** Over time, rounded half up. */
  readonly mean: bigint;
  /** The lowest price such that for half of the time (for 95 % of it) it was no dearer. */
  readonly p50: bigint;
  readonly p95: bigint;
  /**
   * Realised volatility of a day: √(Σ ln²(price after ÷ price before) ÷ days observed), over the changes between which
   * there is no gap. Null where less than a day was observed.
   */
  readonly volatility: number | null;
  /** How often the next price was another one, over gaps as well. */
  readonly changes: number;
  readonly observedMs: number;
  readonly from: number;
  readonly to: number;
  readonly gaps: { readonly count: number; readonly ms: number };
}

const DAY_MS = 86_400_000;

interface Weighed {
  readonly micros: bigint;
  readonly weight: bigint;
}

/**
 * Each price with the milliseconds for which it held. Observations between which no time passed that anybody could speak for
 * count alike, each once.
 */
function weighed(held: readonly HeldPrice[]): readonly Weighed[] {
  const byTime = held.map(({ from, to, micros }) => ({ micros, weight: BigInt(to - from) }));
  return byTime.some(({ weight }) => weight > 0n) ? byTime : held.map(({ micros }) => ({ micros, weight: 1n }));
}

const sumOf = (all: readonly Weighed[]) => all.reduce((sum, { weight }) => sum + weight, 0n);

function ascending(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** The lowest price at or under which `percent` of the weight lies. */
function quantile(sorted: readonly Weighed[], percent: bigint): bigint {
  const wanted = sumOf(sorted) * percent;
  let below = 0n;
  for (const { micros, weight } of sorted) {
    below += weight * 100n;
    if (below >= wanted) return micros;
  }
  return sorted.at(-1)?.micros ?? 0n;
}

/** The logarithm of a ratio of two amounts, which may be greater than any number is exact for. */
function logRatio(after: bigint, before: bigint): number {
  return Math.log(Number(after)) - Math.log(Number(before));
}

function movementOf(held: readonly HeldPrice[]) {
  let [changes, squares] = [0, 0];
  for (const [index, { from, micros }] of held.entries()) {
    const before = held[index - 1];
    if (before === undefined || before.micros === micros) continue;
    changes += 1;
    if (before.to === from) squares += logRatio(micros, before.micros) ** 2;
  }
  return { changes, squares };
}

/** The figures of one series, or of several of them together, each weighed by its time. Null when nothing was observed. */
export function priceFigures(all: readonly PriceSteps[]): PriceFigures | null {
  const held = all.flatMap((steps) => steps.held);
  const sorted = weighed(held).toSorted((a, b) => ascending(a.micros, b.micros));
  if (sorted.length === 0) return null;
  const observedMs = held.reduce((sum, { from, to }) => sum + to - from, 0);
  const movements = all.map((steps) => movementOf(steps.held));
  const squares = movements.reduce((sum, one) => sum + one.squares, 0);
  const gaps = all.flatMap((steps) => steps.gaps);
  const total = sumOf(sorted);
  const worth = sorted.reduce((sum, { micros, weight }) => sum + micros * weight, 0n);
  const prices = held.map(({ micros }) => micros).toSorted(ascending);
  return {
    min: prices[0] ?? 0n,
    max: prices.at(-1) ?? 0n,
    mean: (worth * 2n + total) / (total * 2n),
    p50: quantile(sorted, 50n),
    p95: quantile(sorted, 95n),
    volatility: observedMs < DAY_MS ? null : Math.sqrt(squares / (observedMs / DAY_MS)),
    changes: movements.reduce((sum, one) => sum + one.changes, 0),
    observedMs,
    from: held.reduce((first, { from }) => Math.min(first, from), Number.POSITIVE_INFINITY),
    to: held.reduce((last, { to }) => Math.max(last, to), Number.NEGATIVE_INFINITY),
    gaps: { count: gaps.length, ms: gaps.reduce((sum, { from, to }) => sum + to - from, 0) },
  };
}

/** For which share of the observed time (0–1) a price was as `isMeant` says; null when nothing was observed. */
export function shareOfTime(all: readonly PriceSteps[], isMeant: (micros: bigint) => boolean): number | null {
  const prices = weighed(all.flatMap((steps) => steps.held));
  if (prices.length === 0) return null;
  const meant = sumOf(prices.filter(({ micros }) => isMeant(micros)));
  return Number(meant) / Number(sumOf(prices));
}
