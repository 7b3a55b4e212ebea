import type { Clock } from "../platform/clock.ts";
import type { Capabilities, Provider } from "../providers/provider.ts";

const SHORTEST_MS = 1_000;
const LONGEST_MS = 30_000;
/** Without a notice there is only the loss to be seen, and rate limits are to be shared with other tools. */
const NO_NOTICE_MS = 10_000;
/** Of a notice, no more than this part may pass before it is seen. */
const PART_OF_NOTICE = 60;

/** How often a whole account is listed by a watch, in milliseconds: a short notice needs a short pace. */
export function lookEveryMs({ noticeSeconds, machine, listEvery }: Capabilities): number {
  if (machine.kind === "process") return SHORTEST_MS;
  if (listEvery !== null) return Math.max(SHORTEST_MS, listEvery.ms);
  if (noticeSeconds <= 0) return NO_NOTICE_MS;
  return Math.min(LONGEST_MS, Math.max(SHORTEST_MS, (noticeSeconds * 1000) / PART_OF_NOTICE));
}

/** How often a watch asks, from one pass to the next. */
export interface Pace {
  /** Whether it is time to list a provider's account again; asking counts as having listed it. */
  isDue(provider: Provider): boolean;
  /** The records that could not go on when they were last worked on, by id, with their version then and why. */
  readonly stuck: Map<string, { readonly version: number; readonly why: string | null; readonly problem: unknown }>;
  /** The work that passes have left going on beside them, by record; null where a pass waits for all of its work. */
  readonly underway: Map<string, Promise<unknown>> | null;
}

/** Everything is due at once. */
export const noPace = (): Pace => ({ isDue: () => true, stuck: new Map(), underway: null });

/** Each provider at its own pace, from now on. */
export function ownPace(clock: Clock): Pace {
  const last = new Map<string, number>();
  return {
    isDue(provider) {
      const now = clock.monotonic();
      const before = last.get(provider.id);
      // Half a second of slack, so that a pace of one second is not missed by a timer that fired a moment early.
      if (before !== undefined && now - before < lookEveryMs(provider.capabilities) - 500) return false;
      last.set(provider.id, now);
      return true;
    },
    stuck: new Map(),
    underway: new Map(),
  };
}
