import { moneyText } from "../model/money.ts";
import type { Comparison } from "../pricing/comparison/compare.ts";
import { type Curves, curvesOf } from "../pricing/comparison/curves.ts";
import { HOUR_MS } from "../pricing/comparison/tariff.ts";
import { isRentable } from "../pricing/spot-terms.ts";
import {
  assumedMark,
  bigText,
  breakEvenLines,
  machinesText,
  mixLines,
  mixTotalText,
  noteLines,
  nothingText,
  originText,
  priceText,
  sourceName,
  titleText,
  totalText,
  usefulTexts,
} from "./comparison-text.ts";
import type { ComparisonParts } from "./comparison-view.ts";
import { shareText } from "./offers-view.ts";
import { barChart } from "./page/bar-chart.ts";
import { type Html, html } from "./page/html.ts";
import { lineChart } from "./page/line-chart.ts";
import { pageText } from "./page/page.ts";
import { pageTable } from "./page/page-table.ts";

/** A page of hundreds of charts is read by nobody: the first comparisons have theirs, the others their table. */
const MOST_CHARTED = 12;

function optionsTable(comparison: Comparison, { api, now }: ComparisonParts): Html {
  // What decides comes first: on a phone the rest has to be scrolled to.
  const columns = [
    { header: "Way" },
    { header: "Billing" },
    { header: "Total", align: "right", isFigureOfMerit: true },
    { header: "Saves", align: "right" },
    { header: "At sticker price", align: "right" },
    { header: "Price", align: "right" },
    { header: "A useful hour", align: "right" },
    { header: "Interrupted", align: "right" },
    { header: "Machines", align: "right" },
    { header: "Hours paid", align: "right" },
    { header: "Where" },
    { header: "Source" },
  ] as const;
  const cells = comparison.options.map((option) => {
    const { way } = option;
    const offer = way?.ranked?.offer;
    return [
      sourceName(option),
      option.billing,
      totalText(option),
      option.billing === "on-demand" && option.savings === 0 ? "–" : shareText(option.savings),
      option.billing === "spot" ? `${moneyText(option.stickerTotal)} (${shareText(option.stickerSavings)})` : "",
      way === null ? (api === null ? "" : `${moneyText(api.perMillion)} per million`) : priceText(way),
      ...(way === null ? ["", ""] : usefulTexts(way)),
      machinesText(option),
      way === null ? "–" : option.hoursBilled.toFixed(1),
      offer === undefined ? "" : `${offer.zone} ${offer.type}${isRentable(offer.provider) ? "" : " (elsewhere)"}`,
      originText(option, now),
    ];
  });
  // A column that says nothing is left away.
  const kept = columns.map((_, index) => index).filter((index) => cells.some((row) => row[index] !== ""));
  const rows = cells.map((row, index) => ({
    cells: kept.map((column) => row[column] ?? ""),
    ...(index === 0 ? { kind: "best" as const } : {}),
  }));
  return pageTable(
    `Ways to pay for ${titleText(comparison)}`,
    kept.flatMap((index) => columns[index] ?? []),
    rows,
  );
}

/** The plan by parts; only where it is a mix. */
function mixPart({ mix, currency }: Comparison): readonly Html[] {
  if (mix === null || mix.parts.length < 2) return [];
  const columns = [
    { header: "Part" },
    { header: "Cost", align: "right" },
    { header: "Way" },
    { header: "Machines", align: "right" },
    { header: "Useful machine-hours", align: "right" },
    { header: "Hours paid", align: "right" },
    { header: "Tokens", align: "right" },
  ] as const;
  const names = { base: "Base", burst: "Burst", tokens: "Tail" };
  const rows = mix.parts.map(({ role, way, machines, usefulMs, hoursPaid, tokens, cost }) => ({
    cells: [
      names[role],
      `${assumedMark(way)}${moneyText(cost)}`,
      way.name,
      machines === null ? "–" : `${role === "burst" ? "up to " : ""}${machines}`,
      role === "tokens" ? "–" : (Number(usefulMs) / Number(HOUR_MS)).toFixed(1),
      role === "tokens" ? "–" : hoursPaid.toFixed(1),
      tokens === 0n ? "–" : bigText(tokens),
    ],
  }));
  const sum = { cells: [`All, in ${currency}`, mixTotalText(mix), "", "", "", "", ""], kind: "sum" as const };
  return [html`<h3>The cheapest mix</h3>`, pageTable("The cheapest mix", columns, [...rows, sum])];
}

/** The colour of a way is its place in the list, in both charts. */
function bars(comparison: Comparison): Html {
  const { options, mix, mixSavings, currency } = comparison;
  const single = options.flatMap(({ name, way, total, worth }, index) =>
    worth === null
      ? []
      : [
          {
            label: name,
            text: `${totalText({ way, total })}${total.currency === currency ? "" : ` ≈ ${moneyText(worth)}`}`,
            value: Number(worth.micros) / 1e6,
            series: index,
          },
        ],
  );
  const isMixed = mix !== null && mix.parts.length > 1;
  const mixed = isMixed
    ? [
        {
          label: "cheapest mix",
          text: `${mixTotalText(mix)}${mixSavings === null ? "" : ` (${(mixSavings * 100).toFixed(0)}% less)`}`,
          value: Number(mix.total.micros) / 1e6,
          parts: mix.parts.map(({ way, worth }) => ({
            value: Number(worth.micros) / 1e6,
            series: Math.max(
              0,
              options.findIndex((option) => (option.way ?? undefined) === way || (option.way === null && !("gpus" in way))),
            ),
          })),
        },
      ]
    : [];
  return barChart(`What all of it costs, by what it is worth in ${currency}`, [...mixed, ...single]);
}

const AXES: Readonly<Record<Curves["of"], string>> = {
  hours: "useful hours of the job",
  "hours-a-day": "useful hours a day",
  "tokens-a-day": "tokens a day",
};

function shortText(value: number): string {
  if (value === 0) return "0";
  const [size, unit] =
    value >= 1e12 ? [1e12, "T"] : value >= 1e9 ? [1e9, "B"] : value >= 1e6 ? [1e6, "M"] : value >= 1e4 ? [1e3, "k"] : [1, ""];
  return `${Number((value / size).toPrecision(4))}${unit}`;
}

function curves(comparison: Comparison, { ask, api, rate }: ComparisonParts): readonly Html[] {
  const found = curvesOf(comparison, ask, api, rate);
  if (found === null) return [];
  return [
    lineChart({
      caption: `What each way costs when there is more or less to do, in ${comparison.currency}`,
      lines: found.lines.map(({ option, points }) => ({ label: option.name, points, series: comparison.options.indexOf(option) })),
      x: { label: AXES[found.of], to: found.to, text: shortText, ...(found.of === "hours-a-day" ? { steps: [0, 6, 12, 18, 24] } : {}) },
      y: { label: comparison.currency, text: shortText },
      marks: [{ x: found.asked, text: `The dotted line is what was asked: ${shortText(found.asked)} ${AXES[found.of]}.` }],
    }),
  ];
}

function section(comparison: Comparison, index: number, parts: ComparisonParts): readonly Html[] {
  if (comparison.options.length === 0) return [];
  const lines = [...mixLines(comparison).slice(0, 1), ...breakEvenLines(comparison)];
  const charts = index < MOST_CHARTED ? [bars(comparison), ...curves(comparison, parts)] : [];
  return [
    html`<section><h2>${titleText(comparison)}</h2>`,
    optionsTable(comparison, parts),
    ...mixPart(comparison),
    lines.length === 0 ? html`` : html`<ul>${lines.map((line) => html`<li>${line}</li>\n`)}</ul>`,
    ...charts,
    html`</section>`,
  ];
}

/** A comparison as one page that needs nothing else. */
export function comparisonPage(parts: ComparisonParts): string {
  const { comparisons, workloadText, now } = parts;
  const when = new Date(now).toISOString().replace("T", " ").slice(0, 16);
  const notes = noteLines(parts);
  return pageText({
    title: "What the work costs",
    body: [
      html`<p class="lead">For ${workloadText}. Prices of ${when} UTC; all totals are estimates.</p>`,
      ...(comparisons.every(({ options }) => options.length === 0) ? [html`<p>${nothingText(comparisons)}</p>`] : []),
      ...comparisons.flatMap((comparison, index) => section(comparison, index, parts)),
      ...(notes.length === 0 ? [] : [html`<h2>How it is reckoned</h2><ul>${notes.map((line) => html`<li>${line}</li>\n`)}</ul>`]),
    ],
    footer: `spot compare, ${when} UTC`,
  });
}
