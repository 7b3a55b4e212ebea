import type { Clock } from "../../../src/platform/clock.ts";

/** What the cloud will do later. Nothing happens by itself: only when somebody catches up with the clock. */
export interface Schedule {
  /** The moment that is being worked on: that of the step that is due, else now. */
  time(): number;
  /** Does it so much later, for ever never; `owner` may take everything of its own back. */
  later(owner: object, ms: number, step: () => void): void;
  cancel(owner: object): void;
  /** Does everything that is due, in order. */
  catchUp(): void;
}

interface Step {
  readonly owner: object;
  readonly at: number;
  run(): void;
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
      const behind = steps.findIndex((step) => step.at > due);
      steps.splice(behind === -1 ? steps.length : behind, 0, { owner, at: due, run });
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
  };
}
