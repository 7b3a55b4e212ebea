import type { Command } from "commander";
import { checkpointClock, interruptionsFor } from "../fleet/deciding/checkpoint-interval.ts";
import { isUp } from "../fleet/deciding/decide.ts";
import { wakesOf } from "../fleet/wakes/wake-log.ts";
import type { Asleep } from "../model/asleep.ts";
import { sealMeasured } from "../model/measured-seal.ts";
import type { MeasuredClock } from "../output/checkpoint-clock-text.ts";
import { instanceView } from "../output/instance-view.ts";
import { readPulse } from "../platform/service-pulse.ts";
import type { InstanceRecord, State } from "../state/records.ts";
import type { CommandContext, CommandModule, CommandResult } from "./command.ts";
import { instanceRows, namedInstance, requiredName } from "./fleet-context.ts";
import { refresh } from "./ls.ts";

const EVENTS_SHOWN = 8;

export const show: CommandModule = {
  configure(command: Command) {
    command
      .argument("<name>", "the instance")
      .option("--refresh", "ask the provider first")
      .option("--why", "what was decided about it, and why")
      .addHelpText(
        "after",
        `
Examples:
  $ spot show trainer --why
  $ spot show trainer --why --json | jq -r '.data[] | "\\(.at) \\(.action): \\(.because)"'`,
      );
  },
  async run(context: CommandContext): Promise<CommandResult> {
    const name = requiredName(context);
    if (context.options["refresh"] === true) await refresh(context, [name]);
    const found = await namedInstance(context, name, true);
    const state = await context.state();
    if (context.options["why"] === true) return why(state, found);
    const asked = context.options["refresh"] === true && isUp(found) ? await measuredClock(context, found) : null;
    // What its agent has just said of its command is written down.
    const record = asked === null ? found : await namedInstance(context, name, true);
    const [row] = await instanceRows(context, [record]);
    if (row === undefined) return {};
    const checkpoints = await state.checkpoints({ instance: name });
    const events = await state.events({ instances: [name], since: record.createdAt, limit: 100_000 });
    const lastPass = row.guard == null ? null : ((await readPulse(context.world.home)) ?? null);
    const asleep = record.state === "hibernated" ? await asleepNow(context, state, record) : null;
    const clock = checkpointClock(record.spec, interruptionsFor(record, context.world.clock.now()));
    const measured = asked ?? sealMeasured(record);
    const origin = record.volumes.length === 0 ? null : await (await import("../fleet/volumes/volume-origin.ts")).originOf(state, record);
    return {
      view: instanceView(
        { ...row, record, lastPass, asleep, wakes: wakesOf(events), clock, measured, origin },
        checkpoints,
        events.slice(-EVENTS_SHOWN),
      ),
    };
  },
};

/** What its agent says of its checkpoints; null when it cannot be asked. */
async function measuredClock(context: CommandContext, record: InstanceRecord): Promise<MeasuredClock | null> {
  const { provider, providerId } = record;
  if (providerId === null) return null;
  const [{ openFleet }, { call }, { noteSeal }, { noteWorkload }] = await Promise.all([
    import("./fleet-context.ts"),
    import("../fleet/fleet.ts"),
    import("../fleet/measured-seal.ts"),
    import("../fleet/workload.ts"),
  ]);
  const { signal } = context.world;
  const fleet = await openFleet(context);
  const cloud = await context.provider(provider);
  const machine = await call(signal, (callContext) => cloud.get(providerId, callContext)).catch(() => undefined);
  const report = machine?.reach == null ? undefined : await fleet.guest.report(machine.reach, signal);
  if (report === undefined) return null;
  await noteSeal(fleet, record, report);
  await noteWorkload(fleet, record, report);
  return { at: context.world.clock.now(), checkpointSeconds: report.checkpointSeconds ?? null, everySeconds: report.everySeconds ?? null };
}

/** What holds while it sleeps, as far as our records and the tables of its cloud say; nobody is asked. */
async function asleepNow(context: CommandContext, state: State, record: InstanceRecord): Promise<Asleep> {
  const { preflightOf } = await import("../fleet/sleeping/facts.ts");
  const { clock } = context.world;
  return preflightOf({ state, clock, provider: (id) => context.provider(id) }, record, { retainsAddress: record.retainAddress });
}

/** Every decision about one instance that is on record, and what it waits for. */
async function why(state: State, record: InstanceRecord): Promise<CommandResult> {
  const { decisionsOf, decisionsView } = await import("../output/decisions-view.ts");
  const { onDemandFrom } = await import("../fleet/deciding/waiting.ts");
  const events = await state.events({ instances: [record.name], since: record.createdAt, limit: 100_000 });
  return { view: decisionsView(record, decisionsOf(events), record.outlook.waiting === null ? null : onDemandFrom(record)) };
}
