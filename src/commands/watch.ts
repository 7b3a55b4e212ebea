import type { Command } from "commander";
import { controllerSeat, controllerText, type Seat } from "../fleet/controller.ts";
import type { Fleet } from "../fleet/fleet.ts";
import { look } from "../fleet/look.ts";
import { ownPace, type Pace } from "../fleet/pace.ts";
import { reconcile } from "../fleet/pass.ts";
import { parseDuration } from "../model/duration.ts";
import type { FleetEvent } from "../model/event.ts";
import { usageProblem } from "../model/problem.ts";
import { eventText } from "../output/event-text.ts";
import { instancesView } from "../output/instances-view.ts";
import { eventJson } from "../output/json.ts";
import { liveFrame } from "../output/live-frame.ts";
import { notePasses } from "../platform/service-pulse.ts";
import { stripControl } from "../platform/terminal.ts";
import type { CommandContext, CommandModule, CommandResult } from "./command.ts";
import { refreshSshConfig } from "./config/ssh-blocks.ts";
import { instanceRows, namedInstance, openFleet } from "./fleet-context.ts";

/** Between two looks; a short notice needs a short one. */
const POLL_MS = 1_000;
/** One pass of `--act` may work this long on what is not settled before the next look. */
const PASS_LIMIT_MS = 2_000;
const EVENTS_SHOWN = 12;

export const watch: CommandModule = {
  configure(command: Command) {
    command
      .argument("[names...]", "only these instances")
      .option("--act", "also respond: checkpoint, replace, finish what was begun")
      .option("--since <when>", "replay from an event's seq, a duration back (10m) or an ISO date");
  },
  async run(context: CommandContext): Promise<CommandResult> {
    const names = context.args;
    for (const name of names) await namedInstance(context, name, true);
    // What happens is told by the events; a second voice would only repeat it.
    const fleet: Fleet = { ...(await openFleet(context)), say: () => {} };
    const { signal, clock, stdout } = context.world;
    const live = stdout.isTTY && !context.machine ? liveFrame(stdout) : null;
    const recent: FleetEvent[] = [];
    let said: readonly string[] = [];
    const pace = ownPace(clock);
    const seat = context.options["act"] === true ? controllerSeat(fleet) : null;
    const note = seat === null ? null : notePasses(context.world, "watch --act");
    let seq = await firstSeq(context, fleet);
    while (!signal.aborted) {
      const troubles = await onePass(context, fleet, names, pace, seat);
      await note?.(troubles.join("; ") || null);
      const events = await fleet.state.events({ afterSeq: seq, ...(names.length === 0 ? {} : { instances: names }) });
      seq = events.at(-1)?.seq ?? seq;
      recent.push(...events);
      // A machine that was replaced is found by plain ssh at once, not only when the watch ends.
      if (events.length > 0) await refreshSshConfig(context);
      if (live !== null) await live.draw(await frame(context, names, recent.slice(-EVENTS_SHOWN), troubles));
      else {
        for (const event of events) context.emit(eventJson(event), eventText(event, context.painter));
        for (const trouble of troubles) if (!said.includes(trouble)) context.progress.warn(trouble);
        said = troubles;
      }
      // What was written while we worked is shown at once, before the next pause.
      if (events.length === 0) await clock.sleep(POLL_MS, signal).catch(() => undefined);
    }
    // Whoever stands by acts at once; what we still have under way ends with the lease.
    await seat?.leave();
    await Promise.all(pace.underway?.values() ?? []);
    // Ctrl-C is how a watch ends; the program's own exit code says so.
    return {};
  },
};

/**
 * One look, or with `--act` one pass. What goes wrong is returned to be shown and is tried again: a watch that ends at
 * the first hiccup watches nothing.
 */
async function onePass(
  context: CommandContext,
  fleet: Fleet,
  names: readonly string[],
  pace: Pace,
  seat: Seat | null,
): Promise<readonly string[]> {
  const { signal } = context.world;
  try {
    if (seat === null) {
      return (await look(fleet, signal, names, pace)).map(({ provider, why }) => `${provider} does not answer: ${why}`);
    }
    const turn = await seat.take(signal);
    // The one who acts writes down what it hears, and that is what is shown: the clouds are asked once, not by everybody.
    if (turn.kind === "stands-by") return turn.controller === undefined ? [] : [`standing by: ${controllerText(turn.controller)} acts`];
    const report = await reconcile(turn.held.fleet, { signal: turn.held.signal, limitMs: PASS_LIMIT_MS, pace });
    return [
      ...report.items.filter((item) => item.outcome === "stuck").map((item) => `${item.instance}: ${item.why ?? "stuck"}`),
      ...report.silent.map(({ provider, why }) => `${provider} does not answer: ${why}`),
    ];
  } catch (error) {
    return signal.aborted ? [] : [error instanceof Error ? error.message : String(error)];
  }
}

async function firstSeq(context: CommandContext, fleet: Fleet): Promise<number> {
  const text = context.options["since"];
  if (typeof text !== "string") return fleet.state.lastSeq();
  if (/^\d+$/.test(text)) return Number(text);
  const since = sinceTime(text, context.world.clock.now());
  const [first] = await fleet.state.events({ since, limit: 1 });
  return first === undefined ? fleet.state.lastSeq() : first.seq - 1;
}

function sinceTime(text: string, now: number): number {
  const date = /^\d{4}-\d{2}-\d{2}/.test(text) ? Date.parse(text) : Number.NaN;
  if (!Number.isNaN(date)) return date;
  try {
    return now - parseDuration(text);
  } catch {
    throw usageProblem(
      `--since: ${JSON.stringify(text)} is neither a seq, a duration nor a date`,
      "for example 120, 10m or 2026-01-31T08:00:00Z",
    );
  }
}

async function frame(
  context: CommandContext,
  names: readonly string[],
  events: readonly FleetEvent[],
  troubles: readonly string[],
): Promise<string> {
  const { painter, world } = context;
  const records = await (await context.state()).instances(names.length === 0 ? {} : { names });
  const table = await instancesView(await instanceRows(context, records)).render(painter, world.stdout.columns);
  const acting = context.options["act"] === true ? "watching and acting" : "watching only; --act responds";
  const head = painter.dim(`${new Date(world.clock.now()).toISOString().slice(0, 19)}Z  ${acting}  Ctrl-C ends`);
  return [
    head,
    "",
    table,
    ...troubles.map((trouble) => painter.yellow(stripControl(trouble))),
    ...(events.length === 0 ? [] : ["", ...events.map((event) => eventText(event, painter))]),
  ].join("\n");
}
