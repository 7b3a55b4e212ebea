import type { ReadyBy, Wake, WakeOutcome, WakeUnderWay } from "../../model/wake.ts";
import { wakeAccepted, wakeBegun, wakePhases } from "../../model/wake.ts";
import type { Change, InstanceRecord, InstanceSpec } from "../../state/records.ts";

type Settable = NonNullable<Change["instance"]>["set"];

/** How it will be known that it serves. */
export function readyBy({ readyHttp, readyCmd, command }: Pick<InstanceSpec, "readyHttp" | "readyCmd" | "command">): readonly ReadyBy[] {
  const asked = [...(readyHttp === null ? [] : (["http"] as const)), ...(readyCmd === null ? [] : (["command"] as const))];
  if (asked.length > 0) return asked;
  return [command.length > 0 ? "started" : "agent"];
}

function outcomeOf(set: Settable): WakeOutcome | null {
  if (set.desired === "gone") return "ended";
  if (set.desired === "hibernated") return "asleep";
  if (set.state === "gone") return "ended";
  return (set.state === "running" || set.state === "reclaiming") && set.readyAt != null ? "ready" : null;
}

function ended(record: InstanceRecord, wake: WakeUnderWay, outcome: WakeOutcome, now: number): Wake {
  const { spec, provider, zone, outlook } = record;
  // Nothing ends before it begins, also not by a clock that was set back meanwhile.
  const at = Math.max(wake.startedAt, now);
  // Beside a copy that still lacks its checkpoint the volume itself is named.
  const { phases, during } = wakePhases(wake, at, outcome === "ready", spec.volume !== null, record.volumes.length > 1);
  return {
    startedAt: wake.startedAt,
    endedAt: at,
    outcome,
    during,
    rung: outlook.comeback?.rung ?? null,
    readyBy: readyBy(spec),
    provider,
    zone,
    phases,
  };
}

/**
 * What a change of a record means for its wake: one begins, its machine is asked for, or it ends. Asked of every change, so
 * that no path that leads to or from sleep has to think of it. Pure.
 * @returns what to set of the outlook besides (undefined: nothing), and the wake that has ended with it.
 */
export function crossWake(
  record: InstanceRecord,
  set: Settable,
  at: number,
): { readonly outlook?: InstanceRecord["outlook"]; readonly wake?: Wake } {
  const current = record.outlook.wake ?? null;
  const outlook = set.outlook ?? record.outlook;
  if (current === null) {
    // One that is only on its way to sleep is woken by a command, which says by when; else its sleep was refused.
    const isAsleep = record.state === "hibernated" || (record.state === "hibernating" && set.wakeBy != null);
    if (set.desired !== "running" || record.desired === "running" || !isAsleep) return {};
    return { outlook: { ...outlook, wake: wakeBegun(at) } };
  }
  const outcome = outcomeOf(set);
  if (outcome !== null) {
    const { wake: _, ...rest } = outlook;
    return { outlook: rest, wake: ended(record, current, outcome, at) };
  }
  if (set.state === "provisioning" || set.state === "restoring") return { outlook: { ...outlook, wake: wakeAccepted(current, at) } };
  return {};
}
