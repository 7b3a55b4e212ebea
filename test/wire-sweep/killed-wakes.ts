import type { Fleet } from "../../src/fleet/fleet.ts";
import { putToSleep } from "../../src/fleet/park.ts";
import { reconcile } from "../../src/fleet/pass.ts";
import { wakeUp } from "../../src/fleet/waking.ts";
import { up, watchAndAct } from "../simulation/scenarios.ts";
import type { VirtualClock } from "../simulation/virtual-clock.ts";
import { billing, type CapTempo, chargedAsleep, metered } from "./caps.ts";
import { type CloudOnTheWire, wireWorld } from "./wire-world.ts";

const LIMIT_MS = 3_600_000;
/** The cap that is written down is a little later than the command's own. */
const WRITTEN_LATER_MS = 5_000;
const signal = new AbortController().signal;
const forEver = new Promise<never>(() => undefined);

/** Everything that a process has in hand: once it is dead, nothing of it begins any more and nothing comes back to it. */
function mortal<Thing extends object>(thing: Thing, isDead: () => boolean): Thing {
  return new Proxy(thing, {
    get(target, key) {
      const value: unknown = Reflect.get(target, key);
      if (typeof value === "function")
        return (...args: unknown[]) => {
          if (isDead()) return forEver;
          const result: unknown = Reflect.apply(value, target, args);
          return result instanceof Promise ? result.then((one) => (isDead() ? forEver : one)) : result;
        };
      return typeof value === "object" && value !== null && !Array.isArray(value) ? mortal(value, isDead) : value;
    },
  });
}

/** Who comes after a restore that was killed: a single `reconcile` past the cap, or a watch that was there all the time. */
export type Finisher = "reconcile" | "watch";

/**
 * A restore whose workload is never ready is killed at nine tenths of its cap, with its machine charged.
 * @returns what is wrong, and how long after the cap that was written down its charge ended by our books, in milliseconds.
 */
export async function killedWake(
  make: (clock: VirtualClock) => Promise<CloudOnTheWire>,
  finisher: Finisher,
  { capMs, tempo }: CapTempo = { capMs: 600_000 },
): Promise<{ readonly broken: readonly string[]; readonly lateMs: number }> {
  const world = await wireWorld(make, tempo);
  const { clock, cloud } = world;
  try {
    const first = world.start();
    const record = await clock.run(up(first, world.spec));
    const asleep = await clock.run(putToSleep(first, record, { signal, limitMs: LIMIT_MS, snapshot: true }));
    const paid = await metered(world);
    const guest = { ...first.guest, isReady: async () => false };
    const started = world.start();
    let isDead = false;
    const dead = () => isDead;
    const dying: Fleet = {
      ...started,
      state: mortal(started.state, dead),
      provider: async () => mortal(cloud.provider, dead),
      guest: mortal(guest, dead),
      clock: { ...started.clock, sleep: mortal(started.clock, dead).sleep },
    };
    const since = clock.now();
    const broken: string[] = [];
    void wakeUp(dying, asleep, { signal, capMs, sleepLimitMs: LIMIT_MS }).then(
      () => broken.push("it came to serve"),
      (error: unknown) => broken.push(`it ended by itself: ${error}`),
    );
    await clock.pass(0.9 * capMs);
    isDead = true;
    world.bury(dying);
    if ((await billing(world)).length !== 1 || (await metered(world)) <= paid) broken.push("no machine was charged when it was killed");
    const after = (): Fleet => ({ ...world.start(), guest });
    const wakeBy = since + capMs + WRITTEN_LATER_MS;
    if (finisher === "reconcile") {
      // Before the cap whoever comes by goes on with it.
      await clock.run(reconcile(after(), { signal, limitMs: 0.05 * capMs }));
      const early = await world.state.instanceByName("train");
      if (early?.desired !== "running") broken.push(`before its cap it was to be ${early?.desired}`);
      await clock.pass(Math.max(0, wakeBy - clock.now()) + 1_000);
      await clock.run(reconcile(after(), { signal, limitMs: LIMIT_MS }));
    } else await clock.run(watchAndAct(after(), wakeBy - clock.now() + 2 * world.tempo.betweenMs, world.tempo.betweenMs / 4));
    const ends = (await world.state.ledger({})).filter(({ kind }) => kind === "gpu").map(({ to }) => to ?? Number.POSITIVE_INFINITY);
    broken.push(...(await chargedAsleep(world)));
    return { broken, lateMs: Math.max(...ends) - wakeBy };
  } finally {
    await world.close();
  }
}
