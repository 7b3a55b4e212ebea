import { gpuText } from "../model/gpu.ts";
import { moneyText } from "../model/money.ts";
import type { HoursBreakEven, TokenBreakEven } from "../pricing/comparison/break-even.ts";
import type { ComparedOption, Comparison } from "../pricing/comparison/compare.ts";
import { type MixPart, MOST_MACHINES } from "../pricing/comparison/mix.ts";
import { HOUR_MS, MONTH_MS, type Tariff } from "../pricing/comparison/tariff.ts";
import { ratesText } from "../pricing/currency.ts";
import type { ComparisonParts } from "./comparison-view.ts";
import { workModelText } from "./effective-view.ts";
import { sourcesText } from "./price-sources.ts";

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
  return `${moneyText(price)}/${Number(perMs) / Number(HOUR_MS)}h`;
}

/** The product and its count. */
export function titleText(comparison: Comparison): string {
  return gpuText({ ...comparison, model: comparison.product });
}

/** What a way is called beside its billing: its provider and place, or what a person named it. */
export function sourceName({ name, way }: ComparedOption): string {
  return way?.ranked == null ? name : way.ranked.offer.provider;
}

export function machinesText({ machines, billing }: Pick<ComparedOption, "machines" | "billing">): string {
  if (billing === "per-token") return "–";
  return machines === null ? "as needed" : String(machines);
}

function hoursText({ long, against, ms, ofMs, tokens }: HoursBreakEven): string {
  if (ms === null) return `${long.name} never beats ${against.name}`;
  const perMonth = Number((ms * MONTH_MS) / ofMs) / Number(HOUR_MS);
  const made = tokens === null ? "" : `, which make ${bigText((tokens * MONTH_MS) / ofMs)} tokens`;
  return `${long.name} beats ${against.name} from ${perMonth.toFixed(0)} useful hours a month (${(perMonth / 30).toFixed(1)} a day)${made}`;
}

function tokensText({ way, api, perPaidHour, perDay, isReachable }: TokenBreakEven): string {
  const pace = bigText((perPaidHour + 3599n) / 3600n);
  const can = isReachable === false ? "; more than it can make" : "";
  if (perDay === null) return `${way.name} beats the ${api.name} above ${pace} tokens a second while it runs${can}`;
  return `${way.name} beats the ${api.name} above ${bigText(perDay)} tokens a day, ${pace} a second day and night${can}`;
}

/** Where the ways cross, one line for each pair. */
export function breakEvenLines(comparison: Comparison): readonly string[] {
  return [...comparison.hours.map(hoursText), ...comparison.tokens.map(tokensText)];
}

function partText({ role, way, machines, usefulMs, tokens, cost }: MixPart): string {
  const much = machines === null ? "" : `${machines} × `;
  const time = Number(usefulMs) / Number(HOUR_MS);
  const what = {
    base: `${much}${way.name} for the whole time`,
    burst: `${machines === null || machines === 1n ? "" : "up to "}${much}${way.name} for ${time.toFixed(1)} useful machine-hours`,
    tokens: `${bigText(tokens)} tokens by the ${way.name}`,
  }[role];
  return `${what}: ${moneyText(cost)}`;
}

/** The cheapest mix in words: its parts, what they come to, and what that saves. */
export function mixLines({ mix, mixSavings, options }: Comparison): readonly string[] {
  if (mix === null) return [];
  const [only, ...more] = mix.parts;
  if (only !== undefined && more.length === 0) return [`Cheapest: ${partText(only)}. No mix is cheaper.`];
  const saved = mixSavings === null ? "" : `, ${(mixSavings * 100).toFixed(1)}% less than ${options[0]?.name ?? "one way"} alone`;
  return [`Cheapest mix: ${moneyText(mix.total)}${saved}`, ...mix.parts.map((part) => `- ${partText(part)}`)];
}

/** What has to be known of the figures: assumptions, rates, terms, sources. */
export function noteLines({ comparisons, work, rate, ask, api, sources, now }: ComparisonParts): readonly string[] {
  const ways = comparisons.flatMap(({ options }) => options.flatMap(({ way }) => (way === null ? [] : [way])));
  const currencies = new Set(comparisons.flatMap((comparison) => comparison.currencies));
  const bound = ways.filter(({ termMs, ranked }) => ranked === null && termMs > MONTH_MS);
  const unknown = comparisons.some(({ options }) => options.some(({ worth }) => worth === null));
  const unable = [...new Set(comparisons.flatMap((comparison) => comparison.unable))];
  const rates = ratesText(rate, currencies);
  const [tokens] = comparisons.flatMap(({ demand }) => (demand.tokens === null ? [] : [demand.tokens]));
  const lines = [
    ways.some(({ lostShare }) => lostShare > 0) ? workModelText(work) : "",
    currencies.size > 1 && rates !== "" ? `Held against each other at ${rates}; every amount is in its own currency.` : "",
    unknown ? "A currency without a rate is held against nothing: --fx EUR=0.92 or spot config set fx.EUR says one." : "",
    unable.length > 0 ? `Left out, because more than ${MOST_MACHINES} machines at a time would be needed: ${unable.join(", ")}.` : "",
    bound.length > 0 ? `Bound for longer than a month: ${bound.map(({ name }) => name).join(", ")}; a month's share is shown.` : "",
    api !== null && tokens === undefined ? "How many tokens there are was not said: --tokens-per-day, or --throughput." : "",
    api !== null && ask.tokensPerDay !== null && ask.throughput === null
      ? "Without --throughput one machine is taken to make all the tokens, and no mix with tokens is reckoned."
      : "",
    sourcesText(sources, now),
  ];
  return lines.filter((line) => line !== "");
}
