import type { Money } from "../model/money.ts";
import type { InstanceRecord, LedgerRecord } from "../state/records.ts";

/**
 * What the next machine of a record costs per hour at the least: nobody may have told the price of one that was taken over. An
 * early question whether there is room asks with it; the promise of a machine asks again, with the price of what is on offer.
 */
export function leastRate({ price }: Pick<InstanceRecord, "price">): Money {
  return price ?? { micros: 0n, currency: "USD" };
}

/** The interval that begins when a machine starts to be paid for. Its id makes a second opening the same interval. */
export function openedInterval(record: InstanceRecord, providerId: string, from: number): LedgerRecord | null {
  if (record.price === null) return null;
  return {
    id: `${record.id}/${record.generation}/${from}`,
    instanceId: record.id,
    instance: record.name,
    fleet: record.fleet,
    provider: record.provider,
    providerId,
    kind: "gpu",
    billing: record.billing,
    from,
    to: null,
    rate: record.price,
    onDemandRate: record.onDemandPrice,
    billed: null,
  };
}

/** Once in so long it is written down that the machine of an interval was found, in milliseconds. */
export const SEEN_EVERY_MS = 1_800_000;

/** The ids of the intervals of machines that were found, of which that is to be written down. Pure. */
export function dueToBeSeen(found: readonly LedgerRecord[], now: number): readonly string[] {
  // A clock that was set back makes nobody wait.
  return found.filter(({ seenAt }) => seenAt === undefined || Math.abs(now - seenAt) >= SEEN_EVERY_MS).map(({ id }) => id);
}

/** The same intervals, ended. An end before the beginning (a clock that jumped) is an interval of no length. */
export function closedIntervals(open: readonly LedgerRecord[], at: number): readonly LedgerRecord[] {
  return open.filter((entry) => entry.to === null).map((entry) => ({ ...entry, to: Math.max(entry.from, at) }));
}
