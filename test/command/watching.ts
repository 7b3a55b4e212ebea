import { join } from "node:path";
import { onTestFinished } from "vitest";
import { openState } from "../../src/state/open.ts";
import type { NewEvent, State } from "../../src/state/records.ts";
import { sampleEvent } from "../state/sample-records.ts";
import { type Outcome, spot, type TestWorld, type TestWorldParts, testWorld } from "../world.ts";

/** A watch that goes on until it is stopped, over a database that the test writes to. */
export interface RunningWatch {
  readonly world: TestWorld;
  readonly state: State;
  /** The events on stdout so far. */
  events(): readonly Readonly<Record<string, unknown>>[];
  write(...events: readonly Partial<NewEvent>[]): Promise<void>;
  /** Ctrl-C. */
  stop(): Promise<Outcome>;
}

export interface WatchParts extends TestWorldParts {
  /** What is in the log before the watch begins. */
  readonly before?: readonly Partial<NewEvent>[];
  /** Without a `--since` that was not asked for. */
  readonly plain?: boolean;
  readonly change?: (world: TestWorld) => TestWorld;
}

/** Starts `spot watch` with these words, as NDJSON. To be called inside a test. */
export async function startWatch(parts: WatchParts, ...argv: readonly string[]): Promise<RunningWatch> {
  const over = new AbortController();
  const plain = testWorld({ ...parts, signal: over.signal });
  const world = parts.change?.(plain) ?? plain;
  const state = await openState(join(world.home, "state.db"));
  const write = async (...events: readonly Partial<NewEvent>[]) => {
    await state.commit({ events: events.map((event) => sampleEvent({ at: world.clock.now(), ...event })) });
  };
  await write(...(parts.before ?? []));
  // It begins where the log ends now, however long it takes to start.
  const since = parts.plain === true || argv.includes("--since") ? [] : ["--since", String(await state.lastSeq())];
  const running = spot(world, "watch", ...argv, ...since, "-o", "ndjson");
  let ended: Promise<Outcome> | undefined;
  const stop = () => {
    over.abort("SIGINT");
    ended ??= running.finally(() => state.close());
    return ended;
  };
  onTestFinished(async () => void (await stop()));
  const events = () =>
    world
      .written()
      .split("\n")
      .slice(0, -1)
      .map((line) => JSON.parse(line));
  return { world, state, events, write, stop };
}
