import type { Money } from "../model/money.ts";
import type { BilledItem } from "../providers/provider.ts";
import type { LedgerRecord } from "../state/records.ts";
import { call, type Fleet } from "./fleet.ts";

/** Our clock and the provider's differ by a little: an item may begin before its interval does. */
const EARLIER_MS = 3_600_000;
const MS_PER_HOUR = 3_600_000n;

/**
 * Replaces estimates of finished intervals by what the provider says it charged, where it says so.
 * @returns the providers that did not answer.
 */
export async function followBilling(
  fleet: Fleet,
  since: number,
  signal: AbortSignal,
): Promise<readonly { readonly provider: string; readonly why: string }[]> {
  const entries = await fleet.state.ledger({ since });
  const unbilled = entries.filter((entry) => entry.to !== null && entry.billed === null);
  const silent: { readonly provider: string; readonly why: string }[] = [];
  for (const id of new Set(unbilled.map((entry) => entry.provider))) {
    try {
      const { billing } = await fleet.provider(id);
      if (billing === undefined) continue;
      const own = entries.filter((entry) => entry.provider === id);
      const earliest = Math.min(...own.map((entry) => entry.from));
      const items = await call(signal, (context) => billing.billed(Math.max(0, earliest - EARLIER_MS), context));
      const ledger = [...billedIntervals(own, items), ...sleepingDisks(own, items)];
      if (ledger.length > 0) await fleet.state.commit({ ledger });
    } catch (error) {
      if (signal.aborted) throw error;
      silent.push({ provider: id, why: error instanceof Error ? error.message : String(error) });
    }
  }
  return silent;
}

/**
 * The finished intervals that the items say the price of. Each item belongs to one interval, the one of its resource
 * that it shares most time with, so that nothing is counted twice. Pure.
 */
export function billedIntervals(entries: readonly LedgerRecord[], items: readonly BilledItem[]): readonly LedgerRecord[] {
  const sums = new Map<string, Money>();
  for (const item of items) {
    const candidates = entries.filter((entry) => entry.providerId === item.resourceId && entry.kind === item.kind);
    const best = candidates.reduce<LedgerRecord | undefined>(
      (winner, entry) => (winner === undefined || sharedMs(item, entry) > sharedMs(item, winner) ? entry : winner),
      undefined,
    );
    if (best === undefined) continue;
    const sum = sums.get(best.id);
    if (sum !== undefined && sum.currency !== item.amount.currency) continue;
    sums.set(best.id, { micros: (sum?.micros ?? 0n) + item.amount.micros, currency: item.amount.currency });
  }
  return entries.flatMap((entry) => {
    const billed = sums.get(entry.id);
    return billed === undefined || entry.to === null || entry.billed !== null ? [] : [{ ...entry, billed }];
  });
}

/**
 * What a hibernated machine's own disk was billed for: items of kind disk that name a machine. We keep no interval of
 * ours for them, so each becomes one; asked again, it replaces itself. Pure.
 */
export function sleepingDisks(entries: readonly LedgerRecord[], items: readonly BilledItem[]): readonly LedgerRecord[] {
  return items.flatMap((item) => {
    const machine = entries.find((entry) => entry.kind === "gpu" && entry.providerId === item.resourceId);
    if (item.kind !== "disk" || machine === undefined || item.to <= item.from) return [];
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

/** Milliseconds in common; negative is how far they are apart. */
function sharedMs(item: BilledItem, entry: LedgerRecord): number {
  return Math.min(item.to, entry.to ?? Number.POSITIVE_INFINITY) - Math.max(item.from, entry.from);
}
