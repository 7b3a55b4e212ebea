import { eachOf } from "../../checkpoints/bounded.ts";
import { follower } from "../../platform/clock.ts";
import type { InstanceRecord } from "../../state/records.ts";
import type { Ear, Fleet, GuestLine, GuestWord } from "../fleet.ts";
import { type Book, type Gate, gate, lossBook, noteBook } from "./ear-books.ts";
import { type Heard, heardMachines, keyOf, type Places, whoIsHeard } from "./ear-places.ts";
import type { OwnPace } from "./pace.ts";

/** So many agents are listened to at once, each over a connection of its own. */
const STREAMS = 64;
/** The rest are asked in turns: so many side by side, none sooner than this again. */
const ASKED_AT_ONCE = 16;
const ASK_AGAIN_MS = 10_000;
/** So many connections are begun at once: a watch of a thousand machines must not knock at all doors in the same second. */
const BEGUN_AT_ONCE = 8;
/** A listener that has said nothing for so long has lost its connection: an agent speaks every ten seconds. */
const SILENCE_MS = 35_000;
/** Before a machine whose connection broke is listened to again; doubled from time to time. */
const AGAIN_MS = 2_000;
const AGAIN_AT_MOST_MS = 120_000;

interface Listener {
  machine: Heard;
  readonly stop: AbortController;
  word: GuestWord | undefined;
  phase: GuestLine["phase"] | undefined;
  /** By the monotonic clock; null while it has not said anything on this connection. */
  spokeAt: number | null;
}

interface Turn {
  machine: Heard;
  word: GuestWord | undefined;
  phase: GuestLine["phase"] | undefined;
  askedAt: number;
}

/** The ear of a watch at the agents of its machines. */
export interface OpenEar extends Ear {
  /** To be called after a pass, with the living records: whoever is new is listened to, whoever is gone is not. */
  follow(records: readonly InstanceRecord[]): void;
  /** Every connection is given up and made anew: they may all be dead. */
  reset(): void;
  /** How many agents are listened to now, and how many are asked in turns. */
  count(): { readonly streams: number; readonly turns: number };
  /** Ends all of it. */
  close(): Promise<void>;
}

export interface EarOptions {
  readonly pace: OwnPace;
  readonly signal: AbortSignal;
  /** Called when there is something that the next pass should not wait for. */
  readonly wake: () => void;
  /** How many may be listened to; 64 unless told. */
  readonly streams?: number;
}

interface Hearing extends Book {
  readonly listeners: Map<string, Listener>;
  readonly turns: Map<string, Turn>;
  /** Agents that are older than listening. */
  readonly mute: Set<string>;
  readonly doors: Gate;
  note(machine: Heard): Promise<void>;
  lose(machine: Heard): Promise<void>;
  inBackground(work: Promise<unknown>): void;
}

/**
 * Listens to the agents that hear of notices themselves, as many at once as there are places; what they say is written down at
 * once. A connection that breaks says nothing about the machine: its provider is asked.
 */
export function openEar(fleet: Fleet, options: EarOptions): OpenEar {
  const { pace, wake } = options;
  const over = childOf(options.signal);
  const tasks = new Set<Promise<unknown>>();
  const listeners = new Map<string, Listener>();
  const turns = new Map<string, Turn>();
  const word = (provider: string, providerId: string) => {
    const key = keyOf({ provider, providerId });
    return listeners.get(key)?.word ?? turns.get(key)?.word;
  };
  const phase = (provider: string, providerId: string) => {
    const key = keyOf({ provider, providerId });
    const listener = listeners.get(key);
    // What was heard on a connection that has ended may be over.
    return listener?.word === undefined ? turns.get(key)?.phase : listener.phase;
  };
  const book: Book = { fleet: { ...fleet, ear: { word, phase } }, pace, signal: over.signal, wake };
  const hearing: Hearing = {
    ...book,
    listeners,
    turns,
    mute: new Set(),
    doors: gate(BEGUN_AT_ONCE),
    note: noteBook(book),
    lose: lossBook(book),
    inBackground(work) {
      const task: Promise<unknown> = work.catch(() => undefined).finally(() => tasks.delete(task));
      tasks.add(task);
    },
  };
  let asking = false;
  return {
    word,
    phase,
    follow(records) {
      const machines = heardMachines(records, pace);
      take(hearing, whoIsHeard(machines, new Set(listeners.keys()), hearing.mute, options.streams ?? STREAMS));
      if (asking || turns.size === 0) return;
      asking = true;
      hearing.inBackground(
        askInTurns(hearing).finally(() => {
          asking = false;
        }),
      );
    },
    reset() {
      for (const listener of listeners.values()) listener.stop.abort();
      listeners.clear();
      turns.clear();
    },
    count: () => ({ streams: listeners.size, turns: turns.size }),
    async close() {
      over.abort();
      await Promise.all(tasks);
    },
  };
}

/** Begins to listen to, and to ask, whoever has a place now, and leaves off with the others. */
function take(hearing: Hearing, places: Places): void {
  const { listeners, turns } = hearing;
  for (const [key, listener] of listeners) {
    if (places.streams.has(key)) continue;
    listener.stop.abort();
    listeners.delete(key);
  }
  for (const key of turns.keys()) if (!places.turns.has(key)) turns.delete(key);
  for (const [key, machine] of places.turns) {
    const known = turns.get(key);
    if (known === undefined) turns.set(key, { machine, word: undefined, phase: undefined, askedAt: Number.NEGATIVE_INFINITY });
    else known.machine = machine;
  }
  for (const [key, machine] of places.streams) {
    const known = listeners.get(key);
    if (known !== undefined) known.machine = machine;
    else {
      const listener: Listener = { machine, stop: childOf(hearing.signal), word: undefined, phase: undefined, spokeAt: null };
      listeners.set(key, listener);
      hearing.inBackground(listen(hearing, listener));
    }
  }
}

/** A controller that ends with its parent; not by `AbortSignal.any`, whose parents keep every signal on Node 20. */
function childOf(parent: AbortSignal): AbortController {
  const { own, done } = follower(parent);
  own.signal.addEventListener("abort", done, { once: true });
  return own;
}

/** Listens to one agent until it is told to stop, over one connection after the other. */
async function listen(hearing: Hearing, listener: Listener): Promise<void> {
  const { fleet, doors } = hearing;
  const { signal } = listener.stop;
  for (let pause = AGAIN_MS; !signal.aborted; pause = Math.min(pause * 2, AGAIN_AT_MOST_MS)) {
    const release = await doors.enter();
    listener.spokeAt = null;
    const connection = childOf(signal);
    const guard = breakWhenSilent(fleet, listener, connection);
    const onLine = (line: GuestLine) => {
      release();
      pause = AGAIN_MS;
      if (!signal.aborted) hear(hearing, listener, line);
    };
    const unable = Promise.resolve("unable" as const);
    const outcome = await (fleet.guest.listen?.(listener.machine.reach, connection.signal, onLine) ?? unable).catch(() => "ended" as const);
    connection.abort();
    release();
    await guard;
    listener.word = undefined;
    if (signal.aborted) return;
    if (outcome === "unable") return leave(hearing, listener);
    if (listener.spokeAt !== null) hearing.inBackground(hearing.lose(listener.machine));
    await fleet.clock.sleep(pause * (0.5 + fleet.rng.next() / 2), signal).catch(() => undefined);
  }
}

function hear({ fleet, pace, wake, ...hearing }: Hearing, listener: Listener, line: GuestLine): void {
  const { word: before, phase, machine } = listener;
  listener.word = { notice: line.notice };
  listener.phase = line.phase;
  listener.spokeAt = fleet.clock.monotonic();
  if (isNews(before, listener.word, machine) || isTurn(phase, line.phase)) hearing.inBackground(hearing.note(machine));
  // Its time is over and it cannot end itself: whoever acts should not wait for the next list.
  if (line.phase !== "expired" || phase === undefined || phase === "expired") return;
  pace.hasten(machine.provider);
  wake();
}

/** Whether the agent says something else than before; that a machine is under no notice is no news at first. */
function isNews(before: GuestWord | undefined, now: GuestWord, { isUrgent }: Heard): boolean {
  if (before === undefined) return now.notice !== null || isUrgent;
  return JSON.stringify(before.notice) !== JSON.stringify(now.notice);
}

/** Whether its workload has ended since, or was started again. */
function isTurn(before: GuestLine["phase"] | undefined, now: GuestLine["phase"]): boolean {
  return before !== now && (now === "exited" || before === "exited");
}

/** This agent is older than listening: from now on it is asked. */
function leave({ listeners, mute }: Hearing, { machine }: Listener): void {
  listeners.delete(keyOf(machine));
  mute.add(keyOf(machine));
}

/** Breaks a connection off that has fallen silent; ends with it. */
async function breakWhenSilent({ clock }: Fleet, listener: Listener, connection: AbortController): Promise<void> {
  const began = clock.monotonic();
  while (!connection.signal.aborted) {
    await clock.sleep(SILENCE_MS / 7, connection.signal).catch(() => undefined);
    if (clock.monotonic() - (listener.spokeAt ?? began) > SILENCE_MS) connection.abort();
  }
}

/** Asks everybody whose turn has come. */
async function askInTurns({ fleet, turns, signal, ...hearing }: Hearing): Promise<void> {
  const now = fleet.clock.monotonic();
  const due = [...turns.values()].filter(({ askedAt }) => now - askedAt >= ASK_AGAIN_MS).sort((one, other) => one.askedAt - other.askedAt);
  await eachOf(due, ASKED_AT_ONCE, async (turn) => {
    if (signal.aborted) return;
    turn.askedAt = fleet.clock.monotonic();
    const { machine, word: before, phase } = turn;
    const report = await fleet.guest.report(machine.reach, signal).catch(() => undefined);
    if (signal.aborted) return;
    turn.word = report?.word;
    turn.phase = report?.phase;
    const hasTurned = report !== undefined && isTurn(phase, report.phase);
    if (hasTurned || (turn.word !== undefined && isNews(before, turn.word, machine))) hearing.inBackground(hearing.note(machine));
    if (report === undefined && before !== undefined) hearing.inBackground(hearing.lose(machine));
  });
}
