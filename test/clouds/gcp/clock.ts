import type { Clock } from "../../../src/platform/clock.ts";

/** A clock whose time passes when somebody sleeps, and when it is told to. */
export interface SteppedClock extends Clock {
  pass(ms: number): void;
}

export function steppedClock(start = Date.UTC(2026, 10, 21, 12, 0, 0)): SteppedClock {
  let now = start;
  return {
    now: () => now,
    monotonic: () => now - start,
    async sleep(ms, signal) {
      if (signal?.aborted === true) throw signal.reason;
      now += ms;
      // Lets those who wait for a connection have their turn.
      await new Promise((resolve) => setImmediate(resolve));
    },
    pass(ms) {
      now += ms;
    },
  };
}
