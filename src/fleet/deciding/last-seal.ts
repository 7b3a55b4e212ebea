import type { ProviderInstance } from "../../providers/provider.ts";
import type { InstanceRecord } from "../../state/records.ts";
import type { Observation } from "./decision.ts";
import { SEAL_AGAIN_MS, UNSEALED_GRACE_MS } from "./policy.ts";

/** Its sleep or its end was written down already, and is only to be asked for once more. Pure. */
export function isOnItsWay({ desired, state }: Pick<InstanceRecord, "desired" | "state">): boolean {
  return state === (desired === "gone" ? "terminating" : "hibernating");
}

/**
 * Whether a checkpoint is made before the machine sleeps or ends: of every one that served and can be come into, unless nobody
 * wants one. It is made once. Where the workload works on until the very end (a volume that is a disk was let go by then) and
 * that end is put off, what it has done since is sealed as well. Pure.
 */
export function sealsLast(record: InstanceRecord, { state }: ProviderInstance, { now, machine }: Observation): boolean {
  const { readyAt, skipSnapshot, spec, changedAt, outlook } = record;
  if ((state !== "running" && state !== "reclaiming") || skipSnapshot || readyAt === null) return false;
  if (!isOnItsWay(record)) return true;
  return spec.volume !== null && machine.volumes === "mounted" && now - Math.max(changedAt, outlook.sealedAgainAt ?? 0) > SEAL_AGAIN_MS;
}

/** Whether its time is up for so long that it sleeps or ends although nothing can be sealed of it. Pure. */
export function goesUnsealed({ outlook }: Pick<InstanceRecord, "outlook">, now: number): boolean {
  const from = outlook.endsUnsealedAt ?? null;
  // A clock that was set back must not keep it running.
  return from !== null && (now >= from || from - now > UNSEALED_GRACE_MS);
}
