import { moneyText } from "../model/money.ts";
import type { ComparedOption, Comparison } from "../pricing/comparison/compare.ts";
import { type Ask, demandOf, dividedUp, msFor, paceOf } from "../pricing/comparison/demand.ts";
import { HOUR_MS, MONTH_MS } from "../pricing/comparison/tariff.ts";
import type { TokenWay } from "../pricing/comparison/way.ts";
import { type ExchangeRate, ratesJson } from "../pricing/currency.ts";
import type { WorkModel } from "../pricing/effective.ts";
import { isStale } from "../pricing/price-age.ts";
import { comparisonJson, demandJson } from "./comparison-json.ts";
import {
  breakEvenLines,
  machinesText,
  mixLines,
  noteLines,
  nothingText,
  originText,
  priceText,
  sourceName,
  titleText,
  totalText,
  usefulTexts,
} from "./comparison-text.ts";
import { wrap } from "./detail-view.ts";
import { workModelJson } from "./effective-view.ts";
import { shareText } from "./offers-view.ts";
import { type SourceOfPrices, sourcesJson } from "./price-sources.ts";
import type { View } from "./view.ts";

export interface ComparisonParts {
  readonly comparisons: readonly Comparison[];
  readonly ask: Ask;
  readonly api: TokenWay | null;
  /** How the workload was asked for, for people: "a job of 24 useful hours". */
  readonly workloadText: string;
  readonly work: WorkModel;
  readonly rate: ExchangeRate;
  readonly sources: readonly SourceOfPrices[];
  /** Epoch milliseconds. */
  readonly now: number;
}

/** Useful hours of one machine in all, and how many months they or their deadline go on for. */
function workloadJson(ask: Ask) {
  const demand = demandOf(ask, 1);
  const pace = paceOf({ gpus: 1, tokensPerSecond: null }, demand);
  const ms = ask.job?.ms ?? demand.blocks.reduce((sum, { units }) => sum + msFor(pace, units), 0n) * demand.days;
  const months = ask.job === null ? 1n : dividedUp(ask.job.deadlineMs ?? ask.job.ms, MONTH_MS);
  return { hours: Number(ms) / Number(HOUR_MS), months: Number(months) };
}

interface Row {
  readonly gpu: string;
  readonly option: ComparedOption;
  readonly best: boolean;
}

function rowsOf(comparisons: readonly Comparison[]): readonly Row[] {
  return comparisons.flatMap((comparison) =>
    comparison.options.map((option, index) => ({
      gpu: index === 0 ? titleText(comparison) : "",
      option,
      best: index === 0,
    })),
  );
}

const COLUMNS = [
  { header: "GPU", align: "left", drop: 0 },
  { header: "BILLING", align: "left", drop: 0 },
  { header: "PROVIDER", align: "left", drop: 0 },
  { header: "ZONE", align: "left", drop: 5 },
  { header: "TYPE", align: "left", drop: 6 },
  { header: "PRICE", align: "right", drop: 0 },
  { header: "EFFECTIVE", align: "right", drop: 4 },
  { header: "INTERRUPTED", align: "right", drop: 4 },
  { header: "MACHINES", align: "right", drop: 5 },
  { header: "HOURS PAID", align: "right", drop: 3 },
  { header: "STICKER TOTAL", align: "right", drop: 3 },
  { header: "SAVES", align: "right", drop: 3 },
  { header: "TOTAL", align: "right", drop: 0 },
  { header: "SAVES", align: "right", drop: 1 },
  { header: "SOURCE", align: "left", drop: 0 },
] as const;
const TOTAL = 12;

function cells({ gpu, option }: Row, { api, now }: ComparisonParts): readonly string[] {
  const { way, billing } = option;
  const offer = way?.ranked?.offer;
  const isBaseline = billing === "on-demand" && option.savings === 0;
  const isSpot = billing === "spot";
  return [
    gpu,
    billing,
    sourceName(option),
    offer?.zone ?? "",
    offer?.type ?? "",
    way === null ? `${api === null ? "" : moneyText(api.perMillion)}/M` : priceText(way),
    ...(way === null ? ["", ""] : usefulTexts(way)),
    machinesText(option),
    way === null ? "–" : option.hoursBilled.toFixed(1),
    isSpot ? moneyText(option.stickerTotal) : "",
    isSpot ? shareText(option.stickerSavings) : "",
    totalText(option),
    isBaseline ? "–" : shareText(option.savings),
    originText(option, now),
  ];
}

/** Columns that say nothing in any row are left away. */
function tableOf(rows: readonly Row[], parts: ComparisonParts) {
  const texts = rows.map((row) => cells(row, parts));
  const kept = COLUMNS.map((_, index) => index).filter(
    (index) => texts.some((row) => !["", "–", "given"].includes(row[index] ?? "")) || index === TOTAL,
  );
  return {
    columns: kept.map((index) => COLUMNS[index] ?? COLUMNS[0]),
    rows: texts.map((row) => kept.map((index) => row[index] ?? "")),
    total: kept.indexOf(TOTAL),
  };
}

/** What is said below the table of each comparison; its name only where there are several. */
function detailLines(comparisons: readonly Comparison[]): readonly string[] {
  return comparisons.flatMap((comparison) => {
    const title = comparisons.length > 1 ? `${titleText(comparison)}: ` : "";
    // Of many comparisons the table says who is the cheapest.
    const isMixed = (comparison.mix?.parts.length ?? 0) > 1;
    const mix = (comparisons.length > 1 && !isMixed ? [] : mixLines(comparison)).map((line) =>
      line.startsWith("- ") ? line : `${title}${line}`,
    );
    return [...breakEvenLines(comparison).map((line) => `${title}${line}`), ...mix];
  });
}

/** Every way to pay for a workload, side by side; `spot.comparison/1`. */
export function comparisonView(parts: ComparisonParts): View {
  const rows = rowsOf(parts.comparisons);
  return {
    schema: "spot.comparison/1",
    data: {
      workload: workloadJson(parts.ask),
      demand: demandJson(parts.ask),
      assumptions: workModelJson(parts.work),
      rates: ratesJson(parts.rate, Object.keys(parts.rate.perUsd)),
      comparisons: parts.comparisons.map(comparisonJson),
    },
    beside: parts.sources.length === 0 ? {} : { sources: sourcesJson(parts.sources, parts.now) },
    async render(painter, width, options) {
      if (rows.length === 0) return [nothingText(parts.comparisons), ...noteLines(parts)].join("\n");
      const { tableText } = await import("./table.ts");
      const { columns, rows: texts, total } = tableOf(rows, parts);
      const table = tableText(
        {
          columns,
          rows: texts,
          paint: (text, row, column) => {
            const { best, option } = rows[row] ?? {};
            if (best !== true || column !== total) return text;
            const offer = option?.way?.ranked?.offer;
            return painter[offer !== undefined && isStale(offer, parts.now) ? "yellow" : "green"](text);
          },
        },
        painter,
        width,
        options?.header ?? true,
      );
      const wrapped = (lines: readonly string[]) => lines.flatMap((line) => wrap(line, width));
      const notes = wrapped(noteLines(parts)).map((line) => painter.dim(line));
      const details = wrapped(detailLines(parts.comparisons));
      return [`For ${parts.workloadText}:`, "", table, "", ...details, ...(details.length > 0 ? [""] : []), ...notes].join("\n").trimEnd();
    },
  };
}
