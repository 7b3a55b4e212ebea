import type { Command } from "commander";
import type { Fleet } from "../fleet/fleet.ts";
import { bell } from "../fleet/hearing/bell.ts";
import { openEar } from "../fleet/hearing/ear.ts";
import { ownPace } from "../fleet/hearing/pace.ts";
import { seqBefore } from "../fleet/hearing/tail.ts";
import { controllerSeat } from "../fleet/leases/controller.ts";
import type { FleetEvent } from "../model/event.ts";
import { usageProblem } from "../model/problem.ts";
import { follower } from "../platform/clock.ts";
import { notePasses } from "../platform/service-pulse.ts";
import type { CommandContext, CommandModule, CommandResult } from "./command.ts";
import { openFleet } from "./fleet-context.ts";
import { guardClock } from "./watch/clock-guard.ts";
import { hooksOf, readWatchOptions, type WatchedName, type WatchOptions, watchedNames, webhooksOf } from "./watch/options.ts";
import { tellOn } from "./watch/telling.ts";
import { hearOn, type Watching } from "./watch/watching.ts";

const collect = (value: string, previous: readonly string[] | undefined) => [...(previous ?? []), value];

export const watch: CommandModule = {
  configure(command: Command) {
    command
      .argument("[names...]", "only these: instances, volumes or providers")
      .option("--act", "also respond: checkpoint, replace, finish what was begun")
      .option("--since <when>", "replay from an event's seq, a duration back (10m) or an ISO date")
      .option("--exec <command>", "run it by sh for each event: JSON on stdin, SPOT_EVENT_* in its environment")
      .option("--exec-timeout <duration>", "end it after so long, and soon after a notice's deadline in any case (default: 60s)")
      .option("--webhook <url>", "post each event there; slack+https://… for Slack; may be given several times", collect)
      .option("--webhook-format <format>", "json (signed, for programs) or slack (a text, for people)")
      .option("--on <types>", "for --exec and --webhook: only events of these types (default: notice)")
      .addHelpText(
        "after",
        `
Types of events: intent, state, notice, checkpoint, action, price, budget, warning.
A webhook is signed when SPOT_WEBHOOK_SECRET is set. docs/watch.md has the envelope and how to check it.

Examples:
  $ spot watch --since 1h -o ndjson | jq -c 'select(.type == "notice")'
  $ spot watch --act --exec 'notify-send "$SPOT_EVENT_INSTANCE will be taken back"'
  $ spot watch --webhook slack+https://hooks.slack.com/services/T/B/X --on notice,warning`,
      );
  },
  async run(context: CommandContext): Promise<CommandResult> {
    if (context.options["act"] === true && context.options["dryRun"] === true)
      throw usageProblem("--act and --dry-run contradict each other", "a watch without --act only looks", [
        "spot watch",
        "spot reconcile --dry-run",
      ]);
    const options = readWatchOptions(context);
    const names = await watchedNames(context);
    // What happens is told by the events; a second voice would only repeat it.
    const base: Fleet = { ...(await openFleet(context)), say: () => {} };
    const from = await seqBefore(base.state, options.since, context.world.clock.now());
    if (Number(options.since) > from)
      context.progress.warn(
        `--since: there is no event ${options.since}: the newest is ${from}, and it goes on from there (was the state lost?)`,
      );
    await watchOn(context, base, names, options, from);
    // Ctrl-C is how a watch ends; the program's own exit code says so.
    return {};
  },
};

/** All that a watch does, side by side: what takes long in one of them keeps nobody else waiting. */
async function watchOn(
  outer: CommandContext,
  base: Fleet,
  names: readonly WatchedName[],
  options: WatchOptions,
  from: number,
): Promise<void> {
  const { own, done } = follower(outer.world.signal);
  const context: CommandContext = { ...outer, world: { ...outer.world, signal: own.signal } };
  const { clock, rng, signal } = context.world;
  const pace = ownPace(clock, rng);
  const passBell = bell(clock);
  const ear = openEar(base, { pace, signal, wake: passBell.ring });
  const fleet: Fleet = { ...base, ear };
  const seat = context.options["act"] === true ? controllerSeat(fleet) : null;
  const note = seat === null ? null : notePasses(context.world, "watch --act");
  const instances = names.every(({ kind }) => kind === "instance") ? names.map(({ name }) => name) : [];
  const watching: Watching = {
    context,
    fleet,
    pace,
    ear,
    seat,
    note,
    names: instances,
    passBell,
    newsBell: bell(clock),
    troubles: [],
    acting: "watching",
    talk: [],
  };
  const hooks = hooksOf(watching, options);
  const webhooks = await webhooksOf(watching, options, names, from);
  const offer = (event: FleetEvent) => hooks?.offer(event);
  const parts = [
    hearOn(watching),
    tellOn(watching, { from, names: names.map(({ name }) => name), offer }),
    guardClock(watching),
    ...webhooks,
  ];
  try {
    // The first that cannot go on ends the others.
    await Promise.all(
      parts.map(async (part) => {
        try {
          await part;
        } finally {
          own.abort();
        }
      }),
    );
  } finally {
    own.abort();
    // Whoever stands by acts at once; what we still have under way ends with the lease.
    await seat?.leave();
    await Promise.allSettled(parts);
    // Had it been taken at that very moment.
    await seat?.leave();
    const beside = [...(pace.underway?.values() ?? []), pace.guards?.underway, pace.syncs?.underway, pace.looseEnds?.underway];
    await Promise.all([ear.close(), hooks?.close(), ...beside]);
    done();
  }
}
