import { groupedBy } from "../model/grouped-by.ts";
import type { Money } from "../model/money.ts";
import { isEstimatedByUs } from "../pricing/ledger-part.ts";
import type { BilledItem } from "../providers/provider.ts";
import type { LedgerRecord } from "../state/records.ts";
import { call, type Fleet } from "./fleet.ts";

/** Our clock and the provider's differ by a little: an item may begin before its interval does. */
const EARLIER_MS = 3_600_000;
const MS_PER_HOUR = 3_600_000n;

/** An item of a bill that no interval of ours explains. */
export interface UnmatchedItem extends BilledItem {
  readonly provider: string;
}

/** What the providers said when they were asked for their bills. */
export interface BillingHeard {
  /** Those that did not answer. */
  readonly silent: readonly { readonly provider: string; readonly why: string }[];
  /** Those that have a bill to be asked for, and answered. */
  readonly answered: readonly string[];
  readonly unmatched: readonly UnmatchedItem[];
}

/**
 * Replaces estimates of finished intervals that reach past `since` by what the provider says it charged, where it says so. What
 * it says last holds.
 */
export async function followBilling(fleet: Fleet, since: number, signal: AbortSignal): Promise<BillingHeard> {
  const entries = await fleet.state.ledger();
  const silent: { readonly provider: string; readonly why: string }[] = [];
  const answered: string[] = [];
  const unmatched: UnmatchedItem[] = [];
  const asked = entries.filter(({ to }) => to !== null && to > since);
  for (const id of new Set(asked.map((entry) => entry.provider))) {
    try {
      const { billing } = await fleet.provider(id);
      if (billing === undefined) continue;
      const own = entries.filter((entry) => entry.provider === id);
      const earliest = asked.reduce(
        (first, entry) => (entry.provider === id ? Math.min(first, entry.from) : first),
        Number.POSITIVE_INFINITY,
      );
      const items = await call(signal, (context) => billing.billed(Math.max(0, earliest - EARLIER_MS), context));
      // Of an older interval only a part may have been told.
      const billed = billedIntervals(own, items).filter(({ from }) => from >= earliest);
      const ledger = [...billed, ...sleepingDisks(own, items)];
      if (ledger.length > 0) await fleet.state.commit({ ledger });
      answered.push(id);
      unmatched.push(...unmatchedItems(own, items).map((item) => ({ ...item, provider: id })));
    } catch (error) {
      if (signal.aborted) throw error;
      silent.push({ provider: id, why: error instanceof Error ? error.message : String(error) });
    }
  }
  return { silent, answered, unmatched };
}

/** The intervals of each resource, by its id. */
type ByResource = ReadonlyMap<string, readonly LedgerRecord[]>;

function byResource(entries: readonly LedgerRecord[]): ByResource {
  return groupedBy(entries, ({ providerId }) => providerId);
}

/** What of an item is for an interval. */
interface Share {
  readonly entry: LedgerRecord;
  readonly micros: bigint;
}

/**
 * An item, divided over the intervals of its resource by the time that it shares with each: a price that moved makes several of one
 * machine. Where it shares none, all of it is for the nearest. The shares add up to it; none when it lies near no interval.
 */
function sharesOf(entries: ByResource, item: BilledItem): readonly Share[] {
  const near = (entries.get(item.resourceId) ?? [])
    .filter((entry) => entry.kind === item.kind && isEstimatedByUs(entry))
    .map((entry) => ({ entry, ms: Math.round(sharedMs(item, entry)) }))
    .filter(({ ms }) => ms > -EARLIER_MS);
  const within = near.filter(({ ms }) => ms > 0);
  if (within.length === 0)
    return near
      .sort((a, b) => b.ms - a.ms)
      .slice(0, 1)
      .map(({ entry }) => ({ entry, micros: item.amount.micros }));
  const total = BigInt(within.reduce((sum, { ms }) => sum + ms, 0));
  let [shared, given] = [0n, 0n];
  return within.map(({ entry, ms }) => {
    shared += BigInt(ms);
    const micros = (item.amount.micros * shared) / total - given;
    given += micros;
    return { entry, micros };
  });
}

/**
 * The finished intervals that the items say another price of than is known. What of an item is for one that has not ended stays an
 * estimate until it has. Pure.
 */
export function billedIntervals(entries: readonly LedgerRecord[], items: readonly BilledItem[]): readonly LedgerRecord[] {
  const sums = new Map<string, Money>();
  const resources = byResource(entries);
  for (const item of items) {
    const { currency } = item.amount;
    for (const { entry, micros } of sharesOf(resources, item)) {
      const sum = sums.get(entry.id);
      if (sum === undefined || sum.currency === currency) sums.set(entry.id, { micros: (sum?.micros ?? 0n) + micros, currency });
    }
  }
  return entries.flatMap((entry) => {
    const billed = sums.get(entry.id);
    if (billed === undefined || entry.to === null) return [];
    const isKnown = entry.billed?.micros === billed.micros && entry.billed.currency === billed.currency;
    return isKnown ? [] : [{ ...entry, billed }];
  });
}

/** The machine whose own disk an item is about: of kind disk, and named like a machine. */
function sleeperOf(entries: ByResource, item: BilledItem): LedgerRecord | undefined {
  if (item.kind !== "disk" || item.to <= item.from) return undefined;
  return entries.get(item.resourceId)?.find(({ kind }) => kind === "gpu");
}

/**
 * What a hibernated machine's own disk was billed for: items of kind disk that name a machine. We keep no interval of
 * ours for them, so each becomes one; asked again, it replaces itself. Pure.
 */
export function sleepingDisks(entries: readonly LedgerRecord[], items: readonly BilledItem[]): readonly LedgerRecord[] {
  const resources = byResource(entries);
  return items.flatMap((item) => {
    const machine = sleeperOf(resources, item);
    if (machine === undefined) return [];
    const rate = { micros: (item.amount.micros * MS_PER_HOUR) / BigInt(Math.round(item.to - item.from)), currency: item.amount.currency };
    return [
      {
        ...machine,
        id: `${item.resourceId}/disk/${item.from}`,
        kind: "disk" as const,
        from: item.from,
        to: item.to,
        rate,
        onDemandRate: rate,
        billed: item.amount,
      },
    ];
  });
}

/** What a bill says that no interval of ours explains: a machine that was not rented by us, or longer than we know. Pure. */
export function unmatchedItems(entries: readonly LedgerRecord[], items: readonly BilledItem[]): readonly BilledItem[] {
  const resources = byResource(entries);
  return items.filter((item) => sharesOf(resources, item).length === 0 && sleeperOf(resources, item) === undefined);
}

/** Milliseconds in common; negative is how far they are apart. */
function sharedMs(item: BilledItem, entry: LedgerRecord): number {
  return Math.min(item.to, entry.to ?? Number.POSITIVE_INFINITY) - Math.max(item.from, entry.from);
}
