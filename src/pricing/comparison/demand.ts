import { DAY_MS } from "./tariff.ts";

const MILLION = 1_000_000n;
/** A workload of a month is reckoned over so many days. */
export const DAYS_OF_A_MONTH = 30n;

/** So many machines of the kind that is compared, for so long of each day. */
export interface ProfileBlock {
  readonly ms: bigint;
  /** Millionths of a machine. */
  readonly machines: bigint;
}

/** A workload as a person states it. */
export interface Ask {
  /** A job of so many useful machine-hours in milliseconds, and by when; else it is a month of days. */
  readonly job: { readonly ms: bigint; readonly deadlineMs: bigint | null } | null;
  /** How a day goes; null where nothing was said of it. */
  readonly profile: readonly ProfileBlock[] | null;
  readonly tokensPerDay: bigint | null;
  /** Of one GPU at full use: millionths of a token a second. */
  readonly throughput: bigint | null;
  /** The share of the paid time in which a machine is at full use, in millionths. */
  readonly utilisation: bigint;
}

/** What is wanted in a part of each day. */
export interface Block {
  readonly ms: bigint;
  /** Millionths of a token where the throughput is known, else millionths of a GPU-millisecond. */
  readonly units: bigint;
}

/** A workload in numbers that every way to pay can be held against. */
export interface Demand {
  /** How often the blocks come again: 30 for a month, 1 for a job. */
  readonly days: bigint;
  readonly blocks: readonly Block[];
  readonly unit: "tokens" | "gpus";
  /** True: the work waits, and a machine by the hour runs for as long as it takes. False: machines stand by through a block. */
  readonly isBatch: boolean;
  readonly isJob: boolean;
  /** By when a job is to be done; null for a job that may take its time, and for a month. */
  readonly deadlineMs: bigint | null;
  /** Tokens in all; null where nothing says how many. */
  readonly tokens: bigint | null;
  readonly throughput: bigint | null;
  readonly utilisation: bigint;
}

/** Units that a machine does in a millisecond, as a fraction. */
export interface Pace {
  readonly units: bigint;
  readonly perMs: bigint;
}

/** The pace of a machine. A machine whose tokens a second are not known has the throughput of its GPUs. */
export function paceOf(
  { gpus, tokensPerSecond }: { readonly gpus: number; readonly tokensPerSecond: bigint | null },
  { unit, throughput, utilisation }: Pick<Demand, "unit" | "throughput" | "utilisation">,
): Pace {
  if (unit === "gpus") return { units: BigInt(gpus) * MILLION, perMs: 1n };
  const perSecond = tokensPerSecond ?? (throughput ?? 0n) * BigInt(gpus);
  return { units: perSecond * utilisation, perMs: 1000n * MILLION };
}

export function unitsIn(pace: Pace, ms: bigint): bigint {
  return (pace.units * ms) / pace.perMs;
}

/** How long a machine needs, rounded up to the millisecond. */
export function msFor(pace: Pace, units: bigint): bigint {
  return dividedUp(units * pace.perMs, pace.units);
}

export function lesser(a: bigint, b: bigint): bigint {
  if (a < b) return a;
  return b;
}

export function greater(a: bigint, b: bigint): bigint {
  if (a > b) return a;
  return b;
}

export function dividedUp(amount: bigint, by: bigint): bigint {
  return (amount + by - 1n) / by;
}

/** A total spread over blocks by their weight, so that the parts add up to it. */
function spread(total: bigint, weights: readonly bigint[]): readonly bigint[] {
  const sum = weights.reduce((all, weight) => all + weight, 0n);
  let seen = 0n;
  let given = 0n;
  return weights.map((weight) => {
    seen += weight;
    const part = (total * seen) / sum - given;
    given += part;
    return part;
  });
}

const ALL_DAY: readonly ProfileBlock[] = [{ ms: DAY_MS, machines: MILLION }];

/** The workload for machines of `gpus` GPUs each. */
export function demandOf(ask: Ask, gpus: number): Demand {
  const { job, throughput, utilisation, tokensPerDay } = ask;
  const unit = throughput === null ? "gpus" : "tokens";
  const pace = paceOf({ gpus, tokensPerSecond: null }, { unit, throughput, utilisation });
  const common = { unit, throughput, utilisation } as const;
  if (job !== null) {
    const units = unitsIn(pace, job.ms);
    return {
      ...common,
      days: 1n,
      blocks: [{ ms: job.deadlineMs ?? job.ms, units }],
      isBatch: true,
      isJob: true,
      deadlineMs: job.deadlineMs,
      tokens: unit === "tokens" ? units / MILLION : null,
    };
  }
  const profile = ask.profile ?? ALL_DAY;
  const byTokens = unit === "tokens" && tokensPerDay !== null;
  const units = byTokens
    ? spread(
        tokensPerDay * MILLION,
        profile.map(({ ms, machines }) => ms * machines),
      )
    : profile.map(({ ms, machines }) => (unitsIn(pace, ms) * machines) / MILLION);
  const perDay = units.reduce((sum, one) => sum + one, 0n);
  return {
    ...common,
    days: DAYS_OF_A_MONTH,
    blocks: profile.map(({ ms }, index) => ({ ms, units: units[index] ?? 0n })),
    // Who says nothing of the day has work that may be done at any time of it.
    isBatch: byTokens && ask.profile === null,
    isJob: false,
    deadlineMs: null,
    tokens: byTokens
      ? tokensPerDay * DAYS_OF_A_MONTH
      : unit === "tokens"
        ? (perDay * DAYS_OF_A_MONTH) / MILLION
        : (tokensPerDay ?? null) === null
          ? null
          : (tokensPerDay ?? 0n) * DAYS_OF_A_MONTH,
  };
}
