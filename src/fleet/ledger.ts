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

/** The same intervals, ended. An end before the beginning (a clock that jumped) is an interval of no length. */
export function closedIntervals(open: readonly LedgerRecord[], at: number): readonly LedgerRecord[] {
  return open.filter((entry) => entry.to === null).map((entry) => ({ ...entry, to: Math.max(entry.from, at) }));
}
