import { eachOf } from "../../checkpoints/bounded.ts";
import type { Fleet } from "../fleet.ts";
import type { Heard } from "./ear-places.ts";
import { isWriting, lookAt } from "./look.ts";
import type { OwnPace } from "./pace.ts";

/** Of connections that break within so long, only one or two are asked for by themselves; of more the account is listed once. */
const GATHER_MS = 250;
const SINGLE_QUESTIONS = 2;
/** A word that could not be written down, because somebody works on that very instance, is tried again after so long. */
const NOTE_AGAIN_MS = 500;
const MOST_TRIES = 60;
const NOTED_AT_ONCE = 16;

/** Lets so many through at once. */
export interface Gate {
  /** Resolves when there is room; whoever is in leaves by what it gets, once. */
  enter(): Promise<() => void>;
}

export function gate(most: number): Gate {
  const waiting: (() => void)[] = [];
  let inside = 0;
  const leave = () => {
    const next = waiting.shift();
    if (next === undefined) inside -= 1;
    else next();
  };
  return {
    async enter() {
      if (inside < most) inside += 1;
      else
        await new Promise<void>((resolve) => {
          waiting.push(resolve);
        });
      let isIn = true;
      return () => {
        if (isIn) leave();
        isIn = false;
      };
    },
  };
}

/** What the watch's ear writes down and asks. `wake` ends the pause before the next pass. */
export interface Book {
  readonly fleet: Fleet;
  readonly pace: OwnPace;
  readonly signal: AbortSignal;
  readonly wake: () => void;
}

/** Writes down what an agent has said, by the last list: nobody need be asked for it. */
export function noteBook({ fleet, pace, signal, wake }: Book): (machine: Heard) => Promise<void> {
  const doors = gate(NOTED_AT_ONCE);
  async function note(machine: Heard): Promise<boolean> {
    const record = await fleet.state.instance(machine.id);
    if (record === undefined || record.providerId !== machine.providerId || record.desired !== "running") return true;
    const listed = pace.latest.get(machine.provider)?.listing.find(({ providerId }) => providerId === machine.providerId);
    if (listed === undefined) return true;
    const done = await lookAt(fleet, record, signal, [listed]);
    // Whoever acts goes on from here, and not only when the account is listed the next time.
    if (done === "note-notice") pace.hasten(machine.provider);
    wake();
    return done !== undefined;
  }
  return async (machine) => {
    const release = await doors.enter();
    try {
      for (let tries = 0; tries < MOST_TRIES && !signal.aborted && !(await note(machine).catch(() => false)); tries++)
        await fleet.clock.sleep(NOTE_AGAIN_MS, signal).catch(() => undefined);
    } finally {
      release();
    }
  };
}

/**
 * Takes connections that broke. Unreachable is not reclaimed, so the provider is asked at once: for this very machine, or,
 * where many broke together (our own network, say), for the whole account once.
 */
export function lossBook({ fleet, pace, signal, wake }: Book): (machine: Heard) => Promise<void> {
  const lost = new Map<string, Heard[]>();
  const listSoon = (provider: string) => {
    pace.hasten(provider);
    wake();
  };
  async function ask(machine: Heard): Promise<void> {
    const record = await fleet.state.instance(machine.id);
    if (record === undefined || record.providerId !== machine.providerId || record.desired !== "running") return;
    const done = await lookAt(fleet, record, signal).catch(() => undefined);
    // What is to be answered is answered by a pass, and not by this question.
    if (done === undefined || !(isWriting(done) || done === "rest" || done === "wait")) listSoon(machine.provider);
  }
  return async (machine) => {
    const { provider } = machine;
    const gathering = lost.get(provider);
    if (gathering !== undefined) {
      gathering.push(machine);
      return;
    }
    const together = [machine];
    lost.set(provider, together);
    await fleet.clock.sleep(GATHER_MS, signal).catch(() => undefined);
    lost.delete(provider);
    if (signal.aborted) return;
    if (together.length <= SINGLE_QUESTIONS) await eachOf(together, SINGLE_QUESTIONS, ask);
    else listSoon(provider);
  };
}
