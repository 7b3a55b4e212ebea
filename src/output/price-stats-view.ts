import { gpuText } from "../model/gpu.ts";
import { type Money, moneyJson, moneyText, savingsShare } from "../model/money.ts";
import type { HistoryRow, PricedThing } from "../pricing/history-groups.ts";
import { csvText } from "./csv-text.ts";
import { listView } from "./list-view.ts";
import { savingText } from "./price-history-view.ts";
import type { Column, View } from "./view.ts";

export interface StatsScene {
  readonly of: PricedThing;
  /** The price that `--under` asked about; null without one. */
  readonly limit: Money | null;
  /** How many rows people see. */
  readonly most: number;
  /** What the figures mean, for people. */
  readonly footer: string;
  readonly empty: string;
  readonly beside: Readonly<Record<string, unknown>>;
}

const HOUR_MS = 3_600_000;

/** Shares and logarithms are told to the millionth. */
function rounded(value: number | null): number | null {
  return value === null ? null : Math.round(value * 1e6) / 1e6;
}

/** `spot.price-stats/1`, one row. */
function rowJson(row: HistoryRow, { of, limit }: StatsScene): unknown {
  const { provider, region, zone, type, gpus, product, billing, source, series, figures, currency, last, onDemand } = row;
  const rate = (money: Money) => ({ ...moneyJson(money), per: "hour", of });
  const price = (micros: bigint) => rate({ micros, currency });
  return {
    ...{ provider, region, zone, type, gpu: product, gpus, billing, source, series },
    min: price(figures.min),
    p50: price(figures.p50),
    p95: price(figures.p95),
    max: price(figures.max),
    mean: price(figures.mean),
    last: rate(last),
    volatilityPerDay: rounded(figures.volatility),
    changes: figures.changes,
    under: limit === null ? null : { price: rate(limit), share: rounded(row.under) },
    onDemandPrice: onDemand === null ? null : rate(onDemand),
    savings: onDemand === null ? null : savingsShare({ micros: figures.p50, currency }, onDemand),
    aboveOnDemandShare: rounded(row.aboveOnDemand),
    observedFrom: new Date(figures.from).toISOString(),
    observedTo: new Date(figures.to).toISOString(),
    observedSeconds: Math.round(figures.observedMs / 1000),
    gaps: { count: figures.gaps.count, seconds: Math.round(figures.gaps.ms / 1000) },
  };
}

/** Amounts as decimals, shares as numbers from 0 to 1. */
export function statsCsv(rows: readonly HistoryRow[], { of, limit }: StatsScene): string {
  const header = [
    ...["provider", "region", "zone", "type", "gpu", "gpus", "billing", "source", "series", "currency", "of"],
    ...["min", "p50", "p95", "max", "mean", "last", "on_demand", "volatility_per_day", "changes", "above_on_demand_share"],
    ...["observed_from", "observed_to", "observed_seconds", "gaps", "gap_seconds"],
    ...(limit === null ? [] : ["share_under"]),
  ];
  return csvText(
    header,
    rows.map((row) => {
      const { figures, currency, onDemand } = row;
      const amount = (micros: bigint) => moneyJson({ micros, currency }).amount;
      return [
        ...[row.provider, row.region, row.zone, row.type, row.product, row.gpus, row.billing, row.source, row.series, currency, of],
        ...[figures.min, figures.p50, figures.p95, figures.max, figures.mean, row.last.micros].map(amount),
        ...[onDemand === null ? null : amount(onDemand.micros), rounded(figures.volatility), figures.changes, rounded(row.aboveOnDemand)],
        ...[new Date(figures.from).toISOString(), new Date(figures.to).toISOString()],
        ...[Math.round(figures.observedMs / 1000), figures.gaps.count, Math.round(figures.gaps.ms / 1000)],
        ...(limit === null ? [] : [rounded(row.under)]),
      ];
    }),
  );
}

function percent(share: number | null, digits = 0): string {
  return share === null ? "–" : `${(share * 100).toFixed(digits)}%`;
}

/** "3h", "12d": what was observed or missed. */
function spanText(ms: number): string {
  return ms < 48 * HOUR_MS ? `${Math.round(ms / HOUR_MS)}h` : `${Math.round(ms / (24 * HOUR_MS))}d`;
}

const isMixed = (rows: readonly HistoryRow[], value: (row: HistoryRow) => unknown) => new Set(rows.map(value)).size > 1;

function columnsOf(rows: readonly HistoryRow[], { of, limit }: StatsScene): readonly Column<HistoryRow>[] {
  const money = (pick: (row: HistoryRow) => bigint) => (row: HistoryRow) => moneyText({ micros: pick(row), currency: row.currency });
  const place: readonly Column<HistoryRow>[] = [
    {
      key: "provider",
      header: "PROVIDER",
      value: ({ provider }) => provider ?? "any",
      hidden: rows.every((row) => row.provider === null),
      drop: 3,
    },
    {
      key: "gpu",
      header: "GPU",
      value: ({ product, gpus }) => gpuText({ model: product, count: gpus ?? 1 }),
      paint: (text, _row, painter) => painter.bold(text),
    },
    { key: "type", header: "TYPE", value: ({ type }) => type ?? "any", hidden: rows.every((row) => row.type === null), drop: 7 },
    {
      key: "region",
      header: "REGION",
      value: ({ region }) => region ?? "any",
      hidden: rows.some((row) => row.region === null || row.zone !== null),
    },
    { key: "zone", header: "ZONE", value: ({ zone }) => zone ?? "any", hidden: rows.every((row) => row.zone === null) },
    { key: "billing", header: "BILLING", value: ({ billing }) => billing, hidden: !isMixed(rows, ({ billing }) => billing) },
  ];
  const figures: readonly Column<HistoryRow>[] = [
    { key: "min", header: "MIN", value: money((row) => row.figures.min), align: "right", drop: 1 },
    {
      key: "p50",
      header: of === "gpu" ? "P50/GPU" : "P50",
      value: money((row) => row.figures.p50),
      align: "right",
      paint: (text, { figures: { p50 }, onDemand }, painter) =>
        onDemand !== null && p50 > onDemand.micros ? painter.red(text) : painter.green(text),
    },
    { key: "p95", header: "P95", value: money((row) => row.figures.p95), align: "right" },
    { key: "max", header: "MAX", value: money((row) => row.figures.max), align: "right", drop: 1 },
    { key: "mean", header: "MEAN", value: money((row) => row.figures.mean), align: "right", hidden: true },
    { key: "last", header: "LAST", value: money((row) => row.last.micros), align: "right", drop: 6 },
    ...(limit === null
      ? []
      : [{ key: "under", header: `≤ ${moneyText(limit)}`, value: ({ under }: HistoryRow) => percent(under), align: "right" } as const]),
    {
      key: "on-demand",
      header: "ON-DEMAND",
      value: ({ onDemand }) => (onDemand === null ? "–" : moneyText(onDemand)),
      align: "right",
      drop: 5,
    },
    {
      key: "savings",
      header: "SAVES",
      value: ({ onDemand, figures: { p50 }, currency }) => (onDemand === null ? "–" : savingText({ micros: p50, currency }, onDemand)),
      align: "right",
      drop: 5,
    },
    {
      key: "above",
      header: "DEARER",
      value: ({ aboveOnDemand }) => percent(aboveOnDemand),
      align: "right",
      hidden: rows.every(({ aboveOnDemand }) => aboveOnDemand === null || aboveOnDemand === 0),
      paint: (text, { aboveOnDemand }, painter) => ((aboveOnDemand ?? 0) > 0 ? painter.red(text) : text),
    },
    { key: "volatility", header: "VOLATILITY", value: ({ figures: { volatility } }) => percent(volatility, 1), align: "right", drop: 2 },
    { key: "changes", header: "CHANGES", value: ({ figures: { changes } }) => String(changes), align: "right", drop: 4 },
    { key: "observed", header: "OBSERVED", value: ({ figures: { observedMs } }) => spanText(observedMs), align: "right", drop: 3 },
    {
      key: "gaps",
      header: "GAPS",
      value: ({ figures: { gaps } }) => (gaps.count === 0 ? "none" : `${gaps.count}, ${spanText(gaps.ms)}`),
      align: "right",
      drop: 6,
    },
    { key: "source", header: "SOURCE", value: ({ source }) => source, hidden: !isMixed(rows, ({ source }) => source), drop: 2 },
  ];
  return [...place, ...figures];
}

/** Rows of figures in the order given. */
export function priceStatsView(rows: readonly HistoryRow[], scene: StatsScene): View {
  const shown = rows.slice(0, scene.most);
  const more = rows.length - shown.length;
  const listed = (items: readonly HistoryRow[]) =>
    listView({
      schema: "spot.price-stats/1",
      items,
      toJson: (row) => rowJson(row, scene),
      columns: columnsOf(items, scene),
      empty: scene.empty,
      footer: `${scene.footer}${more === 0 ? "" : ` ${more} more: --limit ${rows.length}, or narrow it by --gpu, --zone or --type.`}`,
    });
  const render: View["render"] = (painter, width, options) => listed(shown).render(painter, width, options);
  return Object.assign(listed(rows), { beside: scene.beside, render });
}
