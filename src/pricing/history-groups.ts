import type { Gpu } from "../model/gpu.ts";
import { productName } from "../model/gpu-names.ts";
import type { PriceRun, PriceSeries } from "../model/listed-price.ts";
import type { Money } from "../model/money.ts";
import { type PriceFigures, type PriceSteps, priceFigures, priceSteps, type StepWindow, shareOfTime } from "./history.ts";

export const HISTORY_GROUPS = ["zone", "region", "provider", "gpu", "type"] as const;
export type HistoryGroup = (typeof HISTORY_GROUPS)[number];

/** What a price is of: one GPU of the machine, or all of the machine. */
export const PRICED_THINGS = ["gpu", "instance"] as const;
export type PricedThing = (typeof PRICED_THINGS)[number];

/** A price per instance-hour as one of `of`, rounded half up to the millionth. */
export function priceOf(micros: bigint, gpu: Pick<Gpu, "count">, of: PricedThing): bigint {
  const parts = of === "gpu" ? BigInt(Math.max(1, gpu.count)) : 1n;
  return (micros * 2n + parts) / (parts * 2n);
}

const identity = ({ provider, region, zone, type, gpu, billing, currency, source }: PriceSeries) =>
  JSON.stringify([provider, region, zone, type, productName(gpu), gpu.count, billing, currency, source]);

/**
 * Whatever is said by one kind of source of one machine in one place as one series, oldest first: a source that corrects a
 * machine's memory has not begun to speak of another one.
 */
export function mergedSeries(all: readonly PriceSeries[]): readonly PriceSeries[] {
  const known = new Map<string, PriceSeries>();
  for (const series of all) {
    const key = identity(series);
    const other = known.get(key);
    const runs = (one: PriceSeries): readonly PriceRun[] => [...one.runs, ...series.runs].toSorted((a, b) => a.from - b.from);
    known.set(key, other === undefined ? series : { ...other, ...series, runs: runs(other) });
  }
  return [...known.values()];
}

/** What the rows of a table of figures say they are about; null where a group spans several. */
export interface HistoryGroupKey {
  readonly provider: string | null;
  readonly region: string | null;
  readonly zone: string | null;
  readonly type: string | null;
  /** How many GPUs the machines have; null where a group spans several. */
  readonly gpus: number | null;
  readonly product: string;
  readonly billing: PriceSeries["billing"];
  readonly source: PriceSeries["source"];
}

export interface HistoryRow extends HistoryGroupKey {
  readonly currency: string;
  readonly series: number;
  readonly figures: PriceFigures;
  /** The newest that was observed in the window. */
  readonly last: Money;
  /** As the source last stated it; null where it does not, or where the group has several. */
  readonly onDemand: Money | null;
  /** For which share of the time spot was dearer than on demand; null where nobody says what that costs. */
  readonly aboveOnDemand: number | null;
  /** The share of time at or under the price that was asked about; null when none was. */
  readonly under: number | null;
}

export interface RowOptions {
  readonly by: HistoryGroup;
  readonly of: PricedThing;
  readonly window: StepWindow;
  /** In the currency of the row; null where the question cannot be put in it. */
  readonly limitIn: (currency: string) => Money | null;
}

/** Products, ways to pay, currencies and kinds of sources are never thrown together. */
function keyOf({ provider, region, zone, type, gpu, billing, source }: PriceSeries, by: HistoryGroup): HistoryGroupKey {
  const isPlaced = by === "zone" || by === "region";
  const isTyped = by === "zone" || by === "type";
  return {
    provider: by === "gpu" ? null : provider,
    region: isPlaced ? region : null,
    zone: by === "zone" ? zone : null,
    type: isTyped ? type : null,
    gpus: isTyped ? gpu.count : null,
    product: productName(gpu),
    billing,
    source,
  };
}

interface Member {
  readonly steps: PriceSteps;
  readonly onDemand: bigint | null;
}

/** The steps of one series, at the price of what is asked for. */
export function stepsOf({ runs, gpu }: PriceSeries, of: PricedThing, window: StepWindow): PriceSteps {
  return priceSteps(
    runs.map((run) => ({ ...run, micros: priceOf(run.micros, gpu, of) })),
    window,
  );
}

/** On-demand price of one of `of`; null where the source does not say. */
export function onDemandOf({ gpu, onDemandPrice }: PriceSeries, of: PricedThing): bigint | null {
  return onDemandPrice === null ? null : priceOf(onDemandPrice.micros, gpu, of);
}

/** Of all the time for which an on-demand price is known. */
function shareAbove(members: readonly Member[]): number | null {
  let [above, all] = [0, 0];
  for (const { steps, onDemand } of members) {
    const share = onDemand === null ? null : shareOfTime([steps], (micros) => micros > onDemand);
    if (share === null) continue;
    const weight = Math.max(
      1,
      steps.held.reduce((sum, { from, to }) => sum + to - from, 0),
    );
    above += share * weight;
    all += weight;
  }
  return all === 0 ? null : above / all;
}

function rowOf(key: HistoryGroupKey, currency: string, members: readonly Member[], { limitIn }: RowOptions): HistoryRow | null {
  const steps = members.map((member) => member.steps);
  const figures = priceFigures(steps);
  if (figures === null) return null;
  const newest = steps.flatMap(({ held }) => held.at(-1) ?? []).reduce((last, one) => (one.to > last.to ? one : last));
  const [onDemand = null, ...others] = new Set(members.map((member) => member.onDemand));
  const limit = limitIn(currency);
  return {
    ...key,
    currency,
    series: members.length,
    figures,
    last: { micros: newest.micros, currency },
    onDemand: onDemand === null || others.length > 0 ? null : { micros: onDemand, currency },
    aboveOnDemand: shareAbove(members),
    under: limit === null ? null : shareOfTime(steps, (micros) => micros <= limit.micros),
  };
}

/** A row of figures for each group of which anything was observed in the window. */
export function historyRows(all: readonly PriceSeries[], options: RowOptions): readonly HistoryRow[] {
  const groups = new Map<string, { readonly key: HistoryGroupKey; readonly currency: string; readonly members: Member[] }>();
  for (const series of mergedSeries(all)) {
    const key = keyOf(series, options.by);
    const name = JSON.stringify([key, series.currency]);
    const group = groups.get(name) ?? { key, currency: series.currency, members: [] };
    const steps = stepsOf(series, options.of, options.window);
    if (steps.held.length > 0) group.members.push({ steps, onDemand: onDemandOf(series, options.of) });
    groups.set(name, group);
  }
  return [...groups.values()].flatMap(({ key, currency, members }) => rowOf(key, currency, members, options) ?? []);
}
