import type { RungName } from "./comeback.ts";
import type { Money } from "./money.ts";

/** Where a statement comes from, so that whoever doubts it can look. */
export interface Source {
  readonly document: string;
  /** When the document is dated or was read: YYYY, YYYY-MM or YYYY-MM-DD. */
  readonly date: string;
  /**
   * `vendor`: the cloud's own documents or API say so. `others`: somebody who ran it says so. `inferred`: it follows from what
   * they say, and nobody says it. `spot`: it is this program's own doing.
   */
  readonly by: "vendor" | "others" | "inferred" | "spot";
}

/** `unknown` is a statement too: it was looked for, and the source does not say. */
export interface Stated<Value extends string> {
  readonly value: Value | "unknown";
  /** What else there is to know of it: a clause without its full stop. */
  readonly note?: string;
  readonly source: Source;
}

/** A list price, as its source writes it. */
export interface AsleepPrice {
  /** A plain decimal number. */
  readonly amount: string;
  readonly currency: string;
  readonly per: "gb-hour" | "gb-day" | "gb-month" | "hour";
}

/** `gone`: there is none while it sleeps. `if-kept`: only where its owner asks for it. */
export interface Billed extends Stated<"billed" | "not-billed" | "gone" | "if-kept"> {
  readonly price?: AsleepPrice;
  /** Of a root disk, where every machine there has the same. */
  readonly sizeGb?: number;
}

export const ASLEEP_ITEMS = ["gpu", "rootDisk", "volume", "address"] as const;
export type AsleepItem = (typeof ASLEEP_ITEMS)[number];

/** What holds while an instance sleeps in one of the two ways. */
export interface AsleepTerms {
  /** `if-stock`: only when what it needs can be had then. */
  readonly back: Stated<"sure" | "if-stock">;
  readonly memory: Stated<"kept" | "lost">;
  readonly billed: Readonly<Record<AsleepItem, Billed>>;
  /** How long the data that it comes back with is kept. `days` where there is an end. */
  readonly kept: Stated<"until-deleted" | "limited"> & { readonly days?: number };
}

/** What holds at one cloud. The way that `Capabilities.hibernate` does not name may be there as well: for machines that cannot. */
export interface AsleepBook {
  /** The cloud's own hibernation; null where this program does not use it. */
  readonly native: AsleepTerms | null;
  /** The machine is ended, and its volume stays. */
  readonly parked: AsleepTerms;
  /** What the cloud has besides, and why it is left alone. */
  readonly unused: readonly { readonly what: string; readonly why: string; readonly source: Source }[];
}

/** In trillionths of the currency's unit: list prices have more digits than money is kept in. */
const TRILLIONTHS = 12;
const MICROS = 1_000_000n;
const HOURS = { "gb-hour": 1n, "gb-day": 24n, "gb-month": 730n, hour: 1n } as const;
const HOURS_A_MONTH = 730n;

/**
 * What a list price comes to for a disk of that size.
 * @param sizeGb whole or not; not looked at where the price is not by size.
 * @returns per hour and per month of 730 hours, each rounded half up by itself.
 * @throws RangeError when the amount is no plain decimal number.
 */
export function asleepRate({ amount, currency, per }: AsleepPrice, sizeGb: number): { readonly hour: Money; readonly month: Money } {
  const [, whole = "", fraction = ""] = /^(\d{1,6})(?:\.(\d{1,12}))?$/.exec(amount) ?? [];
  if (whole === "") throw new RangeError(`not a price: ${JSON.stringify(amount)}`);
  const unit = BigInt(whole) * 10n ** BigInt(TRILLIONTHS) + BigInt(fraction.padEnd(TRILLIONTHS, "0"));
  const thousandthsOfGb = per === "hour" ? 1000n : BigInt(Math.round(sizeGb * 1000));
  const scale = MICROS * 1000n * HOURS[per];
  const rounded = (hours: bigint) => ({ micros: (unit * thousandthsOfGb * hours + scale / 2n) / scale, currency });
  return { hour: rounded(1n), month: rounded(HOURS_A_MONTH) };
}

/** One line of the bill of an instance that sleeps. */
export interface AsleepBill {
  readonly item: AsleepItem;
  readonly value: Billed["value"];
  /** What it comes to, for this very instance; null where its price or its size is not known, or nothing is billed. */
  readonly rate: { readonly hour: Money; readonly month: Money } | null;
  /** The list price where `rate` does not come from it: of a disk of unknown size, and of what is billed only if it is kept. */
  readonly list: AsleepPrice | null;
  /** The provider's own answer about this very disk, rather than a list price. */
  readonly isLive: boolean;
  readonly sizeGb: number | null;
  readonly note: string | null;
  readonly source: Source;
}

/** What is known beforehand of the sleep of one instance. */
export interface Asleep {
  readonly way: "native" | "parked";
  /** The cloud has not said whether this very machine can be hibernated: where it cannot, it is parked. */
  readonly isAssumed: boolean;
  /**
   * `empty`: nothing of it outlives its machine. `no`: what it would come back with is gone. The others as `AsleepTerms.back`.
   */
  readonly back: AsleepTerms["back"]["value"] | "empty" | "no";
  readonly backNote: string | null;
  readonly backSource: Source;
  /** The ways back that there are, the cheapest first. */
  readonly rungs: readonly RungName[];
  readonly memory: AsleepTerms["memory"];
  readonly bills: readonly AsleepBill[];
  readonly kept: AsleepTerms["kept"];
  /** Why it certainly could not come back; nothing is put to sleep then unless its owner says so. */
  readonly refusals: readonly string[];
  /** What it is good to know before. */
  readonly warnings: readonly string[];
}
