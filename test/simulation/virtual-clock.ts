import { setImmediate as nextTurn } from "node:timers/promises";
import type { Clock } from "../../src/platform/clock.ts";

/** A clock whose time passes only when everybody sleeps; then it jumps to the earliest sleeper. */
export interface VirtualClock extends Clock {
  /** Lets time pass until the work has ended. Throws when it can never end. */
  run<Result>(work: Promise<Result>): Promise<Result>;
  /** Lets so many milliseconds pass with nobody working. */
  pass(ms: number): Promise<void>;
}

interface Sleeper {
  readonly at: number;
  readonly order: number;
  wake(): void;
}

const NEVER_BUSY = () => false;
/** After the last real exchange has ended, what waited for it gets so many turns of the event loop before time passes. */
const TURNS_AFTER_BUSY = 4;

/**
 * Everything in the simulation is promises on one thread, so a turn of the event loop drains all that can go on now.
 * Where something real goes on besides (a request on loopback), `busy` says so, and time waits for it.
 */
export function virtualClock(start = Date.UTC(2026, 0, 5), busy: () => boolean = NEVER_BUSY): VirtualClock {
  // Something real may also have to be loaded first.
  const mostIdle = busy === NEVER_BUSY ? 50 : 20_000;
  let now = start;
  let order = 0;
  const sleepers = new Set<Sleeper>();
  const listeners = new Map<AbortSignal, { readonly all: Set<() => void>; readonly fire: () => void }>();

  const earliest = () => {
    let first: Sleeper | undefined;
    for (const sleeper of sleepers)
      if (first === undefined || sleeper.at < first.at || (sleeper.at === first.at && sleeper.order < first.order)) first = sleeper;
    return first;
  };

  /** One listener for all who sleep under a signal: Node takes eleven for a leak, and a leak of ours is to be seen. */
  const listen = (signal: AbortSignal | undefined, onAbort: () => void): (() => void) => {
    if (signal === undefined) return () => {};
    const known = listeners.get(signal);
    const own = known ?? {
      all: new Set(),
      fire() {
        listeners.delete(signal);
        for (const act of own.all) act();
      },
    };
    if (known === undefined) {
      listeners.set(signal, own);
      signal.addEventListener("abort", own.fire, { once: true });
    }
    own.all.add(onAbort);
    return () => {
      own.all.delete(onAbort);
      if (own.all.size > 0) return;
      signal.removeEventListener("abort", own.fire);
      listeners.delete(signal);
    };
  };

  const sleep = (ms: number, signal?: AbortSignal) =>
    new Promise<void>((resolve, reject) => {
      if (signal?.aborted === true) {
        reject(signal.reason);
        return;
      }
      const stopListening = listen(signal, () => {
        sleepers.delete(sleeper);
        reject(signal?.reason);
      });
      const sleeper: Sleeper = {
        at: now + Math.max(0, ms),
        order: order++,
        wake() {
          sleepers.delete(sleeper);
          stopListening();
          resolve();
        },
      };
      sleepers.add(sleeper);
    });

  async function run<Result>(work: Promise<Result>): Promise<Result> {
    let isOver = false;
    const done = () => {
      isOver = true;
    };
    work.then(done, done);
    for (let idle = 0, quiet = 0; ; ) {
      await nextTurn();
      if (isOver) return work;
      quiet = busy() ? 0 : quiet + 1;
      if (quiet === 0 || (quiet < TURNS_AFTER_BUSY && busy !== NEVER_BUSY)) continue;
      const first = earliest();
      if (first === undefined) {
        if (++idle > mostIdle) throw new Error("the simulation stands still: nobody sleeps and nothing ends");
        continue;
      }
      idle = 0;
      now = Math.max(now, first.at);
      first.wake();
    }
  }

  return { now: () => now, monotonic: () => now - start, sleep, run, pass: (ms) => run(sleep(ms)) };
}
