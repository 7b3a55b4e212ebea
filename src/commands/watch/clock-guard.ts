import { becameOf, type Gap, gapBetween, gapEvent, momentOf, wereUp } from "../../fleet/hearing/gap.ts";
import { sshAccess } from "../../guest/ssh-access.ts";
import type { InstanceRecord } from "../../state/records.ts";
import { tellLog, type Watching } from "./watching.ts";

const TICK_MS = 1_000;
/** So long after a gap it is worth saying what became of a machine. */
const TELL_WITHIN_MS = 600_000;

/** Notices when nobody listened, for the computer slept, and catches up; until the signal fires. */
export async function guardClock(watching: Watching): Promise<void> {
  const { clock, signal } = watching.context.world;
  const tasks = new Set<Promise<unknown>>();
  for (let before = momentOf(clock); !signal.aborted; ) {
    await clock.sleep(TICK_MS, signal).catch(() => undefined);
    const after = momentOf(clock);
    const gap = signal.aborted ? null : gapBetween(before, after, TICK_MS);
    before = after;
    if (gap === null) continue;
    const task: Promise<unknown> = catchUp(watching, gap)
      .catch(() => undefined)
      .finally(() => tasks.delete(task));
    tasks.add(task);
  }
  await Promise.all(tasks);
}

async function catchUp(watching: Watching, gap: Gap): Promise<void> {
  const { fleet, pace, ear, passBell, context } = watching;
  const before = wereUp(await fleet.state.instances());
  tellLog(watching, gapEvent(gap));
  ear.reset();
  pace.forget();
  passBell.ring();
  const { forgetConnections } = await import("../../platform/ssh-connections.ts");
  await forgetConnections(sshAccess(context.world), context.world.signal);
  await tellWhatBecame(watching, gap, before);
}

/** One line for each machine to which something happened, as soon as its provider has answered. */
async function tellWhatBecame(watching: Watching, gap: Gap, before: readonly InstanceRecord[]): Promise<void> {
  const { fleet, pace, context } = watching;
  const { clock, signal } = context.world;
  const began = clock.monotonic();
  let open = before;
  while (open.length > 0 && !signal.aborted && clock.monotonic() - began < TELL_WITHIN_MS) {
    const answered = open.filter(({ provider }) => pace.latest.has(provider));
    for (const record of answered) {
      const listed = pace.latest.get(record.provider)?.listing.find(({ providerId }) => providerId === record.providerId);
      const [newest] = await fleet.state.checkpoints({ instance: record.name });
      const event = becameOf(gap, record, listed, newest?.createdAt ?? null);
      if (event !== null) tellLog(watching, event);
    }
    open = open.filter((record) => !answered.includes(record));
    if (open.length > 0) await clock.sleep(TICK_MS, signal).catch(() => undefined);
  }
}
