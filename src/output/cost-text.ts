import { type Money, moneyText } from "../model/money.ts";
import { scopeName } from "../pricing/budget-scope.ts";
import type { Calendar } from "../pricing/calendar.ts";
import type { ExpectedEnd, Forecast } from "../pricing/forecast.ts";
import type { SummaryRow } from "../pricing/summary.ts";
import { type CostReport, lostOf, storageOf } from "./cost-report.ts";

const percent = (share: number) => `${Math.round(share * 100)}%`;
const isSome = ({ micros }: Money) => micros !== 0n;

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
function totalText({ paid, onDemand, savings, comparable }: SummaryRow): string {
  if (onDemand !== null)
    return `Together ${moneyText(paid)}, against ${moneyText(onDemand)} on demand${savings === null ? "" : ` (${percent(savings)} saved)`}.`;
  const { paid: known, onDemand: against } = comparable;
  if (!isSome(against)) return `Together ${moneyText(paid)}.`;
  const share = shareOf(against.micros - known.micros, against.micros);
  return `Together ${moneyText(paid)}. Of ${moneyText(known)} of it the on-demand price is known: ${moneyText(against)} (${percent(share)} saved).`;
}

const LOST = {
  work: "for work that was done again",
  wakes: "for restores that did not serve",
  restarts: "until another machine served",
} as const;

function lostText(row: SummaryRow): string {
  const lost = lostOf(row);
  if (!isSome(lost)) return "";
  const parts = Object.entries(LOST).flatMap(([kind, words]) => {
    const amount = row.lost[kind as keyof typeof LOST];
    return isSome(amount) ? [`${moneyText(amount)} ${words}`] : [];
  });
  const { onDemandUseful, paid } = row.comparable;
  const useful = isSome(onDemandUseful)
    ? ` Against on demand without those hours, ${percent(shareOf(onDemandUseful.micros - paid.micros, onDemandUseful.micros))} is saved.`
    : "";
  return `Lost to interruptions: ${parts.join(", ")}.${useful}`;
}

function storageText(row: SummaryRow): string {
  if (!isSome(storageOf(row))) return "";
  const { asleep, kept } = row.storage;
  const parts = [
    ...(isSome(asleep) ? [`${moneyText(asleep)} while its instance slept or waited`] : []),
    ...(isSome(kept) ? [`${moneyText(kept)} while no instance had it`] : []),
  ];
  return `Storage: ${moneyText(storageOf(row))}${parts.length === 0 ? "" : `, of it ${parts.join(" and ")}`}.`;
}

function reconciledText(report: CostReport): string {
  const sentences = report.summary.totals.flatMap(({ difference, currency }) => {
    if (difference === null) return [];
    const count = report.intervals.filter((one) => one.difference?.currency === currency).length;
    const of = `${count} billed ${count === 1 ? "interval" : "intervals"} cost`;
    if (!isSome(difference)) return [`${of} what price × time says.`];
    const by = { micros: difference.micros < 0n ? -difference.micros : difference.micros, currency };
    return [`${of} ${moneyText(by)} ${difference.micros < 0n ? "less" : "more"} than price × time says.`];
  });
  const { unmatched = [], silent = [] } = report.heard ?? {};
  for (const provider of new Set(unmatched.map((item) => item.provider))) {
    const own = unmatched.filter((item) => item.provider === provider);
    const sums = new Map<string, bigint>();
    for (const { amount } of own) sums.set(amount.currency, (sums.get(amount.currency) ?? 0n) + amount.micros);
    const amounts = [...sums].map(([currency, micros]) => moneyText({ micros, currency })).join(" and ");
    sentences.push(`${amounts} of ${provider}'s bill is nothing that spot knows of (spot orphans).`);
  }
  for (const { provider } of silent) sentences.push(`${provider} did not say what it billed.`);
  return sentences.join(" ");
}

function unpricedText({ unpriced }: CostReport): string {
  if (unpriced.length === 0) return "";
  const disks = unpriced.map(({ name, provider, sizeGb, kind }) => {
    const size = sizeGb === null ? "" : `, ${sizeGb} GB`;
    return kind === "volume" ? `volume ${name} (${provider}${size})` : `the disk of ${name}, which sleeps (${provider}${size})`;
  });
  return `Not in it, because nobody says the price: ${disks.join("; ")}.`;
}

function endText({ instance, at, why }: ExpectedEnd, calendar: Calendar): string {
  const when = localText(at, calendar);
  return why === "ttl" ? `${instance} ends by its TTL on ${when}` : `${instance} is put to sleep by ${scopeName(why.budget)} on ${when}`;
}

function monthText({ paid, gpu, storage, total, range, month }: Forecast, zone: string): string {
  const amounts = range === null ? "" : `, ${moneyText(range.low)} to ${moneyText(range.high)} at the spot prices seen in 30 days`;
  const rest = [
    ...(isSome(gpu) ? [`${moneyText(gpu)} for what runs`] : []),
    ...(isSome(storage) ? [`${moneyText(storage)} for storage`] : []),
  ];
  const more = rest.length === 0 ? "nothing runs and nothing is stored" : `${rest.join(" and ")} to come${amounts}`;
  return `Expected for ${month} (${zone}): ~${moneyText(total)}; ${moneyText(paid)} until now, ${more}.`;
}

/** At most so many instances are named. */
const MOST_NAMES = 5;

function named(texts: readonly string[], separator: string): string {
  const rest = texts.length - MOST_NAMES;
  return `${texts.slice(0, MOST_NAMES).join(separator)}${rest > 0 ? `${separator}${rest} more` : ""}`;
}

export function forecastText({ forecast, calendar }: CostReport): string {
  const { currencies, ends, waiting } = forecast;
  if (currencies.length === 0) return "";
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

/** What there is to say below the table, one paragraph each. */
export function costParagraphs(report: CostReport): readonly string[] {
  const { summary, calendar, by, budget } = report;
  const { totals } = summary;
  const isEstimated = totals.some((row) => isSome(row.estimated));
  const together = [
    ...totals.map(totalText),
    ...(isEstimated ? ["~ is estimated from price and time, not billed yet."] : []),
    ...(by === "day" || by === "month" ? [`Days are those of ${calendar.zone}.`] : []),
    ...(budget === null ? [] : [budget]),
  ].join(" ");
  const paragraphs = [
    together,
    totals.map(lostText).filter(Boolean).join(" "),
    totals.map(storageText).filter(Boolean).join(" "),
    reconciledText(report),
    unpricedText(report),
    forecastText(report),
  ];
  return paragraphs.filter((text) => text !== "");
}
