import type { ProviderInstance } from "../../providers/provider.ts";
import type { InstanceRecord } from "../../state/records.ts";
import type { Observation } from "./decision.ts";
import { OVERDUE_MS } from "./policy.ts";

/**
 * Whether its machine was asked for long ago and does not serve, and nobody was told of that since. Nothing but a restore has
 * a cap: a replacement comes up with nobody waiting for it, and may be paid for without end. Pure.
 */
export function isOverdue({ desired, readyAt, changedAt, outlook }: InstanceRecord, now: number): boolean {
  return desired === "running" && readyAt === null && now - changedAt >= OVERDUE_MS && (outlook.overdueToldAt ?? 0) < changedAt;
}

/** What is known of why a machine does not serve, for people. Pure. */
export function whyNotServing({ state, rawState, reach }: ProviderInstance, { guest, silence }: Observation): string {
  if (state !== "running" && state !== "reclaiming") return `the provider says ${rawState}`;
  if (guest?.awaitsVolume === true) return "its agent waits for its volume";
  if (guest?.awaitsCheckpoint != null) return `its workload waits for checkpoint ${guest.awaitsCheckpoint}, which is copied to it`;
  if (guest !== null && guest.phase !== "running" && guest.phase !== "exited") return `the agent is ${guest.phase}`;
  if (guest !== null) return "its workload was started, and its readiness check does not hold";
  return silence ?? (reach === null ? "its cloud does not say how it is reached" : "its agent does not answer");
}
