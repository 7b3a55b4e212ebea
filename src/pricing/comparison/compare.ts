import { type Money, savingsShare } from "../../model/money.ts";
import { compareMoney, type ExchangeRate, worthIn } from "../currency.ts";
import { isInvented } from "../spot-terms.ts";
import { bestMix } from "./best-mix.ts";
import { type HoursBreakEven, hoursBreakEven, type TokenBreakEven, tokenBreakEven } from "./break-even.ts";
import { type Demand, demandOf } from "./demand.ts";
import type { Reckoning } from "./exact.ts";
import { type CompareInput, type Group, groupsOf, waysOf } from "./groups.ts";
import { type Mix, type MixPart, singleOf, tokensOnly } from "./mix.ts";
import { HOUR_MS, MONTH_MS, tariffCost } from "./tariff.ts";
import type { MachineWay, TokenWay } from "./way.ts";

/** One way to pay for all of the workload. */
export interface ComparedOption {
  readonly name: string;
  readonly billing: MachineWay["billing"] | "per-token";
  /** Null for an API. */
  readonly way: MachineWay | null;
  /** How many are paid for at a time; null for an API, and by the hour in a job without a deadline. */
  readonly machines: bigint | null;
  /** Hours that are paid: the lost work of spot and the idle hours of a term included. 0 for an API. */
  readonly hoursBilled: number;
  /** In the way's own currency. */
  readonly total: Money;
  /** What stood on the bill if spot lost no work; the total of everything else. */
  readonly stickerTotal: Money;
  /** The total in the currency of the comparison; null where no rate says. */
  readonly worth: Money | null;
  /** Against the cheapest on demand; null without one. */
  readonly savings: number | null;
  readonly stickerSavings: number | null;
}

/** From how many useful hours in a month the monthly price is the cheaper one; null when it never is. */
export interface BreakEven {
  readonly against: "on-demand" | "spot";
  readonly hoursPerMonth: number | null;
}

/** A way that does not get the work done: it would take more machines, or a longer time, than are reckoned with; or it never finishes. */
export interface UnableWay {
  readonly name: string;
  readonly why: "too many" | "never";
}

/** All ways to pay for the workload on one kind of machine, cheapest first. */
export interface Comparison {
  readonly model: string;
  /** See `productName`. */
  readonly product: string;
  readonly count: number;
  /** In which the totals are held against each other. */
  readonly currency: string;
  /** All currencies that the ways are paid in. */
  readonly currencies: readonly string[];
  readonly demand: Demand;
  readonly options: readonly ComparedOption[];
  readonly breakEven: readonly BreakEven[];
  readonly hours: readonly HoursBreakEven[];
  readonly tokens: readonly TokenBreakEven[];
  /** The cheapest of all, which may be a single way. Null when nothing does the work. */
  readonly mix: Mix | null;
  /** Of the mix against the cheapest single way, 0 to 1; null without one. */
  readonly mixSavings: number | null;
  /** Ways that do not get the work done. */
  readonly unable: readonly UnableWay[];
  /** See `Group`. */
  readonly hidesInvented: boolean;
}

type PlainOption = Omit<ComparedOption, "worth" | "savings" | "stickerSavings">;

function machineOption(way: MachineWay, demand: Demand, rate: ExchangeRate): PlainOption | null {
  const own = { currency: way.sticker.price.currency, rate };
  const [part] = singleOf(way, demand, own)?.parts ?? [];
  if (part === undefined) return null;
  const sticker = singleOf({ ...way, effective: way.sticker }, demand, own);
  return {
    name: way.name,
    billing: way.billing,
    way,
    machines: part.machines,
    hoursBilled: part.hoursPaid,
    total: part.cost,
    stickerTotal: sticker?.parts[0]?.cost ?? part.cost,
  };
}

/** The bill of the API alone; null where nobody knows how many tokens there are. */
export function apiTotal(api: TokenWay, demand: Demand, rate: ExchangeRate): Money | null {
  if (demand.unit !== "tokens")
    return demand.tokens === null ? null : tariffCost({ price: api.perMillion, perMs: 1_000_000n }, demand.tokens);
  return tokensOnly(api, demand, { currency: api.perMillion.currency, rate })?.total ?? null;
}

function apiOption(api: TokenWay, demand: Demand, rate: ExchangeRate): PlainOption | null {
  const total = apiTotal(api, demand, rate);
  if (total === null) return null;
  return { name: api.name, billing: "per-token", way: null, machines: null, hoursBilled: 0, total, stickerTotal: total };
}

function share(amount: Money | null, against: Money | null): number | null {
  return amount === null || against === null ? null : savingsShare(amount, against);
}

function byWorth(a: ComparedOption, b: ComparedOption): number {
  if (a.worth !== null && b.worth !== null) return a.worth.micros < b.worth.micros ? -1 : a.worth.micros > b.worth.micros ? 1 : 0;
  return Number(a.worth === null) - Number(b.worth === null);
}

/** What the break-evens of a month were always told as: the cheapest monthly price against the two others. */
function monthlyBreakEvens(hours: readonly HoursBreakEven[]): readonly BreakEven[] {
  return (["on-demand", "spot"] as const).flatMap((against) => {
    const found = hours.find((one) => one.long.billing === "monthly" && one.against.billing === against);
    if (found === undefined) return [];
    const perMonth = found.ms === null ? null : (found.ms * MONTH_MS) / found.ofMs;
    return [{ against, hoursPerMonth: perMonth === null ? null : Number((perMonth * 1000n) / HOUR_MS) / 1000 }];
  });
}

/** The cheapest on demand, against which savings are told; made-up prices are none where there is a real way. */
function baselineOf(options: readonly PlainOption[], rate: ExchangeRate): PlainOption | undefined {
  const real = options.filter(({ way }) => way !== null && !isInvented(way.ranked?.offer.provider));
  return (real.length > 0 ? real : options)
    .filter(({ billing }) => billing === "on-demand")
    .sort((a, b) => compareMoney(a.total, b.total, rate))[0];
}

function compareGroup(group: Group, input: CompareInput): Comparison {
  const { api, ask, rate } = input;
  const demand = demandOf(ask, group.count);
  const all = waysOf(group, input);
  const ways = all.filter(({ loss }) => loss.finishes);
  const plain = [...ways.map((way) => machineOption(way, demand, rate)), api === null ? null : apiOption(api, demand, rate)].filter(
    (option) => option !== null,
  );
  const baseline = baselineOf(plain, rate);
  const currency = (baseline ?? plain[0])?.total.currency ?? "USD";
  const options = plain
    .map((option) => ({
      ...option,
      worth: worthIn(option.total, currency, rate),
      savings: share(worthIn(option.total, currency, rate), baseline?.total ?? null),
      stickerSavings: share(worthIn(option.stickerTotal, currency, rate), baseline?.total ?? null),
    }))
    .sort(byWorth);
  // In the order of what they cost, so that the cheapest of a kind comes first.
  const able = options.flatMap(({ way }) => (way === null ? [] : [way]));
  const long = able.filter(({ isLong }) => isLong);
  const hours = long.flatMap((one) => able.filter(({ isLong }) => !isLong).map((other) => hoursBreakEven(one, other, demand, rate)));
  const known = hours.filter((one) => one !== null);
  const mix = cheapestOf(bestMix(ways, api, demand, { currency, rate }), api, apiWorth(api, demand, { currency, rate }));
  const best = options[0]?.worth ?? null;
  return {
    ...group,
    currency,
    currencies: [...new Set(plain.map(({ total }) => total.currency))],
    demand,
    options,
    breakEven: monthlyBreakEvens(known),
    hours: known,
    tokens: api === null ? [] : able.map((way) => tokenBreakEven(way, api, demand, rate)).filter((one) => one !== null),
    mix,
    mixSavings: mix === null || best === null ? null : savingsShare(mix.total, best),
    unable: all
      .filter((one) => !able.includes(one))
      .map(({ name, loss }): UnableWay => ({ name, why: loss.finishes ? "too many" : "never" })),
  };
}

function apiWorth(api: TokenWay | null, demand: Demand, { currency, rate }: Reckoning): Pick<MixPart, "cost" | "worth" | "tokens"> | null {
  const cost = api === null ? null : apiTotal(api, demand, rate);
  const worth = cost === null ? null : worthIn(cost, currency, rate);
  return cost === null || worth === null ? null : { cost, worth, tokens: demand.tokens ?? 0n };
}

/** The mix, or the API alone where that is cheaper: without a throughput no mix knows of it. */
function cheapestOf(mix: Mix | null, api: TokenWay | null, bill: ReturnType<typeof apiWorth>): Mix | null {
  if (api === null || bill === null || (mix !== null && mix.total.micros <= bill.worth.micros)) return mix;
  const part: MixPart = { role: "tokens", way: api, machines: null, usefulMs: 0n, hoursPaid: 0, ...bill };
  return { parts: [part], total: bill.worth };
}

/**
 * Compares, for each GPU and count, every way to pay for the workload: the cheapest offer in stock of each billing mode, what
 * a person described, and an API by the token.
 */
export function compareWays(input: CompareInput): readonly Comparison[] {
  return groupsOf(input)
    .map((group) => compareGroup(group, input))
    .filter(({ options, unable }) => options.length > 0 || unable.length > 0);
}
