import { type Money, moneyText } from "../model/money.ts";
import { scopeName } from "../pricing/budget-scope.ts";
import type { Calendar } from "../pricing/calendar.ts";
import type { ExpectedEnd, Forecast } from "../pricing/forecast.ts";
import { LOSS_KINDS } from "../pricing/losses.ts";
import type { SummaryRow } from "../pricing/summary.ts";
import { basisOf, isSome, lostOf, markedText, paidText, storageOf } from "./cost-amounts.ts";
import type { CostReport } from "./cost-report.ts";

const percent = (share: number) => `${Math.round(share * 100)}%`;

/** `+$0.0021`, `-$1.20` */
export function signedText(amount: Money): string {
  return amount.micros > 0n ? `+${moneyText(amount)}` : moneyText(amount);
}

/** `2026-11-25 14:00`, by the clock of that zone. */
function localText(at: number, { zone }: Calendar): string {
  return new Intl.DateTimeFormat("sv-SE", { timeZone: zone, dateStyle: "short", timeStyle: "short" }).format(at);
}

function shareOf(part: bigint, whole: bigint): number {
  return whole === 0n ? 0 : Number((part * 10_000n) / whole) / 10_000;
}

/** One sentence for each currency: sums of different currencies are never added. */
function totalText(row: SummaryRow): string {
  const { onDemand: against, paid: known } = row.comparable;
  const together = `Together ${paidText(row)}`;
  // Disks cost the same on demand: without a GPU beside them there is nothing to compare.
  if (against.micros <= storageOf(row).micros) return `${together}.`;
  if (row.onDemand !== null)
    return `${together}, against ${moneyText(row.onDemand)} on demand${row.savings === null ? "" : ` (${percent(row.savings)} saved)`}.`;
  const share = shareOf(against.micros - known.micros, against.micros);
  return `${together}. Of ${paidText(row, "comparable")} of it the on-demand price is known: ${moneyText(against)} (${percent(share)} saved).`;
}

const LOST = {
  work: "for work that was not saved",
  wakes: "for restores that did not serve",
  restarts: "until another machine served",
} as const;

function lostText(row: SummaryRow): string {
  if (!isSome(lostOf(row))) return "";
  const parts = LOSS_KINDS.flatMap((kind) => (isSome(row.lost[kind]) ? [`${paidText(row, kind)} ${LOST[kind]}`] : []));
  const { onDemandUseful, paid } = row.comparable;
  const useful = isSome(onDemandUseful)
    ? ` Against on demand without those hours, ${percent(shareOf(onDemandUseful.micros - paid.micros, onDemandUseful.micros))} is saved.`
    : "";
  return `Lost to interruptions: ${parts.join(", ")}.${useful}`;
}

/** At most: what the machines did may be in files of their own, or may have been worth nothing. */
function mayBeLostText(row: SummaryRow): string {
  const { paid, machines } = row.mayBeLost;
  if (!isSome(paid)) return "";
  const of = `${machines} ${machines === 1 ? "machine that was" : "machines that were"} taken`;
  return `${isSome(lostOf(row)) ? "Perhaps more" : "Perhaps lost to interruptions"}, at most ${paidText(row, "mayBeLost")}: nothing was sealed of ${of}.`;
}

function storageText(row: SummaryRow): string {
  if (!isSome(storageOf(row))) return "";
  const { asleep, kept } = row.storage;
  const parts = [
    ...(isSome(asleep) ? [`${paidText(row, "asleep")} while its instance slept or waited`] : []),
    ...(isSome(kept) ? [`${paidText(row, "kept")} while no instance had it`] : []),
  ];
  return `Storage: ${paidText(row, "storage")}${parts.length === 0 ? "" : `, of it ${parts.join(" and ")}`}.`;
}

function reconciledText(report: CostReport): string {
  const differences = report.summary.totals.flatMap(({ difference, currency }) => {
    if (difference === null) return [];
    const count = report.intervals.filter((one) => one.difference?.currency === currency).length;
    const of = `${count} billed ${count === 1 ? "interval" : "intervals"} cost`;
    if (!isSome(difference)) return [`${of} what price × time says.`];
    const by = { micros: difference.micros < 0n ? -difference.micros : difference.micros, currency };
    return [`${of} ${moneyText(by)} ${difference.micros < 0n ? "less" : "more"} than price × time says.`];
  });
  const silent = (report.heard?.silent ?? []).map(({ provider }) => `${provider} did not say what it billed.`);
  return [...differences, ...unmatchedTexts(report), ...silent].join(" ");
}

/** What is in a bill and in no row. */
function unmatchedTexts({ heard }: CostReport): readonly string[] {
  const unmatched = heard?.unmatched ?? [];
  return [...new Set(unmatched.map(({ provider }) => provider))].map((provider) => {
    const sums = new Map<string, bigint>();
    for (const { amount } of unmatched.filter((item) => item.provider === provider))
      sums.set(amount.currency, (sums.get(amount.currency) ?? 0n) + amount.micros);
    const amounts = [...sums].map(([currency, micros]) => moneyText({ micros, currency })).join(" and ");
    return `${amounts} of ${provider}'s bill is nothing that spot knows of (spot orphans).`;
  });
}

function unpricedText({ unpriced }: CostReport): string {
  if (unpriced.length === 0) return "";
  const disks = unpriced.map(({ name, provider, sizeGb, kind }) => {
    const size = sizeGb === null ? "" : `, ${sizeGb} GB`;
    return kind === "volume" ? `volume ${name} (${provider}${size})` : `the disk of ${name}, which sleeps (${provider}${size})`;
  });
  return `Not counted, because nobody says the price: ${disks.join("; ")}.`;
}

function endText({ instance, at, why }: ExpectedEnd, calendar: Calendar): string {
  const when = localText(at, calendar);
  return why === "ttl" ? `${instance} ends by its TTL on ${when}` : `${instance} is put to sleep by ${scopeName(why.budget)} on ${when}`;
}

/** To come is always reckoned. */
function monthText({ paid, isPaidBilled, gpu, storage, total, range, month }: Forecast, zone: string): string {
  const isOne = range === null || moneyText(range.low) === moneyText(range.high);
  const amounts = isOne ? "" : ` (~${moneyText(range.low)} to ~${moneyText(range.high)} at the spot prices seen in 30 days)`;
  const rest = [
    ...(isSome(gpu) ? [`~${moneyText(gpu)} for what runs`] : []),
    ...(isSome(storage) ? [`~${moneyText(storage)} for storage`] : []),
  ];
  const more = rest.length === 0 ? "nothing runs and nothing is stored" : `${rest.join(" and ")} to come`;
  const sum = markedText(total, isPaidBilled && rest.length === 0);
  return `Expected for ${month} (${zone}): ${sum}${amounts}; ${markedText(paid, isPaidBilled)} until now, ${more}.`;
}

/** At most so many instances are named. */
const MOST_NAMES = 5;

function named(texts: readonly string[], separator: string): string {
  const rest = texts.length - MOST_NAMES;
  return `${texts.slice(0, MOST_NAMES).join(separator)}${rest > 0 ? `${separator}${rest} more` : ""}`;
}

function forecastText({ forecast, calendar }: CostReport): string {
  const { currencies, ends, waiting } = forecast;
  const sentences = currencies.map((one) => monthText(one, calendar.zone));
  if (ends.length > 0)
    sentences.push(
      `${named(
        ends.map((end) => endText(end, calendar)),
        "; ",
      )}.`,
    );
  if (waiting.length > 0) sentences.push(`Nothing is reckoned for what waits for a machine: ${named(waiting, ", ")}.`);
  return sentences.join(" ");
}

/** Instead of a table without rows. */
export function nothingText({ since, until }: CostReport): string {
  return since === null && until === null ? "Nothing was paid for yet." : "Nothing was paid for in this time.";
}

/** What rows alone do not say, for who sees nothing but them: one sentence each. */
export function omissions(report: CostReport): readonly string[] {
  const { rows } = report.summary;
  const unknown = rows.filter(({ onDemand }) => onDemand === null).length;
  const compared = unknown === 0 ? "" : `The on-demand price is not known in ${unknown} of ${rows.length} rows: they say nothing of it.`;
  return [...unmatchedTexts(report), unpricedText(report), compared].filter((text) => text !== "");
}

/** What there is to say below the table, one paragraph each. */
export function costParagraphs(report: CostReport): readonly string[] {
  const { summary, calendar, by, budget } = report;
  const { totals } = summary;
  const isEstimated = totals.some((row) => basisOf(row) !== "billed");
  const isInTime = totals.length > 0 && (by === "day" || by === "month");
  const together = [
    ...totals.map(totalText),
    ...(isEstimated ? ["~ is estimated from price and time, not billed yet."] : []),
    ...(isInTime ? [`Days are those of ${calendar.zone}.`] : []),
    ...(budget === null ? [] : [budget]),
  ].join(" ");
  const paragraphs = [
    together,
    totals
      .flatMap((row) => [lostText(row), mayBeLostText(row)])
      .filter(Boolean)
      .join(" "),
    totals.map(storageText).filter(Boolean).join(" "),
    reconciledText(report),
    unpricedText(report),
    forecastText(report),
  ];
  return paragraphs.filter((text) => text !== "");
}
