import type { Reach } from "../../providers/provider.ts";
import type { InstanceRecord } from "../../state/records.ts";
import { isUp } from "../deciding/decide.ts";
import type { OwnPace } from "./pace.ts";

/** One machine whose agent can be heard. */
export interface Heard {
  /** Our id of the instance. */
  readonly id: string;
  readonly provider: string;
  readonly providerId: string;
  readonly reach: Reach;
  readonly noticeSeconds: number;
  /** It is under notice already. */
  readonly isUrgent: boolean;
  readonly isSpot: boolean;
  /** Its cloud's list is asked every second and tells the same: its agent is listened to where there is a place, never asked. */
  readonly isNear: boolean;
}

export function keyOf({ provider, providerId }: { readonly provider: string; readonly providerId: string }): string {
  return `${provider} ${providerId}`;
}

/** Who is listened to, and who is asked in turns; by key. */
export interface Places {
  readonly streams: ReadonlyMap<string, Heard>;
  readonly turns: ReadonlyMap<string, Heard>;
}

/**
 * Gives the places away. Who has one keeps it, so that connections are not made and broken for nothing; then whoever is under
 * notice, then the shortest notices, and of those whatever can be reclaimed at all. Pure.
 * @param mute agents that cannot be listened to, only asked.
 */
export function whoIsHeard(machines: readonly Heard[], listenedTo: ReadonlySet<string>, mute: ReadonlySet<string>, places: number): Places {
  const rank = (machine: Heard) => [
    listenedTo.has(keyOf(machine)) ? 0 : 1,
    machine.isUrgent ? 0 : 1,
    machine.isSpot ? 0 : 1,
    machine.isNear ? 1 : 0,
    machine.noticeSeconds,
  ];
  const ranked = machines
    .filter((machine) => !mute.has(keyOf(machine)))
    .map((machine) => ({ machine, ranks: rank(machine) }))
    .sort((one, other) => {
      const at = one.ranks.findIndex((value, index) => value !== other.ranks[index]);
      return at < 0 ? 0 : (one.ranks[at] ?? 0) - (other.ranks[at] ?? 0);
    });
  const streams = new Map(ranked.slice(0, places).map(({ machine }) => [keyOf(machine), machine]));
  const rest = machines.filter((machine) => !machine.isNear && !streams.has(keyOf(machine)));
  return { streams, turns: new Map(rest.map((machine) => [keyOf(machine), machine])) };
}

/** The machines of ours that are up, can be reached, and whose agents hear of notices themselves. */
export function heardMachines(records: readonly InstanceRecord[], { latest }: OwnPace): readonly Heard[] {
  const doors = new Map<string, Reach>();
  for (const [provider, { listing, provider: of }] of latest) {
    if (of.capabilities.machine.notices === "controller") continue;
    for (const { providerId, reach, state } of listing)
      if (reach !== null && (state === "running" || state === "reclaiming")) doors.set(keyOf({ provider, providerId }), reach);
  }
  if (doors.size === 0) return [];
  return records.flatMap((record): readonly Heard[] => {
    const { id, provider, providerId, notice, billing } = record;
    const reach = providerId === null ? undefined : doors.get(keyOf({ provider, providerId }));
    const cloud = latest.get(provider)?.provider.capabilities;
    if (providerId === null || reach === undefined || cloud === undefined || !isUp(record) || record.desired !== "running") return [];
    const { noticeSeconds, machine } = cloud;
    const isNear = machine.kind === "process";
    return [{ id, provider, providerId, reach, noticeSeconds, isUrgent: notice !== null, isSpot: billing === "spot", isNear }];
  });
}
