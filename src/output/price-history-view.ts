import { gpuText } from "../model/gpu.ts";
import { productName } from "../model/gpu-names.ts";
import type { PriceSeries } from "../model/listed-price.ts";
import { type Money, moneyJson, moneyText, savingsShare } from "../model/money.ts";
import type { PriceFigures, PriceSteps } from "../pricing/history.ts";
import { type PricedThing, priceOf } from "../pricing/history-groups.ts";
import { csvText } from "./csv-text.ts";
import { wrap } from "./detail-view.ts";
import { gpuJson } from "./json.ts";
import { listView } from "./list-view.ts";
import { pricePlot } from "./price-plot.ts";
import { ageText } from "./price-sources.ts";
import { sparkline } from "./sparkline.ts";
import type { Column, ListData, Painter, View } from "./view.ts";

/** A series, and what is drawn of it: steps, figures and the on-demand price are of one of `of`. */
export interface DrawnSeries {
  readonly series: PriceSeries;
  readonly steps: PriceSteps;
  readonly figures: PriceFigures;
  readonly last: bigint;
  readonly onDemand: bigint | null;
}

export interface HistoryScene {
  readonly of: PricedThing;
  /** The time axis, in epoch milliseconds. */
  readonly since: number;
  readonly until: number;
  /** False where the terminal knows ASCII only. */
  readonly unicode: boolean;
  /** A plot of each series instead of a line for each. */
  readonly plot: boolean;
  /** How many series people see. */
  readonly limit: number;
  /** A sentence on the order, where it took an exchange rate; empty otherwise. */
  readonly order: string;
  readonly empty: string;
  readonly beside: Readonly<Record<string, unknown>>;
}

const timeText = (at: number) => new Date(at).toISOString();

/** `spot.price-history/1`, one series: every observed run, also the one that held when the time asked about began. */
function seriesJson({ series, onDemand }: DrawnSeries, of: PricedThing): unknown {
  const { provider, region, zone, type, gpu, billing, source, currency, runs } = series;
  const rate = (micros: bigint) => ({ ...moneyJson({ micros, currency }), per: "hour", of });
  return {
    ...{ provider, region, zone, type, gpu: gpuJson(gpu), billing, source },
    onDemandPrice: onDemand === null ? null : rate(onDemand),
    runs: runs.map(({ from, to, micros }) => ({ from: timeText(from), to: timeText(to), price: rate(priceOf(micros, gpu, of)) })),
  };
}

/** One line for each run. */
export function historyCsv(rows: readonly DrawnSeries[], of: PricedThing): string {
  const header = ["provider", "region", "zone", "type", "gpu", "gpus", "billing", "source", "from", "to", "price", "currency", "of"];
  return csvText(
    header,
    rows.flatMap(({ series }) => {
      const { provider, region, zone, type, gpu, billing, source, currency } = series;
      return series.runs.map(({ from, to, micros }) => [
        ...[provider, region, zone, type, productName(gpu), gpu.count, billing, source, timeText(from), timeText(to)],
        ...[moneyJson({ micros: priceOf(micros, gpu, of), currency }).amount, currency, of],
      ]);
    }),
  );
}

/** "31%", "-12%" where spot is the dearer one. */
export function savingText(price: Money, onDemand: Money): string {
  const share = savingsShare(price, onDemand);
  return share === null ? "–" : `${Math.round(share * 100)}%`;
}

function columnsOf(
  rows: readonly DrawnSeries[],
  { of, since, until, unicode }: HistoryScene,
  cells: number,
): readonly Column<DrawnSeries>[] {
  const text = ({ series }: DrawnSeries, micros: bigint) => moneyText({ micros, currency: series.currency });
  const oneSource = new Set(rows.map(({ series }) => series.source)).size === 1;
  return [
    { key: "provider", header: "PROVIDER", value: ({ series }) => series.provider, drop: 4 },
    {
      key: "gpu",
      header: "GPU",
      value: ({ series }) => inSigns(gpuText({ model: productName(series.gpu), count: series.gpu.count }), unicode),
      paint: (name, _row, painter) => painter.bold(name),
    },
    { key: "type", header: "TYPE", value: ({ series }) => series.type, drop: 6 },
    { key: "region", header: "REGION", value: ({ series }) => series.region, hidden: true },
    { key: "zone", header: "ZONE", value: ({ series }) => series.zone },
    {
      key: "billing",
      header: "BILLING",
      value: ({ series }) => series.billing,
      hidden: new Set(rows.map((row) => row.series.billing)).size === 1,
    },
    {
      key: "history",
      header: "HISTORY",
      value: ({ steps }) => sparkline(steps.held, { from: since, to: until, cells, unicode }),
      paint: (line, _row, painter) => painter.cyan(line),
    },
    { key: "low", header: "LOW", value: (row) => text(row, row.figures.min), align: "right", drop: 1 },
    { key: "high", header: "HIGH", value: (row) => text(row, row.figures.max), align: "right", drop: 1 },
    {
      key: "last",
      header: of === "gpu" ? "LAST/GPU" : "LAST",
      value: (row) => text(row, row.last),
      align: "right",
      paint: (price, { last, onDemand }, painter) => (onDemand !== null && last > onDemand ? painter.red(price) : painter.green(price)),
    },
    {
      key: "on-demand",
      header: "ON-DEMAND",
      value: (row) => (row.onDemand === null ? inSigns("–", unicode) : text(row, row.onDemand)),
      align: "right",
      drop: 5,
    },
    {
      key: "savings",
      header: "SAVES",
      value: ({ series: { currency }, last, onDemand }) =>
        onDemand === null ? inSigns("–", unicode) : savingText({ micros: last, currency }, { micros: onDemand, currency }),
      align: "right",
      drop: 5,
    },
    { key: "changes", header: "CHANGES", value: ({ figures }) => String(figures.changes), align: "right", drop: 7 },
    { key: "seen", header: "SEEN", value: ({ figures }) => `${ageText(until - figures.to)} ago`, align: "right", drop: 3 },
    { key: "source", header: "SOURCE", value: ({ series }) => series.source, hidden: oneSource, drop: 2 },
  ];
}

/** For a terminal that knows ASCII only. */
function inSigns(text: string, unicode: boolean): string {
  return unicode ? text : text.replaceAll("×", "x").replaceAll("–", "-");
}

function cellsFor(width: number): number {
  if (width >= 140) return 40;
  if (width >= 100) return 30;
  return width >= 80 ? 20 : 12;
}

const NO_LIST: ListData = { keys: [], headers: {}, rows: [] };

const OF_WHAT = { gpu: "per GPU-hour", instance: "per instance-hour" };

function figuresLine({ series: { currency }, figures, last, onDemand }: DrawnSeries, until: number): string {
  const text = (micros: bigint) => moneyText({ micros, currency });
  const { min, p50, p95, max, to } = figures;
  const beside =
    onDemand === null
      ? ""
      : last > onDemand
        ? `; on demand ${text(onDemand)}: spot is dearer`
        : `; on demand ${text(onDemand)}, so spot saves ${savingText({ micros: last, currency }, { micros: onDemand, currency })}`;
  return `low ${text(min)}  p50 ${text(p50)}  p95 ${text(p95)}  high ${text(max)}  last ${text(last)} (${ageText(until - to)} ago)${beside}`;
}

/** Wider ones say no more; what is read by a program has no width of its own. */
const WIDEST_PLOT = 120;

function plotOf(row: DrawnSeries, { of, since, until, unicode }: HistoryScene, painter: Painter, width: number): string {
  const { provider, zone, type, gpu, billing, currency, source } = row.series;
  const name = inSigns(gpuText({ model: productName(gpu), count: gpu.count }), unicode);
  const title = `${provider} ${zone}  ${type}  ${billing}, ${OF_WHAT[of]}${source === "live" ? "" : `  (${source})`}`;
  const drawn = pricePlot(
    row.steps.held,
    { from: since, to: until, width: Math.min(width, WIDEST_PLOT), unicode, currency, level: row.onDemand },
    painter,
  );
  return [
    ...wrap(`${name}  ${title}`, width).map((line, index) => (index === 0 ? line.replace(name, () => painter.bold(name)) : line)),
    ...(drawn === "" ? [] : [drawn]),
    ...wrap(figuresLine(row, until), width).map((line) => painter.dim(line)),
  ].join("\n");
}

/** Series in the order given: a line with a sparkline for each, or a plot. */
export function priceHistoryView(rows: readonly DrawnSeries[], scene: HistoryScene): View {
  const shown = rows.slice(0, scene.limit);
  const more = rows.length - shown.length;
  const left = more === 0 ? "" : ` ${more} more: --limit ${rows.length}, or narrow it by --gpu, --zone or --type.`;
  const isPlot = scene.plot || rows.length === 1;
  const footer = isPlot
    ? `From ${timeText(scene.since).slice(0, 16)} to ${timeText(scene.until).slice(0, 16)} UTC; blank where nothing was observed.${left}`
    : `Each line goes from its LOW to its HIGH, ${OF_WHAT[scene.of]}, since ${timeText(scene.since).slice(0, 16)} UTC; ${scene.unicode ? "·" : "."} where nothing was observed.${left}${scene.order}`;
  const listed = (items: readonly DrawnSeries[], width: number) =>
    listView({
      schema: "spot.price-history/1",
      items,
      toJson: (row) => seriesJson(row, scene.of),
      columns: columnsOf(items, scene, cellsFor(width)),
      empty: scene.empty,
      footer,
    });
  const render: View["render"] = (painter, width, options) => {
    if (rows.length === 0 || !isPlot) return listed(shown, width).render(painter, width, options);
    const plots = shown.map((row) => plotOf(row, scene, painter, width));
    return [
      ...plots,
      wrap(footer, width)
        .map((line) => painter.dim(line))
        .join("\n"),
    ].join("\n\n");
  };
  // Made when asked for: people see a few of them.
  return {
    schema: "spot.price-history/1",
    beside: scene.beside,
    get data() {
      return rows.map((row) => seriesJson(row, scene.of));
    },
    get list() {
      return listed(rows, 80).list ?? NO_LIST;
    },
    render,
  };
}
