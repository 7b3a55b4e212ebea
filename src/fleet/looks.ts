import type { InstanceRecord } from "../state/records.ts";
import type { CloudView } from "./deciding/decision.ts";

/** A machine of which nobody saw when it began to serve within so long serves since nobody knows when. */
const WATCHED_MS = 60_000;

/** When a machine was last looked at that did not serve yet, by instance. Only for as long as a process lives. */
export type Looks = Map<string, { readonly providerId: string; readonly at: number }>;

/** Keeps that a machine that was launched did not serve at this look. */
export function noteNotServing(looks: Looks | undefined, { id, state, providerId }: InstanceRecord, cloud: CloudView, at: number): void {
  if (state === "provisioning" && providerId !== null && cloud.kind === "here") looks?.set(id, { providerId, at });
}

/**
 * From the answer to a launch until the machine served (`at`), in milliseconds. Null when it is no launch that has ended so, or when
 * the look before was too long ago: then it served since nobody knows when.
 */
export function changeover({ id, state, providerId, changedAt }: InstanceRecord, looks: Looks | undefined, at: number): number | null {
  const before = looks?.get(id);
  looks?.delete(id);
  if (state !== "provisioning" || before === undefined || before.providerId !== providerId) return null;
  return at < before.at || at - before.at > WATCHED_MS ? null : Math.max(0, at - changedAt);
}
