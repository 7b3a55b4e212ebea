import * as v from "valibot";
import { RUNGS } from "../../model/comeback.ts";
import type { FleetEvent } from "../../model/event.ts";
import type { Wake } from "../../model/wake.ts";
import type { NewEvent, State } from "../../state/records.ts";

const time = v.pipe(v.number(), v.finite());

const wakeSchema = v.object({
  startedAt: time,
  endedAt: time,
  outcome: v.picklist(["ready", "asleep", "ended"]),
  during: v.nullable(v.string()),
  rung: v.fallback(v.nullable(v.picklist(RUNGS)), null),
  readyBy: v.array(v.picklist(["http", "command", "started", "agent"])),
  provider: v.string(),
  zone: v.string(),
  phases: v.array(v.object({ phase: v.string(), ms: time })),
});

/** The fields of the event that keeps a wake. */
export function wakeData(wake: Wake): NewEvent["data"] {
  return { action: "wake", outcome: wake.outcome, wake };
}

/** The wakes among an instance's events, oldest first. What another version wrote and this one does not know is left out. */
export function wakesOf(events: readonly FleetEvent[]): readonly Wake[] {
  return events.flatMap(({ type, data }) => {
    if (type !== "action" || data["action"] !== "wake") return [];
    const parsed = v.safeParse(wakeSchema, data["wake"]);
    return parsed.success ? [parsed.output] : [];
  });
}

/** The last wake of an instance that began at or after `since` (epoch ms); undefined when none has ended. */
export async function lastWake(state: Pick<State, "events">, name: string, since: number): Promise<Wake | undefined> {
  return wakesOf(await state.events({ instances: [name], since, limit: 100_000 })).at(-1);
}
