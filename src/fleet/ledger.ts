import type { Money } from "../model/money.ts";
import type { Capabilities, ProviderInstance } from "../providers/provider.ts";
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

/** Clocks of two computers differ by less than this, in milliseconds: what was seen later than that in the future, a wrong one wrote. */
const AHEAD_MS = 24 * 3_600_000;

/** The ids of the intervals of machines that were found, of which that is to be written down. Pure. */
export function dueToBeSeen(found: readonly LedgerRecord[], now: number): readonly string[] {
  const isDue = (seenAt: number) => now - seenAt >= SEEN_EVERY_MS || seenAt - now > AHEAD_MS;
  return found.filter(({ seenAt }) => seenAt === undefined || isDue(seenAt)).map(({ id }) => id);
}

/** The same intervals, ended. An end before the beginning (a clock that jumped) is an interval of no length. */
export function closedIntervals(open: readonly LedgerRecord[], at: number): readonly LedgerRecord[] {
  return open.filter((entry) => entry.to === null).map((entry) => ({ ...entry, to: Math.max(entry.from, at) }));
}

/**
 * What a machine costs an hour from now on: what is known, or first told; where its cloud bills a market that moves, what the cloud
 * says now, once it may move for this machine. Processes remember prices, each its own: only what was told after `since`, from when
 * on the price of the record counts, can move it, or two of them would change it in turn. The very amount of the record where
 * nothing has changed. Pure.
 */
export function priceNow(
  { price }: Pick<InstanceRecord, "price">,
  { price: told, pricedAt, billing, protectedUntil }: Pick<ProviderInstance, "price" | "pricedAt" | "billing" | "protectedUntil">,
  { billsMarketPrice }: Pick<Capabilities, "billsMarketPrice">,
  now: number,
  since: number,
): Money | null {
  if (price === null || told === null) return price ?? told;
  const moves = billsMarketPrice && billing === "spot" && now >= (protectedUntil ?? 0) && (pricedAt ?? now) > since;
  return moves && (told.micros !== price.micros || told.currency !== price.currency) ? told : price;
}

/**
 * A machine's intervals at no price, where its cloud took it so early that it charges nothing; none where it charges, or does not
 * say who ended it. A machine that was started again is as old as its first interval. Pure.
 * @param known the intervals of its instance so far; @param changed those that are about to be written down.
 */
export function freeOfCharge(
  known: readonly LedgerRecord[],
  changed: readonly LedgerRecord[],
  { providerId, billing, endedBy, createdAt }: Pick<ProviderInstance, "providerId" | "billing" | "endedBy" | "createdAt">,
  { freeIfReclaimedWithinMs }: Pick<Capabilities, "freeIfReclaimedWithinMs">,
): readonly LedgerRecord[] {
  if (endedBy !== "provider" || billing !== "spot") return [];
  const all = new Map([...known, ...changed].map((entry) => [entry.id, entry]));
  const own = [...all.values()].filter((entry) => entry.kind === "gpu" && entry.providerId === providerId);
  const began = Math.min(...own.map(({ from }) => from), createdAt ?? Number.POSITIVE_INFINITY);
  const ended = Math.max(...own.map(({ to }) => to ?? Number.POSITIVE_INFINITY));
  if (ended - began >= freeIfReclaimedWithinMs) return [];
  return own
    .filter(({ rate, billed }) => rate.micros > 0n && billed === null)
    .map((entry) => ({ ...entry, rate: { ...entry.rate, micros: 0n } }));
}
