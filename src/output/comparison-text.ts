import { gpuText } from "../model/gpu.ts";
import { moneyText } from "../model/money.ts";
import type { HoursBreakEven, TokenBreakEven } from "../pricing/comparison/break-even.ts";
import type { ComparedOption, Comparison, UnableWay } from "../pricing/comparison/compare.ts";
import type { Ask, Demand } from "../pricing/comparison/demand.ts";
import type { Mix, MixPart } from "../pricing/comparison/mix.ts";
import { MOST_MACHINES } from "../pricing/comparison/rental.ts";
import { HOUR_MS, MONTH_MS, type Tariff } from "../pricing/comparison/tariff.ts";
import type { MachineWay, TokenWay } from "../pricing/comparison/way.ts";
import { ratesText } from "../pricing/currency.ts";
import type { WorkModel } from "../pricing/effective.ts";
import { MOST_PAID_HOURS } from "../pricing/interrupted-work.ts";
import { isInvented, isRentable } from "../pricing/spot-terms.ts";
import { rateText } from "../pricing/work-text.ts";
import type { ComparisonParts } from "./comparison-view.ts";
import { workModelText } from "./effective-view.ts";
import { sourcesText, sourceText } from "./price-sources.ts";

const hours = (ms: bigint) => Number(ms) / Number(HOUR_MS);

/** "250 million", "1,500": a number as people say it. */
export function bigText(amount: bigint | number): string {
  const value = Number(amount);
  const unit = [
    [1e12, " trillion"],
    [1e9, " billion"],
    [1e6, " million"],
  ].find(([size]) => value >= (size as number));
  if (unit === undefined) return value.toLocaleString("en-US", { maximumFractionDigits: 0 });
  return `${(value / (unit[0] as number)).toLocaleString("en-US", { maximumFractionDigits: 2 })}${unit[1]}`;
}

/** "$0.53/h", "¥30000.00/month", "$120.30/730h". */
export function tariffText({ price, perMs }: Tariff): string {
  if (perMs === HOUR_MS) return `${moneyText(price)}/h`;
  if (perMs % MONTH_MS === 0n) return `${moneyText(price)}/${perMs === MONTH_MS ? "month" : `${perMs / MONTH_MS} months`}`;
  return `${moneyText(price)}/${hours(perMs)}h`;
}

/** The price with what is paid beside it: "$500.00/month + $20.00/month". */
export function priceText({ sticker, plus }: MachineWay): string {
  return plus === null ? tariffText(sticker) : `${tariffText(sticker)} + ${tariffText(plus)}`;
}

/** `~` before what rests on an assumed rate of interruptions. */
export function assumedMark(way: MachineWay | TokenWay | null): "" | "~" {
  return way !== null && "loss" in way && way.loss.basis === "assumed" ? "~" : "";
}

export function totalText({ way, total }: Pick<ComparedOption, "way" | "total">): string {
  return `${assumedMark(way)}${moneyText(total)}`;
}

export function mixTotalText({ parts, total }: Mix): string {
  return `${parts.some(({ way }) => assumedMark(way) !== "") ? "~" : ""}${moneyText(total)}`;
}

/** What a useful hour costs on spot, and how often it is interrupted in an hour: `~` where that is assumed. */
export function usefulTexts(way: MachineWay): readonly [string, string] {
  const { billing, effective, loss } = way;
  if (billing !== "spot") return ["", ""];
  const mark = assumedMark(way);
  const often = loss.interruptionsPerHour === 0 ? "none" : `${Number(loss.interruptionsPerHour.toPrecision(3))}/h`;
  return [`${mark}${tariffText(effective)}`, `${mark}${often}`];
}

/** Where a price comes from and how old it is; `given` for what whoever asks has said. */
export function originText({ way }: ComparedOption, now: number): string {
  return way?.ranked == null ? "given" : sourceText(way.ranked.offer, now);
}

/** The product and its count. */
export function titleText({ product, count }: Comparison): string {
  return gpuText({ model: product, count });
}

/** What a way is called beside its billing: its provider and place, or what a person named it. */
export function sourceName({ name, way }: ComparedOption): string {
  return way?.ranked == null ? name : way.ranked.offer.provider;
}

export function machinesText({ machines, billing }: Pick<ComparedOption, "machines" | "billing">): string {
  if (billing === "per-token") return "–";
  return machines === null ? "as needed" : String(machines);
}

/** Rounded up to the tenth: what is said to be enough is enough. */
const upText = (hours: number) => String(Math.ceil(hours * 10 - 1e-6) / 10);

function hoursText({ long, against, ms, canMs, ofMs, tokens }: HoursBreakEven, { isJob }: Demand): string {
  if (ms === null) return `${long.name} never beats ${against.name}`;
  const [from, to] = [ms, canMs].map((one) => hours(one) * (isJob ? 1 : Number(MONTH_MS) / Number(ofMs)));
  const perDay = (from ?? 0) / 30;
  const beside = [
    // More than a day has are hours of several machines.
    ...(isJob || perDay > 24 ? [] : [`${upText(perDay)} a day`]),
    ...(tokens === null ? [] : [`${bigText(isJob ? tokens : (tokens * MONTH_MS) / ofMs)} tokens`]),
  ];
  const more = `${isJob ? "" : " a month"}${beside.length === 0 ? "" : ` (${beside.join(", ")})`}`;
  return `${long.name} beats ${against.name} from ${upText(from ?? 0)} useful hours${more}, up to the ${Math.floor(to ?? 0)} that one does`;
}

function tokensText({ way, api, perPaidHour, perDay, tokens, can, isReachable }: TokenBreakEven): string {
  const pace = bigText((perPaidHour + 3599n) / 3600n);
  const of = perDay === null ? "in all" : "a day";
  const from = tokens === null ? `${pace} tokens a second while it runs` : `${bigText(perDay ?? tokens)} tokens ${of}`;
  const made = can === null ? "" : tokens === null ? `${bigText(can / 3600n)} a second` : `${bigText(can)} ${of}`;
  if (isReachable === false) return `${way.name} would beat the ${api.name} from ${from}, but one makes ${made} in this workload`;
  return `${way.name} beats the ${api.name} from ${from}${tokens === null || made === "" ? "" : `, up to the ${made} that one makes`}`;
}

/** Where the ways cross, one line for each pair. */
export function breakEvenLines(comparison: Comparison): readonly string[] {
  return [...comparison.hours.map((one) => hoursText(one, comparison.demand)), ...comparison.tokens.map(tokensText)];
}

function partText({ role, way, machines, usefulMs, hoursPaid, tokens, cost }: MixPart, { isJob }: Demand): string {
  const much = machines === null ? "" : `${machines} × `;
  const time = isJob ? `for ${hoursPaid.toFixed(0)} paid hours` : "for the whole time";
  const what = {
    base: `${much}${way.name} ${time}`,
    burst: `${machines === null || machines === 1n ? "" : "up to "}${much}${way.name} for ${hours(usefulMs).toFixed(1)} useful machine-hours`,
    tokens: `${bigText(tokens)} tokens by the ${way.name}`,
  }[role];
  return `${what}: ${assumedMark(way)}${moneyText(cost)}`;
}

/** The cheapest mix in words: its parts, what they come to, and what that saves. */
export function mixLines({ mix, mixSavings, options, demand, currency }: Comparison): readonly string[] {
  if (mix === null) return [];
  const of = options.some(({ worth }) => worth === null) ? ` of what is in ${currency} or has a rate to it` : "";
  const [only, ...more] = mix.parts;
  if (only !== undefined && more.length === 0) return [`Cheapest${of}: ${partText(only, demand)}. No mix that was tried is cheaper.`];
  const saved = mixSavings === null ? "" : `, ${(mixSavings * 100).toFixed(1)}% less than ${options[0]?.name ?? "one way"} alone`;
  return [`Cheapest mix found${of}: ${mixTotalText(mix)}${saved}`, ...mix.parts.map((part) => `- ${partText(part, demand)}`)];
}

/** How often spot machines are interrupted, as far as it is not their clouds' or our own machines' word. */
function interruptionLines(ways: readonly MachineWay[], { given }: WorkModel): readonly string[] {
  const assumed = ways.find(({ loss }) => loss.basis === "assumed")?.loss.interruptionsPerHour;
  const said = given?.interruptionsPerHour;
  const isSaid = said !== undefined && ways.some(({ billing }) => billing === "spot");
  return [
    ...(assumed === undefined ? [] : [`~: how often it is interrupted is assumed: ${rateText(assumed)} (--interruptions).`]),
    ...(isSaid ? [`Interruptions: ${rateText(said)}, as given, where a row says nothing else.`] : []),
  ];
}

/** What is said where there is no way at all. */
export function nothingText(comparisons: readonly Comparison[]): string {
  return comparisons.some(({ unable }) => unable.length > 0) ? "Nothing here does this work." : "Nothing to compare: no offer fits.";
}

/** What did not get the work done, and why. */
function unableLines(comparisons: readonly Comparison[]): readonly string[] {
  const names = (why: UnableWay["why"]) =>
    [...new Set(comparisons.flatMap(({ unable }) => unable.filter((one) => one.why === why).map(({ name }) => name)))].join(", ");
  const [many, never] = [names("too many"), names("never")];
  return [
    ...(many === ""
      ? []
      : [`Left out, because more than ${MOST_MACHINES} machines at a time or a hundred years would be needed: ${many}.`]),
    ...(never === "" ? [] : [`Left out, because it never finishes (more than ${MOST_PAID_HOURS} paid hours for a useful one): ${never}.`]),
  ];
}

/** Made-up prices, and clouds that nobody can rent from here. */
function cloudLines(ways: readonly MachineWay[], comparisons: readonly Comparison[]): readonly string[] {
  const clouds = new Set(ways.flatMap(({ ranked }) => (ranked === null ? [] : [ranked.offer.provider])));
  const elsewhere = [...clouds].filter((cloud) => !isRentable(cloud)).sort();
  const hidden = comparisons.some(({ hidesInvented }) => hidesInvented);
  return [
    ...([...clouds].some(isInvented) ? ["local is the embedded cloud: its machines and prices are made up."] : []),
    ...(hidden ? ["Beside real prices the made-up ones of the embedded cloud are left out; --provider local shows them."] : []),
    ...(elsewhere.length > 0 ? [`spot cannot rent there: ${elsewhere.join(", ")}.`] : []),
  ];
}

/** Who is bound for longer than the work is, and what of that is in the figures. */
function termLine(ways: readonly MachineWay[], ask: Ask): string {
  const bound = new Set(ways.filter(({ termMs, ranked }) => ranked === null && termMs > MONTH_MS).map(({ name }) => name));
  if (bound.size === 0) return "";
  const shown = ask.job === null ? "a month's share is shown" : "all that is bound is paid";
  return `Bound for longer than a month: ${[...bound].join(", ")}; ${shown}.`;
}

/** What has to be known of the figures: assumptions, rates, terms, sources. */
export function noteLines({ comparisons, work, rate, ask, api, sources, now }: ComparisonParts): readonly string[] {
  const ways = comparisons.flatMap(({ options }) => options.flatMap(({ way }) => (way === null ? [] : [way])));
  const crossed = comparisons.some(({ tokens }) => tokens.length > 0) && api !== null ? [api.perMillion.currency] : [];
  const currencies = new Set([...comparisons.flatMap((comparison) => comparison.currencies), ...crossed]);
  const unknown = comparisons.some(({ options }) => options.some(({ worth }) => worth === null));
  const rates = ratesText(rate, currencies);
  const [tokens] = comparisons.flatMap(({ demand }) => (demand.tokens === null ? [] : [demand.tokens]));
  const lines = [
    ways.some(({ loss }) => loss.lostShare > 0) ? workModelText(work) : "",
    ...interruptionLines(ways, work),
    currencies.size > 1 && rates !== "" ? `Held against each other at ${rates}; every amount is in its own currency.` : "",
    unknown ? "A currency without a rate is held against nothing: --fx EUR=0.92 or spot config set fx.EUR says one." : "",
    ...unableLines(comparisons),
    termLine(ways, ask),
    api !== null && tokens === undefined ? "How many tokens there are was not said: --tokens-per-day, or --throughput." : "",
    api !== null && ask.tokensPerDay !== null && ask.throughput === null
      ? "Without --throughput one machine is taken to make all the tokens, and no mix with tokens is reckoned."
      : "",
    ...cloudLines(ways, comparisons),
    sourcesText(sources, now),
  ];
  return lines.filter((line) => line !== "");
}
