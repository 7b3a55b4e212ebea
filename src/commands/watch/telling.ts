import { isAbout, readOn } from "../../fleet/hearing/tail.ts";
import type { FleetEvent } from "../../model/event.ts";
import { wrap } from "../../output/detail-view.ts";
import { eventText } from "../../output/event-text.ts";
import { eventJson } from "../../output/json.ts";
import { type LiveFrame, liveFrame } from "../../output/live-frame.ts";
import { watchView } from "../../output/watch-frame.ts";
import { safeLine, stripControl } from "../../platform/terminal.ts";
import type { CommandContext } from "../command.ts";
import { refreshSshConfig } from "../config/ssh-blocks.ts";
import { instanceRows } from "../fleet-context.ts";
import { isForGood, type Watching } from "./watching.ts";

/** How often the log is read for what is new, and how often a terminal is drawn anew. */
const READ_MS = 250;
const DRAW_MS = 1_000;
const EVENTS_SHOWN = 12;

export interface TellOptions {
  /** It begins with the event after this one. */
  readonly from: number;
  /** What was typed: instances, volumes, providers. */
  readonly names: readonly string[];
  /** Gets every event that is told. */
  readonly offer: (event: FleetEvent) => void;
}

/** Writes what happens: a line an event, or a table that is drawn anew; until the signal fires. */
export async function tellOn(watching: Watching, { from, names, offer }: TellOptions): Promise<void> {
  const { context, fleet, newsBell } = watching;
  const { signal, stdout } = context.world;
  const live = stdout.isTTY && !context.machine && !isColumns(context) ? liveFrame(stdout) : null;
  let recent: readonly FleetEvent[] = [];
  let said: readonly string[] = [];
  let seq = from;
  while (!signal.aborted) {
    try {
      seq = await readOn(fleet.state, seq, signal, async (page) => {
        const events = page.filter((event) => isAbout(names, event));
        recent = [...recent, ...events].slice(-EVENTS_SHOWN);
        if (live === null)
          for (const event of events) context.emit(eventJson(event), eventText(event, context.painter, context.world.clock.now()));
        for (const event of events) offer(event);
        seq = page.at(-1)?.seq ?? seq;
        // A machine that was replaced is found by plain ssh at once, not only when the watch ends.
        await refreshSshConfig(context);
      });
      if (live !== null) await draw(watching, live, recent);
      else {
        for (const trouble of watching.troubles) if (!said.includes(trouble)) context.progress.warn(trouble);
        said = watching.troubles;
      }
    } catch (error) {
      if (signal.aborted) return;
      if (isForGood(error)) throw error;
      context.progress.warn(error instanceof Error ? error.message : String(error));
    }
    await newsBell.pause(live === null ? READ_MS : DRAW_MS, signal);
  }
}

/** `-o columns=…`: lines, also on a terminal. */
const isColumns = ({ options }: CommandContext) => String(options["output"] ?? "").startsWith("columns=");

async function draw(watching: Watching, live: LiveFrame, events: readonly FleetEvent[]): Promise<void> {
  const { context, fleet, names, ear, pace, troubles, acting, talk } = watching;
  const { painter, world } = context;
  const records = await fleet.state.instances(names.length === 0 ? {} : { names });
  const table = await watchView(await instanceRows(context, records)).render(painter, world.stdout.columns);
  const { streams, turns } = ear.count();
  const heard = [streams > 0 ? `hears ${streams} agents` : "", turns > 0 ? `asks ${turns} in turns` : ""].filter((text) => text !== "");
  const head = [`${new Date(world.clock.now()).toISOString().slice(0, 19)}Z`, acting, ...heard, "Ctrl-C ends"].join("  ");
  const notes = [...troubles.filter((trouble) => trouble !== acting), ...pace.warnings().map(({ message }) => message)];
  // What is wrong is not to be cut off at the edge.
  const lines = (text: string) => wrap(text, world.stdout.columns);
  await live.draw(
    [
      ...lines(head).map((line) => painter.dim(line)),
      "",
      table,
      ...notes.flatMap((note) => lines(safeLine(note)).map((line) => painter.yellow(line))),
      ...(events.length === 0 ? [] : ["", ...events.map((event) => eventText(event, painter, world.clock.now()))]),
      ...(talk.length === 0 ? [] : ["", ...talk.map((line) => painter.dim(stripControl(line)))]),
    ].join("\n"),
  );
}
