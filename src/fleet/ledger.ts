import type { InstanceRecord, LedgerRecord } from "../state/records.ts";

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
