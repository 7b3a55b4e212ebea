import { CLOUD_SLACK_MS } from "../model/guard.ts";
import type { Capabilities } from "../providers/provider.ts";
import type { InstanceRecord, LedgerRecord, NewEvent } from "../state/records.ts";
import type { CloudView } from "./deciding/decision.ts";
import { openedInterval } from "./ledger.ts";

/** What comes up is looked at every few seconds. A machine at which nobody looked for so long may have worked meanwhile. */
const UNWATCHED_MS = 300_000;

/** When a machine that is gone had ended at the latest: by its notice, or by its time where it ends itself; else when that was seen. */
export function endedBy(
  { notice, ttlEndsAt }: Pick<InstanceRecord, "notice" | "ttlEndsAt">,
  { machine, endsAtTtl }: Pick<Capabilities, "machine" | "endsAtTtl">,
  now: number,
): number {
  // A deadline that is our own assumption may have been too early.
  const byNotice = notice?.kind === "reclaim" && notice.assumed === undefined ? notice.deadline : now;
  const byTime = ttlEndsAt !== null && (machine.endsItself || endsAtTtl) ? ttlEndsAt + CLOUD_SLACK_MS : now;
  return Math.min(now, byNotice, byTime);
}

/** Whether a machine that was asked for is over: what is over is not what sleeps, or never left its sleep. */
function isOver(cloud: CloudView): boolean {
  return cloud.kind === "gone" || (cloud.kind === "here" && ["terminating", "stopped", "gone"].includes(cloud.instance.state));
}

/**
 * The interval of a machine that was asked for, and at which nobody looked until it was over: whether and how long it was paid for
 * nobody saw. It counts from when it was had to when it had ended at the latest: more than it cost, rather than nothing. It is held
 * against no price on demand: of hours that nobody saw nothing was saved. Null where it was seen, or came to nothing at once. Pure.
 * @param known the intervals of the record so far.
 */
export function unwatchedLife(
  record: InstanceRecord,
  cloud: CloudView,
  capabilities: Pick<Capabilities, "machine" | "endsAtTtl">,
  known: readonly LedgerRecord[],
  now: number,
): LedgerRecord | null {
  const { providerId, state } = record;
  // One that was found by its token had been there before.
  const made = state === "provisioning" && (cloud.kind === "gone" || cloud.kind === "here") ? (cloud.instance?.createdAt ?? null) : null;
  const from = Math.min(record.changedAt, made ?? record.changedAt);
  if (providerId === null || (state !== "provisioning" && state !== "restoring") || !isOver(cloud)) return null;
  if (now - from < UNWATCHED_MS || known.some((entry) => entry.providerId === providerId && entry.from >= from)) return null;
  const opened = openedInterval(record, providerId, from);
  return opened === null ? null : { ...opened, onDemandRate: null, to: Math.max(from, endedBy(record, capabilities, now)) };
}

/** That nobody saw it is said with what was counted. */
export function unwatchedEvent({ name, provider }: Pick<InstanceRecord, "name" | "provider">, life: LedgerRecord, at: number): NewEvent {
  const message = `nobody looked at its machine ${life.providerId} until it was gone: what it cost is estimated, at the most that it can be`;
  const until = life.to === null ? null : new Date(life.to).toISOString();
  return {
    at,
    type: "warning",
    instance: name,
    provider,
    data: { guard: "ledger", message, from: new Date(life.from).toISOString(), until },
  };
}
