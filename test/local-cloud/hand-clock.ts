import type { Clock } from "../../src/platform/clock.ts";

/** A clock that stands still until it is moved by hand. */
export interface HandClock extends Clock {
  advance(ms: number): void;
}

export function handClock(start: number): HandClock {
  let now = start;
  const sleepers = new Set<{ readonly at: number; wake(): void }>();
  return {
    now: () => now,
    monotonic: () => now,
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        const sleeper = {
          at: now + ms,
          wake() {
            sleepers.delete(sleeper);
            resolve();
          },
        };
        sleepers.add(sleeper);
        signal?.addEventListener("abort", () => {
          sleepers.delete(sleeper);
          reject(signal.reason);
        });
      }),
    advance(ms) {
      now += ms;
      for (const sleeper of sleepers) if (sleeper.at <= now) sleeper.wake();
    },
  };
}
