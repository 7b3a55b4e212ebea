import type { World } from "../../platform/world.ts";
import type { BucketPlace } from "../bucket.ts";
import { asProblem, mayPass } from "./refusals.ts";

/** So often a request is sent in all. The waits between, doubled each time and shortened by up to half by chance, come to 8 to 16 s. */
const MOST_TRIES = 7;
const FIRST_WAIT_MS = 250;

/** The wait before the try of that number (0 for the second), in milliseconds. */
function waitBefore(again: number, chance: number): number {
  return FIRST_WAIT_MS * 2 ** again * (0.5 + chance / 2);
}

/**
 * Sends a request until it is answered, for as long as that may help.
 * `leave`: refusals that are thrown as the SDK has them, for whoever asked to read.
 */
export function tries({ clock, rng }: Pick<World, "clock" | "rng">, place: BucketPlace) {
  return async <Answer>(
    asked: string,
    signal: AbortSignal,
    send: (signal: AbortSignal) => Promise<Answer>,
    leave: (error: unknown) => boolean = () => false,
  ): Promise<Answer> => {
    for (let done = 1; ; done++) {
      signal.throwIfAborted();
      try {
        return await send(signal);
      } catch (error) {
        signal.throwIfAborted();
        if (leave(error)) throw error;
        if (done >= MOST_TRIES || !mayPass(error)) throw asProblem(error, place, asked);
        await clock.sleep(waitBefore(done - 1, rng.next()), signal);
      }
    }
  };
}
