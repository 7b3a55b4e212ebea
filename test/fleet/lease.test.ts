import { expect, onTestFinished, test } from "vitest";
import type { Fleet } from "../../src/fleet/fleet.ts";
import { HOLD_MS, LEASE_MS, LeaseLost, RENEW_MS } from "../../src/fleet/leases/held-leases.ts";
import { type Held, whileHolding } from "../../src/fleet/leases/lease.ts";
import type { Clock } from "../../src/platform/clock.ts";
import { type PaperWorld, paperWorld } from "../simulation/paper-world.ts";
import { sampleInstance } from "../state/sample-records.ts";

const NAME = "instance:i-1";
const never = () => new AbortController().signal;

async function opened(): Promise<PaperWorld> {
  const world = await paperWorld();
  onTestFinished(() => world.state.close());
  return world;
}

/** A process whose clocks may run away from the world's: by so many milliseconds each. */
function withClock(fleet: Fleet, ahead: { monotonic: number; wall: number }): Fleet {
  const clock: Clock = {
    now: () => fleet.clock.now() + ahead.wall,
    monotonic: () => fleet.clock.monotonic() + ahead.monotonic,
    sleep: fleet.clock.sleep,
  };
  return { ...fleet, clock };
}

const told = (world: PaperWorld) => ({
  events: [{ at: world.clock.now(), type: "action", instance: null, provider: null, data: {} } as const],
});

/** Everything that work could do under a lease, and that it must not do any more; what each attempt came to. */
async function everything({ fleet, signal }: Held, world: PaperWorld): Promise<readonly unknown[]> {
  const attempts = [
    fleet.state.commit(told(world)),
    fleet.provider("paper").then((provider) => provider.list({ signal })),
    fleet.provider("paper").then((provider) => provider.destroy("m-1", { signal })),
    fleet.provider("paper").then((provider) => provider.volumes?.snapshots?.create("d-1", { name: "a", token: "t" }, { signal })),
    fleet.guest.snapshot({ kind: "process", cwd: "m-1", env: {}, log: "" }, "down", null, signal),
  ];
  return (await Promise.allSettled(attempts)).map((result) => (result.status === "rejected" ? result.reason : "done"));
}

const allLost = (results: readonly unknown[]) => results.every((result) => result instanceof LeaseLost);

test("renewals go on while work goes on: nobody gets the lease, and at the end it is free at once", async () => {
  const world = await opened();
  const [one, other] = [world.start(), world.start()];
  const tries: boolean[] = [];
  const work = whileHolding(one.fleet, NAME, never(), async (held) => {
    for (let count = 0; count < 10; count++) {
      await one.fleet.clock.sleep(LEASE_MS / 3);
      held.requireHeld();
      tries.push(await world.state.acquireLease(NAME, other.fleet.owner, world.clock.now(), LEASE_MS));
    }
    expect(held.signal.aborted).toBe(false);
    expect(await held.fleet.state.commit(told(world))).toBe("committed");
    return "done";
  });
  expect(await world.clock.run(work)).toBe("done");
  expect(tries).toEqual(Array(10).fill(false));
  expect(await world.state.leaseHolder(NAME, world.clock.now())).toBeUndefined();
});

test("a database that does not answer: the signal fires before another may begin, and nothing is sent or written from then on", async () => {
  const world = await opened();
  const process = world.start();
  const stuck: Fleet = { ...process.fleet, state: { ...process.fleet.state, renewLeases: () => new Promise(() => undefined) } };
  const since = world.clock.now();
  const work = whileHolding(stuck, NAME, never(), async (held) => {
    await expect(stuck.clock.sleep(600_000, held.signal)).rejects.toBeInstanceOf(LeaseLost);
    expect(world.clock.now() - since).toBe(HOLD_MS);
    expect(() => held.requireHeld()).toThrow(LeaseLost);
    expect(allLost(await everything(held, world))).toBe(true);
  });
  await world.clock.run(work);
  expect(HOLD_MS).toBeLessThan(LEASE_MS);
  expect(await world.state.lastSeq()).toBe(0);
  expect(process.trace.filter(({ kind, name }) => kind !== "write" || name.startsWith("commit"))).toEqual([]);
});

test("renewals that fail now and then cost nothing; the answer that took long counts from when it was asked for", async () => {
  const world = await opened();
  const { fleet } = world.start();
  let asked = 0;
  const { renewLeases } = fleet.state;
  const slow: Fleet = {
    ...fleet,
    state: {
      ...fleet.state,
      async renewLeases(...rest) {
        asked++;
        if (asked % 2 === 0) throw new Error("the database is busy");
        if (asked === 5) return new Promise(() => undefined);
        const ours = await renewLeases(...rest);
        if (asked === 3) await fleet.clock.sleep(RENEW_MS - 1_000);
        return ours;
      },
    },
  };
  const since = world.clock.now();
  const work = whileHolding(slow, NAME, never(), async (held) => {
    await expect(slow.clock.sleep(600_000, held.signal)).rejects.toBeInstanceOf(LeaseLost);
    // The third was asked for at 15 s and answered at 19 s; the fourth failed, the fifth was never answered.
    expect(world.clock.now() - since).toBe(3 * RENEW_MS + HOLD_MS);
  });
  await world.clock.run(work);
  expect(asked).toBe(5);
});

test.each([
  ["monotonic", "a process that stood still"],
  ["wall", "a computer that slept"],
] as const)("a jump of the %s clock (%s): found out at the very next call, before any timer", async (which, _what) => {
  const world = await opened();
  const process = world.start();
  const ahead = { monotonic: 0, wall: 0 };
  const fleet = withClock(process.fleet, ahead);
  const work = whileHolding(fleet, NAME, never(), async (held) => {
    expect(await held.fleet.state.commit(told(world))).toBe("committed");
    ahead[which] = HOLD_MS;
    expect(held.signal.aborted).toBe(false);
    expect(allLost(await everything(held, world))).toBe(true);
    expect(held.signal.reason).toBeInstanceOf(LeaseLost);
  });
  await world.clock.run(work);
  expect(await world.state.lastSeq()).toBe(1);
  expect(process.trace.filter(({ kind }) => kind !== "write")).toEqual([]);
});

test("taken over by another: told by the next renewal, and by the database at once; the former owner's commit is refused, though its version fits", async () => {
  const world = await opened();
  const [one, other] = [world.start(), world.start()];
  await world.state.commit({ addInstance: sampleInstance("a") });
  const record = await world.state.instanceByName("a");
  if (record === undefined) throw new Error("no record");
  const takeOver = async () => {
    await world.state.releaseLease(NAME, one.fleet.owner);
    expect(await world.state.acquireLease(NAME, other.fleet.owner, world.clock.now(), LEASE_MS)).toBe(true);
  };
  await world.clock.run(
    whileHolding(one.fleet, NAME, never(), async (held) => {
      const since = world.clock.now();
      await takeOver();
      await expect(one.fleet.clock.sleep(600_000, held.signal)).rejects.toBeInstanceOf(LeaseLost);
      expect(world.clock.now() - since).toBe(RENEW_MS);
    }),
  );
  // What another one has is not taken from it by our giving back.
  expect((await world.state.leaseHolder(NAME, world.clock.now()))?.owner).toBe(other.fleet.owner);
  await world.state.releaseLease(NAME, other.fleet.owner);
  const change = { instance: { id: record.id, version: record.version, set: { reason: "late" } } };
  await world.clock.run(
    whileHolding(one.fleet, NAME, never(), async (held) => {
      await takeOver();
      expect(held.signal.aborted).toBe(false);
      await expect(held.fleet.state.commit(change)).rejects.toBeInstanceOf(LeaseLost);
      expect(held.signal.aborted).toBe(true);
    }),
  );
  expect(await world.state.instance(record.id)).toEqual(record);
});

test("an error gives the lease back, and stops the renewing", async () => {
  const world = await opened();
  const { fleet, trace } = world.start();
  const work = whileHolding(fleet, NAME, never(), async () => {
    await fleet.clock.sleep(RENEW_MS + 1);
    throw new Error("it failed");
  });
  await expect(world.clock.run(work)).rejects.toThrow("it failed");
  expect(await world.state.leaseHolder(NAME, world.clock.now())).toBeUndefined();
  await world.clock.pass(10 * LEASE_MS);
  expect(trace.filter(({ name }) => name === "renew leases")).toHaveLength(1);
  expect(fleet.leases.timer).toBeNull();
});

test("many leases are renewed by one statement and one timer", async () => {
  const world = await opened();
  const { fleet, trace } = world.start();
  const works = Array.from({ length: 200 }, (_, index) =>
    whileHolding(fleet, `instance:${index}`, never(), async (held) => {
      await fleet.clock.sleep(60_000);
      held.requireHeld();
    }),
  );
  await world.clock.run(Promise.all(works));
  // The last one falls together with the end of the work.
  expect(trace.filter(({ name }) => name === "renew leases")).toHaveLength(60_000 / RENEW_MS - 1);
});

test("within a process too a lease is held by one work at a time; what goes on after its work has ended does nothing", async () => {
  const world = await opened();
  const { fleet } = world.start();
  const left: Held[] = [];
  const work = whileHolding(fleet, NAME, never(), async (held) => {
    left.push(held);
    return whileHolding(fleet, NAME, never(), async () => "both");
  });
  expect(await world.clock.run(work)).toBeUndefined();
  const [held] = left;
  if (held === undefined) throw new Error("never held");
  expect(await world.clock.run(whileHolding(fleet, NAME, never(), () => everything(held, world)))).toSatisfy(allLost);
  expect(await world.state.lastSeq()).toBe(0);
});

test("of two leases, one in the other, a lost inner one ends the inner work only; a lost outer one ends both", async () => {
  const world = await opened();
  const [one, other] = [world.start(), world.start()];
  const take = async (name: string) => {
    await world.state.releaseLease(name, one.fleet.owner);
    await world.state.acquireLease(name, other.fleet.owner, world.clock.now(), LEASE_MS);
  };
  const nested = (lost: "inner" | "outer") =>
    world.clock.run(
      whileHolding(one.fleet, `outer ${lost}`, never(), async (outer) => {
        const inner = whileHolding(outer.fleet, `inner ${lost}`, outer.signal, async (held) => {
          await take(`${lost} ${lost}`);
          await expect(held.fleet.state.commit(told(world))).rejects.toBeInstanceOf(LeaseLost);
          expect(held.signal.aborted).toBe(true);
        });
        await inner;
        return outer.signal.aborted ? "both" : await outer.fleet.state.commit(told(world));
      }),
    );
  expect(await nested("inner")).toBe("committed");
  expect(await nested("outer")).toBe("both");
});

test("a lease that could not be given back is not renewed for ever", async () => {
  const world = await opened();
  const { fleet } = world.start();
  let refuses = true;
  const deaf: Fleet = {
    ...fleet,
    state: {
      ...fleet.state,
      releaseLease: (name, owner) => (refuses ? Promise.reject(new Error("the disk is full")) : fleet.state.releaseLease(name, owner)),
    },
  };
  const work = whileHolding(deaf, "another", never(), async () => {
    await whileHolding(deaf, NAME, never(), async () => undefined);
    refuses = false;
    await fleet.clock.sleep(2 * LEASE_MS);
    expect(await world.state.leaseHolder(NAME, world.clock.now())).toBeUndefined();
  });
  await world.clock.run(work);
});

test("the caller's own signal reaches the work", async () => {
  const world = await opened();
  const { fleet } = world.start();
  const ctrlC = new AbortController();
  const work = whileHolding(fleet, NAME, ctrlC.signal, async (held) => {
    ctrlC.abort("SIGINT");
    expect(held.signal.reason).toBe("SIGINT");
    // What is under way is still ended in order.
    expect(await held.fleet.state.commit(told(world))).toBe("committed");
  });
  await world.clock.run(work);
});
