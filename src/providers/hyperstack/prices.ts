import type { Money } from "../../model/money.ts";
import type { CallContext } from "../provider.ts";
import type { Api } from "./api.ts";
import { dollars, pricebookSchema, timeOf, type WirePricebook } from "./wire.ts";

/** Prices by resource name, in US dollars: a GPU's is per GPU and hour, a disk's per GB and hour. */
export interface Prices {
  /** For so many units an hour; null when the book has no price for it or says that it is nothing. */
  of(name: string | null, units: number): Money | null;
}

export interface Pricebook {
  /** As the cloud says now. */
  ask(context: CallContext): Promise<Prices>;
  /** Not older than some minutes; undefined when the cloud does not tell, for a price is no reason to miss a machine. */
  recent(context: CallContext): Promise<Prices | undefined>;
}

const RECENT_MS = 300_000;

/** The row of a name that holds now: begun and not over; of several the one that began last. */
function rowsNow(book: WirePricebook, now: number): ReadonlyMap<string, WirePricebook[number]> {
  const rows = new Map<string, WirePricebook[number]>();
  for (const row of book) {
    const from = timeOf(row.start_time) ?? Number.NEGATIVE_INFINITY;
    const to = timeOf(row.end_time) ?? Number.POSITIVE_INFINITY;
    if (row.name === null || from > now || to <= now) continue;
    const other = rows.get(row.name);
    if (other === undefined || (timeOf(other.start_time) ?? Number.NEGATIVE_INFINITY) <= from) rows.set(row.name, row);
  }
  return rows;
}

/** @param now in epoch milliseconds, by the clock of the cloud. */
export function pricesOf(book: WirePricebook, now: number): Prices {
  const rows = rowsNow(book, now);
  return {
    of(name, units) {
      const price = dollars(name === null ? null : (rows.get(name)?.value ?? null), units);
      return price === null || price.micros <= 0n ? null : price;
    },
  };
}

export function pricebook(api: Api): Pricebook {
  let kept: { readonly prices: Prices; readonly at: number } | undefined;
  const ask = async (context: CallContext) => {
    const book = await api.read(pricebookSchema, "/pricebook", context);
    kept = { prices: pricesOf(book, api.now() + api.clockOffsetMs()), at: api.now() };
    return kept.prices;
  };
  return {
    ask,
    async recent(context) {
      if (kept !== undefined && api.now() - kept.at < RECENT_MS) return kept.prices;
      return ask(context).catch(() => kept?.prices);
    },
  };
}
