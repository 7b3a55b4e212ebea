import { groupedBy } from "../model/grouped-by.ts";
import type { LedgerRecord } from "../state/records.ts";

/**
 * What was paid for nothing. `work`: what had not been sealed yet when a machine was taken. `wakes`: a restore that did not serve
 * in time and was put back to sleep. `restarts`: from when a machine was taken until the next one served.
 */
export const LOSS_KINDS = ["work", "wakes", "restarts"] as const;
export type LossKind = (typeof LOSS_KINDS)[number];

/** `unsealed`: what a machine did that was taken before anything of it was sealed. Whether that was in vain nobody knows. */
const KINDS = [...LOSS_KINDS, "unsealed"] as const;
export type LossOrDoubt = (typeof KINDS)[number];

/** A stretch of time in which the machines of an instance were paid for in vain. Epoch milliseconds. */
export interface Loss {
  readonly kind: LossOrDoubt;
  /** The instance's name. */
  readonly instance: string;
  /** The one machine that it is about; null for all of the instance's. */
  readonly providerId: string | null;
  readonly from: number;
  readonly to: number;
}

/** Losses, by what they are about. */
export interface LossBook {
  /** The moments within the interval at which something is lost that was not before, or the other way round. */
  cutsOf(record: LedgerRecord, from: number, to: number): readonly number[];
  /** Why that moment of the interval was, or may have been, paid for in vain; null where it was not. */
  at(record: LedgerRecord, moment: number): LossOrDoubt | null;
}

export function lossBook(losses: readonly Loss[]): LossBook {
  const byInstance = groupedBy(
    losses.filter(({ from, to }) => to > from),
    ({ instance }) => instance,
  );
  const about = (record: LedgerRecord) => {
    if (record.kind !== "gpu" || byInstance.size === 0) return [];
    return (byInstance.get(record.instance) ?? []).filter(({ providerId }) => providerId === null || providerId === record.providerId);
  };
  return {
    cutsOf: (record, from, to) => about(record).flatMap((loss) => [loss.from, loss.to].filter((at) => at > from && at < to)),
    at(record, moment) {
      const there = about(record).filter((loss) => loss.from <= moment && moment < loss.to);
      // What was computed and lost is lost only once, whatever else was going on.
      return KINDS.find((kind) => there.some((loss) => loss.kind === kind)) ?? null;
    },
  };
}
