import { isOver } from "../../model/instance.ts";
import type { Money } from "../../model/money.ts";
import { BUNDLED_RATE, worthIn } from "../../pricing/currency.ts";
import { intervalCost } from "../../pricing/instance-cost.ts";
import type { InstanceRecord, LedgerRecord } from "../../state/records.ts";
import type { Fleet } from "../fleet.ts";

const MS_PER_HOUR = 3_600_000n;
/** What its machines cost is looked at again after so many milliseconds at the latest. */
const LOOK_MS = 5_000;
const SOONEST_LOOK_MS = 250;

/** What the machines of one instance cost from a moment on. */
export interface MoneyMeter {
  /** What is left of the money, in its micro-units; 0 as well where a machine costs nobody knows what. */
  left(): Promise<bigint>;
  /** Whether a machine of it was paid for since. */
  hadMachine(): Promise<boolean>;
  /** Looks until the money is used up. @throws the signal's reason. */
  untilUsedUp(signal: AbortSignal): Promise<void>;
}

/**
 * Counts by the ledger what each machine costs, whatever rung it was rented on. Time is taken from the clock that never jumps as
 * well: the dearer of the two counts. A machine that was there before counts from here on.
 */
export async function moneyMeter(fleet: Fleet, id: string, most: Money | null): Promise<MoneyMeter> {
  const { clock, exchange = BUNDLED_RATE } = fleet;
  const currency = most?.currency ?? "USD";
  const intervals = async () => (await fleet.state.ledger({ instanceId: id })).filter(({ kind }) => kind === "gpu");
  const micros = (amount: Money) => worthIn(amount, currency, exchange)?.micros ?? null;
  const before = new Map((await intervals()).map((entry) => [entry.id, { entry, cost: micros(intervalCost(entry, clock.now())) ?? 0n }]));
  const began = clock.now();
  // A machine that was gone before, and of which it is learnt only now what it may have cost, is none of ours.
  const isLate = ({ id: entry, from, to }: LedgerRecord) => !before.has(entry) && to !== null && from < began;
  const isOurs = (entry: LedgerRecord) => (before.get(entry.id)?.entry.to ?? null) === null && !isLate(entry);
  let metered = 0n;
  let uncounted = false;
  let lookedAt = clock.monotonic();

  async function spent(): Promise<{ readonly micros: bigint | null; readonly perHour: bigint }> {
    const now = clock.monotonic();
    const ms = BigInt(Math.max(0, Math.round(now - lookedAt)));
    lookedAt = now;
    const entries = (await intervals()).filter(isOurs);
    const open = entries.filter(({ to }) => to === null);
    const perHour = open.reduce((sum, { rate }) => sum + (micros(rate) ?? 0n), 0n);
    metered += (perHour * ms) / MS_PER_HOUR;
    const costs = entries.map((entry) => [micros(intervalCost(entry, clock.now())), before.get(entry.id)?.cost ?? 0n] as const);
    uncounted ||= costs.some(([cost]) => cost === null) || (open.length === 0 && isUncounted(await fleet.state.instance(id)));
    if (uncounted) return { micros: null, perHour };
    const booked = costs.reduce((sum, [cost, was]) => sum + (cost ?? 0n) - was, 0n);
    return { micros: booked > metered ? booked : metered, perHour };
  }

  async function look(): Promise<{ readonly left: bigint; readonly perHour: bigint }> {
    const { micros: so, perHour } = await spent();
    if (most === null) return { left: 1n, perHour };
    return { left: so === null || so >= most.micros ? 0n : most.micros - so, perHour };
  }

  return {
    left: async () => (await look()).left,
    hadMachine: async () => uncounted || (await intervals()).some(isOurs),
    async untilUsedUp(signal) {
      for (;;) {
        const { left, perHour } = await look();
        if (left <= 0n) return;
        const ms = perHour <= 0n ? LOOK_MS : Number((left * MS_PER_HOUR) / perHour);
        await clock.sleep(Math.min(LOOK_MS, Math.max(SOONEST_LOOK_MS, ms)), signal);
      }
    },
  };
}

/** It has a machine that is paid for, and nobody knows at what price: no interval of it was ever opened. */
function isUncounted(record: InstanceRecord | undefined): boolean {
  if (record === undefined || record.price !== null || record.providerId === null) return false;
  return record.state !== "hibernated" && !isOver(record.state);
}
