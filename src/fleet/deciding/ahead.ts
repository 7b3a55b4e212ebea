import type { Successor } from "../../model/outlook.ts";
import { parsePrice, priceText } from "../../pricing/currency.ts";
import type { InstanceRecord } from "../../state/records.ts";
import type { CloudView } from "./decision.ts";
import { AHEAD_AGAIN_MS, AHEAD_MARGIN_MS, AWAITED_MS, LEAST_AHEAD_MS, USUAL_READY_MS } from "./policy.ts";

/**
 * Whether the machine that replaces this one is to be rented now, while its work is still being sealed. It boots at the same
 * price whenever it boots; what is paid for nothing is only the time that it waits, ready, for the volume. So it is rented
 * when what is left of the notice is what it takes until it is ready, and half a minute. Only where a volume is attached to
 * a machine that runs already: without its volume its agent begins nothing. Pure.
 */
export function isTimeAhead(record: InstanceRecord, canAttach: boolean, now: number): boolean {
  const { notice, outlook, spec } = record;
  if (!canAttach || notice?.kind !== "reclaim" || spec.onReclaim !== "replace" || spec.volume === null) return false;
  if (outlook.successor !== null || record.volumes.length === 0 || record.rootVolume !== null) return false;
  if (outlook.refusedAheadAt !== null && Math.abs(now - outlook.refusedAheadAt) < AHEAD_AGAIN_MS) return false;
  if (record.ttlEndsAt !== null && record.ttlEndsAt <= notice.deadline) return false;
  const left = notice.deadline - now;
  return left >= LEAST_AHEAD_MS && left <= (outlook.changeoverMs ?? USUAL_READY_MS) + AHEAD_MARGIN_MS;
}

/** Whether a machine that was rented ahead still has something to wait for: its forerunner is going, or gone. Pure. */
export function isAwaited({ desired, notice }: InstanceRecord, cloud: CloudView, now: number): boolean {
  return desired === "running" && (cloud.kind !== "here" || (notice?.kind === "reclaim" && now < notice.deadline + AWAITED_MS));
}

/** What a successor says about its machine, as a record keeps it. */
export function asSuccessor({ provider, region, zone, type, gpu, billing, price, onDemandPrice }: Successor) {
  const money = (text: string | null) => (text === null ? null : parsePrice(text));
  return { provider, region, zone, type, gpu, billing, price: money(price), onDemandPrice: money(onDemandPrice) };
}

/** The record as if its successor were its machine already, for the books. */
export function heirOf(record: InstanceRecord, successor: Successor): InstanceRecord {
  return { ...record, ...asSuccessor(successor), providerId: successor.providerId, generation: record.generation + 1 };
}

export function successorOf(
  token: string,
  offered: Pick<InstanceRecord, "provider" | "region" | "zone" | "type" | "gpu" | "billing" | "price" | "onDemandPrice">,
): Successor {
  const { price, onDemandPrice, ...place } = offered;
  return { ...place, token, providerId: null, price: price && priceText(price), onDemandPrice: onDemandPrice && priceText(onDemandPrice) };
}
