import { durationText } from "./duration.ts";
import type { InstanceState } from "./instance.ts";
import { type Money, moneyText } from "./money.ts";

/** The workload of a machine has ended by itself, as its agent said. */
export interface WorkloadEnd {
  /** The provider's id of the machine: a replacement has a workload of its own. */
  readonly machine: string;
  /** The exit code of its command; 128 and more: a signal ended it. */
  readonly code: number;
  /** When, in epoch milliseconds by our clock; when we learnt of it, where the agent does not say. */
  readonly at: number;
  /** The same as the machine's own clock had it, in epoch seconds: two ends that differ in it are two. Null where the agent does not say. */
  readonly stamp: number | null;
}

interface Ending {
  readonly providerId: string | null;
  readonly state: InstanceState;
  readonly changedAt: number;
  readonly outlook: { readonly ended?: WorkloadEnd | null };
}

/** States in which a machine may hold a workload. */
const HOLDS: readonly InstanceState[] = ["provisioning", "running", "reclaiming", "restoring", "unknown"];
/** An agent says its times by the second. */
const SECOND_MS = 1_000;

/** How the workload of the machine that it has now ended, as far as anybody heard; null while it works or there is no machine. Pure. */
export function workloadEnd({ providerId, state, changedAt, outlook: { ended } }: Ending): WorkloadEnd | null {
  if (ended == null || ended.machine !== providerId || !HOLDS.includes(state)) return null;
  // Most machines begin their workload anew when they wake; until the agent has said so, nobody knows.
  return state === "restoring" && ended.at < changedAt - SECOND_MS ? null : ended;
}

/**
 * Its command has failed, since then (epoch milliseconds): it will not be ready any more. One that ended with 0 may have left
 * something running. Pure.
 */
export function hasFailed(record: Ending, since = 0): boolean {
  const end = workloadEnd(record);
  return end !== null && end.code !== 0 && end.at >= since - SECOND_MS;
}

/** "ended 1, 3m ago". Pure. */
export function workloadEndText({ code, at }: Pick<WorkloadEnd, "code" | "at">, now: number): string {
  return `ended ${code}, ${durationText(Math.max(0, now - at))} ago`;
}

interface Billing {
  readonly price: Money | null;
  readonly ttlEndsAt: number | null;
  readonly idleMs: number | null;
}

/** Who ends a machine whose command is over, for people: the GPU bills until then. Pure. */
export function billsUntil({ price, ttlEndsAt, idleMs }: Billing, now: number): string {
  const rate = price === null ? "" : ` at about ${moneyText(price)}/hour`;
  const ends = [
    ...(ttlEndsAt === null ? [] : [`its TTL is over, in ${durationText(Math.max(0, ttlEndsAt - now))}`]),
    ...(idleMs === null ? [] : [`it has been idle for ${durationText(idleMs)}`]),
  ];
  return `its machine runs on and bills${rate} until ${ends.length === 0 ? "you end it" : ends.join(", or ")}`;
}
