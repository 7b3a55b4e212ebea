import { type Money, moneyText } from "../model/money.ts";
import type { Summary, SummaryRow } from "../pricing/summary.ts";
import { basisOf, groupText, HOUR_MS, hoursText, lostOf, paidCell, paidText, storageOf } from "./cost-amounts.ts";
import type { CostReport } from "./cost-report.ts";
import { costParagraphs, nothingText, signedText } from "./cost-text.ts";
import { barChart } from "./page/bar-chart.ts";
import { type Html, html } from "./page/html.ts";
import { lineChart } from "./page/line-chart.ts";
import { pageText } from "./page/page.ts";
import { pageTable } from "./page/page-table.ts";

/** So many bars and rows are drawn of each: more of them nobody reads on a page. */
const MOST_BARS = 12;
const MOST_ROWS = 100;
const DAY_MS = 24 * HOUR_MS;

const units = ({ micros }: Money) => Number(micros) / 1e6;
const left = <Item>(items: readonly Item[], most: number, what: string): Html =>
  items.length > most ? html`<p class="dim">${items.length - most} more ${what} are left out here; --json has all.</p>` : html``;

/** The whole page of `spot cost --html`. `days`: the same period by day. */
export function costPage(report: CostReport, days: Summary): string {
  const { by, summary, calendar, since, until, now } = report;
  const [from, to] = [since === null ? "the beginning" : when(since, report), until === null || until >= now ? "now" : when(until, report)];
  const currencies = summary.totals.map(({ currency }) => currency);
  return pageText({
    title: "What the GPUs cost",
    body: [
      html`<p class="lead">From ${from} to ${to} (${calendar.zone}), by ${by}.</p>`,
      ...[...(currencies.length === 0 ? [nothingText(report)] : []), ...costParagraphs(report)].map((text) => html`<p>${text}</p>`),
      ...currencies.flatMap((currency) => [barsOf(report, currency), linesOf(report, days, currency)]),
      html`<h2>By ${by}</h2>`,
      rowsTable(report),
      left(summary.rows, MOST_ROWS, "rows"),
      ...(by === "day" ? [] : [html`<h2>By day</h2>`, daysTable(days, calendar.zone), left(days.rows, MOST_ROWS, "days")]),
      ...reconciledTable(report),
    ],
    footer: `spot cost --html, made ${new Date(now).toISOString()}. ~ marks what is not all billed, but estimated from price and time; on demand and expected are always reckoned.`,
  });
}

function when(at: number, { calendar }: CostReport): string {
  return new Intl.DateTimeFormat("sv-SE", { timeZone: calendar.zone, dateStyle: "short", timeStyle: "short" }).format(at);
}

/** What was paid, by what it was paid for; the dearest first, days and months in their order. */
function barsOf({ by, summary }: CostReport, currency: string): Html {
  const own = summary.rows.filter((row) => row.currency === currency);
  const isInTime = by === "day" || by === "month";
  const ranked = isInTime ? own.slice(-MOST_BARS) : own.toSorted((a, b) => (a.paid.micros > b.paid.micros ? -1 : 1)).slice(0, MOST_BARS);
  const bars = ranked.map((row) => {
    const lost = units(lostOf(row));
    const parts = [
      { value: units(row.gpu) - lost, series: 0 },
      { value: lost, series: 1 },
      { value: units(storageOf(row)), series: 2 },
    ];
    const saved = row.savings === null || row.gpuMs === 0 ? "" : `, ${Math.round(row.savings * 100)}% saved`;
    return { label: groupText(row), text: `${paidText(row)}${saved}`, value: units(row.paid), parts };
  });
  const what = own.length > MOST_BARS ? `, the ${isInTime ? "last" : "dearest"} ${MOST_BARS} of ${own.length}` : "";
  return html`${barChart(`Paid in ${currency} by ${by}${what}: GPU time, then what was lost to interruptions, then storage`, bars)}
<ul class="legend">${["GPU time", "lost to interruptions", "storage"].map(
    (label, series) =>
      html`<li><svg viewBox="0 0 26 10" aria-hidden="true"><rect class="f${series}" width="26" height="10"/></svg>${label}</li>`,
  )}</ul>`;
}

/** What had been paid by the end of each day, beside what on-demand would have cost until then. */
function linesOf({ calendar, forecast, until, now }: CostReport, days: Summary, currency: string): Html {
  const own = days.rows.filter((row) => row.currency === currency);
  const [first] = own;
  if (first === undefined) return html``;
  const begin = calendar.beginOf(first.key);
  const at = (row: SummaryRow) => (Math.min(calendar.dayOf(calendar.beginOf(row.key)).to, until ?? now, now) - begin) / DAY_MS;
  const running = (amountOf: (row: SummaryRow) => Money) => {
    let sum = 0n;
    const points = own.map((row) => {
      sum += amountOf(row).micros;
      return { x: at(row), y: Number(sum) / 1e6 };
    });
    return [{ x: 0, y: 0 }, ...points];
  };
  const paid = running((row) => row.paid);
  const isCompared = own.every(({ onDemand }) => onDemand !== null);
  const month = forecast.currencies.find((one) => one.currency === currency);
  const last = paid.at(-1) ?? { x: 0, y: 0 };
  // From what was paid by a moment that is over nothing leads to what is expected.
  const isForetold =
    month !== undefined && month.total.micros > month.paid.micros && (until === null || until >= now) && now - begin <= 62 * DAY_MS;
  const end = isForetold ? (month.to - begin) / DAY_MS : last.x;
  const coming = (month?.course ?? []).map((one) => ({ x: (one.at - begin) / DAY_MS, y: last.y + units(one.amount) }));
  const lines = [
    { label: "paid", points: paid, series: 0 },
    ...(isCompared ? [{ label: "on demand", points: running((row) => row.onDemand ?? row.paid), series: 1 }] : []),
    ...(isForetold ? [{ label: "expected", points: [last, ...coming], series: 8 }] : []),
  ];
  // Of few days the axis has steps of hours.
  const clock = new Intl.DateTimeFormat("sv-SE", { timeZone: calendar.zone, dateStyle: "short", timeStyle: "short" });
  const dateText = (day: number) => clock.format(begin + day * DAY_MS).slice(5, end < 4 ? 16 : 10);
  return lineChart({
    caption: `Paid in ${currency} since ${first.key}`,
    lines,
    x: { label: calendar.zone, to: Math.max(end, 1 / 24), text: dateText },
    y: { label: `${currency} in all`, text: (value) => moneyText({ micros: BigInt(Math.round(value * 1e6)), currency }) },
  });
}

function amountCells(row: SummaryRow): readonly string[] {
  return [
    hoursText(row.gpuMs),
    paidText(row),
    ...(["gpu", "storage", "asleep", "lost"] as const).map((name) => paidCell(row, name)),
    row.onDemand === null ? "?" : moneyText(row.onDemand),
    row.savings === null ? "?" : `${Math.round(row.savings * 100)}%`,
    basisOf(row),
  ];
}

const AMOUNTS = ["GPU hours", "Paid", "for GPUs", "Storage", "while asleep", "Lost", "On demand", "Saved"];

function tableOf(caption: string, head: string, rows: readonly SummaryRow[], totals: readonly SummaryRow[]): Html {
  const columns = [
    { header: head },
    ...AMOUNTS.map((header) => ({ header, align: "right" as const, isFigureOfMerit: header === "Saved" })),
    { header: "Basis" },
  ];
  const sums = totals.map((row) => ({ cells: [`Together, ${row.currency}`, ...amountCells(row)], kind: "sum" as const }));
  return pageTable(caption, columns, [...rows.map((row) => ({ cells: [groupText(row), ...amountCells(row)] })), ...sums]);
}

function rowsTable({ by, summary }: CostReport): Html {
  return tableOf(`What was paid by ${by}`, by, summary.rows.slice(0, MOST_ROWS), summary.totals);
}

function daysTable(days: Summary, zone: string): Html {
  return tableOf(`What was paid by day in ${zone}`, "day", days.rows.slice(-MOST_ROWS), days.totals);
}

/** What was billed beside what price × time says of it. */
function reconciledTable(report: CostReport): readonly Html[] {
  const own = report.intervals.filter(({ difference }) => difference !== null);
  if (own.length === 0) return [];
  const figure = (header: string) => ({ header, align: "right" as const });
  const columns = [
    { header: "instance" },
    { header: "provider" },
    // As figures: in one line.
    figure("from"),
    figure("to"),
    figure("price × time"),
    figure("billed"),
    figure("difference"),
  ];
  const rows = own.slice(-MOST_ROWS).map(({ record, to, estimated, billed, difference }) => ({
    cells: [
      `${record.instance}${record.kind === "disk" ? " (volume)" : ""}`,
      record.provider,
      when(record.from, report),
      when(to, report),
      estimated === null ? "" : moneyText(estimated),
      moneyText(billed),
      difference === null ? "" : signedText(difference),
    ],
  }));
  return [
    html`<h2>Billed against price × time</h2>`,
    pageTable("What was billed, and what price and time say", columns, rows),
    left(own, MOST_ROWS, "intervals"),
  ];
}
