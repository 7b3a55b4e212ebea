import type { Money } from "../../model/money.ts";
import { type ExchangeRate, perUsdMicros, worthIn } from "../currency.ts";
import { type Demand, dividedUp, msFor, paceOf, unitsIn } from "./demand.ts";
import { type Tariff, tariffCost } from "./tariff.ts";
import type { MachineWay, TokenWay } from "./way.ts";

/** More machines of one kind at a time are not reckoned with. */
export const MOST_MACHINES = 2000n;

/** What one way has to do with a mix. */
export interface MixPart {
  readonly role: "base" | "burst" | "tokens";
  readonly way: MachineWay | TokenWay;
  /** The most that run at a time; null for tokens, and for a batch, whose machines by the hour may run one after the other. */
  readonly machines: bigint | null;
  /** Milliseconds of all machines together in which they are wanted; what spot loses comes on top. 0 for tokens. */
  readonly usefulMs: bigint;
  /** Whole tokens; 0 for machines. */
  readonly tokens: bigint;
  /** In the way's own currency. */
  readonly cost: Money;
  /** The cost in the currency that is compared in; the cost itself where it is the same. */
  readonly worth: Money;
}

/** A way, or several together, that does all of the workload. */
export interface Mix {
  readonly parts: readonly MixPart[];
  /** The sum of what the parts are worth. */
  readonly total: Money;
}

/** Who takes part: so many machines for the whole time, machines by the hour for what is left, and an API for the rest. */
export interface Crew {
  readonly base: { readonly way: MachineWay; readonly machines: bigint } | null;
  readonly burst: MachineWay | null;
  readonly tokens: TokenWay | null;
}

/** What decides how costs are compared. */
export interface Reckoning {
  readonly currency: string;
  readonly rate: ExchangeRate;
}

/** An exact amount of the compared currency's millionths. */
interface Exact {
  readonly n: bigint;
  readonly d: bigint;
}

const NOTHING: Exact = { n: 0n, d: 1n };
const plus = (a: Exact, b: Exact): Exact => ({ n: a.n * b.d + b.n * a.d, d: a.d * b.d });
const isLess = (a: Exact, b: Exact) => a.n * b.d < b.n * a.d;

function exactly(micros: bigint, per: bigint, currency: string, { currency: to, rate }: Reckoning): Exact {
  const [own, other] = [perUsdMicros(currency, rate) ?? 1n, perUsdMicros(to, rate) ?? 1n];
  return currency === to ? { n: micros, d: per } : { n: micros * other, d: per * own };
}

/** A price per million tokens is one per 10^12 millionths of a token. */
const MILLION_TOKENS = 1_000_000_000_000n;

function tokenTariff({ perMillion }: TokenWay): Tariff {
  return { price: perMillion, perMs: MILLION_TOKENS };
}

/** What of a block's rest the machines by the hour do: milliseconds of all of them, and how many. */
interface Share {
  readonly ms: bigint;
  readonly machines: bigint;
  readonly left: bigint;
}

/** The splits of a rest among which the cheapest is: costs are linear between whole machines, so that the ends decide. */
function splits(rest: bigint, ms: bigint, demand: Demand, burst: MachineWay | null): readonly Share[] {
  const none: Share = { ms: 0n, machines: 0n, left: rest };
  if (burst === null || rest === 0n) return [none];
  const pace = paceOf(burst, demand);
  if (demand.isBatch) return [none, { ms: msFor(pace, rest), machines: 0n, left: 0n }];
  const each = unitsIn(pace, ms);
  if (each === 0n) return [none];
  const full = rest / each;
  const whole = [full, full + 1n].map((machines) => {
    const left = rest - machines * each;
    return { ms: machines * ms, machines, left: left > 0n ? left : 0n };
  });
  return [none, ...whole];
}

function cheapest(shares: readonly Share[], { burst, tokens }: Crew, reckoning: Reckoning): Share | null {
  let best: { readonly share: Share; readonly cost: Exact } | null = null;
  for (const share of shares) {
    if (share.left > 0n && tokens === null) continue;
    const machines = burst === null ? NOTHING : exactCost(burst.effective, share.ms, reckoning);
    const api = tokens === null ? NOTHING : exactCost(tokenTariff(tokens), share.left, reckoning);
    const cost = plus(machines, api);
    if (best === null || isLess(cost, best.cost)) best = { share, cost };
  }
  return best?.share ?? null;
}

function exactCost({ price, perMs }: Tariff, amount: bigint, reckoning: Reckoning): Exact {
  return exactly(price.micros * amount, perMs, price.currency, reckoning);
}

/** How long a machine is paid for that is paid for a time. */
export function boundMs(way: MachineWay, demand: Demand): bigint {
  return demand.isJob && way.termMs > demand.longMs ? way.termMs : demand.longMs;
}

/** What one machine costs that is paid for a time. */
export function longCost(way: MachineWay, ms: bigint): Money {
  const price = tariffCost(way.sticker, ms);
  return way.plus === null ? price : { ...price, micros: price.micros + tariffCost(way.plus, ms).micros };
}

function part(role: MixPart["role"], way: MixPart["way"], more: Pick<MixPart, "machines" | "usefulMs" | "tokens" | "cost">, to: Reckoning) {
  const worth = worthIn(more.cost, to.currency, to.rate);
  return worth === null ? null : { role, way, ...more, worth };
}

/**
 * The cheapest that this crew can do with all of its base, or null when it cannot do all of the work or its currencies cannot
 * be compared. The base takes what it can of each block; of the rest each block has its own best split, and with it the best
 * of all. Amounts are rounded once for each part.
 */
export function mixOf(demand: Demand, crew: Crew, reckoning: Reckoning): Mix | null {
  const { base, burst, tokens } = crew;
  let [ms, most, left] = [0n, 0n, 0n];
  for (const block of demand.blocks) {
    const done = base === null ? 0n : base.machines * unitsIn(paceOf(base.way, demand), block.ms);
    const rest = block.units > done ? block.units - done : 0n;
    const share = cheapest(splits(rest, block.ms, demand, burst), crew, reckoning);
    if (share === null) return null;
    if (share.machines > MOST_MACHINES) return null;
    ms += share.ms;
    if (share.machines > most) most = share.machines;
    left += share.left;
  }
  const parts: (MixPart | null)[] = [];
  if (base !== null && base.machines > 0n) {
    const each = longCost(base.way, boundMs(base.way, demand));
    const cost = { ...each, micros: each.micros * base.machines };
    parts.push(
      part("base", base.way, { machines: base.machines, usefulMs: boundMs(base.way, demand) * base.machines, tokens: 0n, cost }, reckoning),
    );
  }
  if (burst !== null && ms > 0n) {
    const usefulMs = ms * demand.days;
    const machines = demand.isBatch ? null : most;
    parts.push(part("burst", burst, { machines, usefulMs, tokens: 0n, cost: tariffCost(burst.effective, usefulMs) }, reckoning));
  }
  if (tokens !== null && left > 0n) {
    const units = left * demand.days;
    const cost = tariffCost(tokenTariff(tokens), units);
    parts.push(part("tokens", tokens, { machines: null, usefulMs: 0n, tokens: dividedUp(units, 1_000_000n), cost }, reckoning));
  }
  const known = parts.filter((one) => one !== null);
  if (known.length < parts.length) return null;
  return { parts: known, total: { micros: known.reduce((sum, { worth }) => sum + worth.micros, 0n), currency: reckoning.currency } };
}

/** How many of these machines do all of the work by themselves; null when no number of them that is reckoned with does. */
export function machinesFor(way: MachineWay, demand: Demand): bigint | null {
  const pace = paceOf(way, demand);
  let most = 0n;
  for (const { ms, units } of demand.blocks) {
    const each = unitsIn(pace, ms);
    if (each === 0n && units > 0n) return null;
    const wanted = each === 0n ? 0n : dividedUp(units, each);
    if (wanted > most) most = wanted;
  }
  return most > MOST_MACHINES ? null : most;
}

/** All of the work in this one way; null when it cannot be done. */
export function singleOf(way: MachineWay, demand: Demand, reckoning: Reckoning): Mix | null {
  if (!way.isLong) return mixOf(demand, { base: null, burst: way, tokens: null }, reckoning);
  const machines = machinesFor(way, demand);
  return machines === null ? null : mixOf(demand, { base: { way, machines }, burst: null, tokens: null }, reckoning);
}

/** What the tokens cost by themselves; null where nobody knows how many they are. */
export function tokenBill({ perMillion }: TokenWay, demand: Demand): Money | null {
  return demand.tokens === null ? null : tariffCost({ price: perMillion, perMs: 1_000_000n }, demand.tokens);
}

/**
 * The cheapest mix of one kind of long rental, one kind by the hour and one API: every number of machines of every kind is
 * tried, so that there is no cheaper one (but for what rounding does, a millionth for each part). It is never dearer than the
 * best single way, because each of these is among what is tried.
 */
export function bestMix(ways: readonly MachineWay[], api: TokenWay | null, demand: Demand, reckoning: Reckoning): Mix | null {
  const bursts = [null, ...ways.filter(({ isLong }) => !isLong)];
  // Without a throughput nobody knows which part of the work so many tokens are.
  const apis = api === null || demand.unit !== "tokens" ? [null] : [null, api];
  let best: Mix | null = null;
  const consider = (crew: Crew) => {
    const mix = mixOf(demand, crew, reckoning);
    if (mix !== null && (best === null || mix.total.micros < best.total.micros)) best = mix;
  };
  for (const burst of bursts)
    for (const tokens of apis) {
      consider({ base: null, burst, tokens });
      for (const way of ways.filter(({ isLong }) => isLong)) {
        const most = machinesFor(way, demand) ?? 0n;
        for (let machines = 1n; machines <= most; machines++) consider({ base: { way, machines }, burst, tokens });
      }
    }
  return best;
}
