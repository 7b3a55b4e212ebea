import { type Clock, follower } from "../../platform/clock.ts";

/** A pause that others can cut short. */
export interface Bell {
  /** Ends the pause under way, or the next one. */
  ring(): void;
  /** Resolves after `ms`, when it is rung, or when the signal fires. */
  pause(ms: number, signal: AbortSignal): Promise<void>;
}

export function bell(clock: Clock): Bell {
  let hasRung = false;
  let cut = () => {};
  return {
    ring() {
      hasRung = true;
      cut();
    },
    async pause(ms, signal) {
      if (!hasRung) {
        const { own, done } = follower(signal);
        cut = () => own.abort();
        await clock.sleep(ms, own.signal).catch(() => undefined);
        cut = () => {};
        done();
      }
      hasRung = false;
    },
  };
}
