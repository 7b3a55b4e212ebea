import type { Clock } from "../../../src/platform/clock.ts";

interface Step {
  readonly owner: object;
  readonly at: number;
  run(): void;
}

/** What the cloud will do by itself, and when. Times are epoch milliseconds of the clock. */
export interface Schedule {
  /** The moment that is being worked on: that of the step that is due, else now. */
  time(): number;
  /** Does it so much later, never for Infinity; `owner` may take everything of its own back. */
  later(owner: object, ms: number, step: () => void): void;
  cancel(owner: object): void;
  /** Does everything that is due, in the order of time. */
  catchUp(): void;
  /** When the next step is due; null when there is none. */
  nextAt(): number | null;
}

export function schedule(clock: Clock): Schedule {
  /** By time; those of the same moment in the order in which they were asked for. */
  let steps: Step[] = [];
  let at: number | null = null;
  const time = () => at ?? clock.now();
  return {
    time,
    later(owner, ms, run) {
      if (!Number.isFinite(ms)) return;
      const due = time() + ms;
      let low = 0;
      let high = steps.length;
      while (low < high) {
        const middle = (low + high) >> 1;
        if ((steps[middle]?.at ?? 0) <= due) low = middle + 1;
        else high = middle;
      }
      steps.splice(low, 0, { owner, at: due, run });
    },
    cancel(owner) {
      steps = steps.filter((step) => step.owner !== owner);
    },
    catchUp() {
      for (;;) {
        const [first] = steps;
        if (first === undefined || first.at > clock.now()) return;
        steps.shift();
        at = first.at;
        try {
          first.run();
        } finally {
          at = null;
        }
      }
    },
    nextAt: () => steps[0]?.at ?? null,
  };
}
