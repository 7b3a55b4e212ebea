import { advance, needsWatching, nextDue } from "./progress.ts";
import { type CloudInstance, holdsMachine } from "./records.ts";
import type { Site } from "./site.ts";

/** A process that this daemon did not start itself is looked at this often. */
const WATCH_MS = 500;
/** While instances live, the longest sleep: the wall clock may jump. */
const LONGEST_SLEEP_MS = 1000;
const IDLE_SLEEP_MS = 5_000;
/** After an attempt that failed. */
const RETRY_MS = 1000;

export interface Loop {
  /** Look again now. */
  wake(): void;
  /** Ends after what is under way. */
  stop(): Promise<void>;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Brings every instance on when its time has come. `onPass` runs before each look around. */
export function startLoop(site: Site, onPass: (living: readonly CloudInstance[]) => void): Loop {
  const underWay = new Map<string, Promise<void>>();
  const notBefore = new Map<string, number>();
  const lastLook = new Map<string, number>();
  let stopping = false;
  let sleeper = new AbortController();

  const work = (id: string): Promise<void> =>
    advance(site, id)
      .catch((error: unknown) => {
        site.log(`${id}: ${messageOf(error)}; trying again`);
        notBefore.set(id, site.clock.now() + RETRY_MS);
      })
      .finally(() => {
        underWay.delete(id);
        sleeper.abort();
      });

  /** Starts what is due; says how long nothing will be. */
  const pass = (): number => {
    const now = site.clock.now();
    const living = site.database.livingInstances();
    onPass(living);
    const market = site.database.market();
    let sleep = living.some(({ state }) => holdsMachine(state)) ? LONGEST_SLEEP_MS : IDLE_SLEEP_MS;
    for (const instance of living) {
      if (underWay.has(instance.id)) continue;
      const due = Math.max(nextDue(market, instance), notBefore.get(instance.id) ?? 0);
      const look = needsWatching(site, instance) ? (lastLook.get(instance.id) ?? 0) + WATCH_MS : Number.POSITIVE_INFINITY;
      const next = Math.min(due, look);
      if (next > now) {
        sleep = Math.min(sleep, next - now);
        continue;
      }
      notBefore.delete(instance.id);
      lastLook.set(instance.id, now);
      underWay.set(instance.id, work(instance.id));
    }
    return sleep;
  };

  const run = async (): Promise<void> => {
    while (!stopping) {
      sleeper = new AbortController();
      let sleep = RETRY_MS;
      try {
        sleep = pass();
      } catch (error) {
        site.log(`the loop failed: ${messageOf(error)}; trying again`);
      }
      await site.clock.sleep(sleep, sleeper.signal).catch(() => {});
    }
    await Promise.all(underWay.values());
  };
  const ended = run();
  return {
    wake: () => sleeper.abort(),
    stop() {
      stopping = true;
      sleeper.abort();
      return ended;
    },
  };
}
