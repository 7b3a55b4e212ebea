import { expect, test } from "vitest";
import type { Fleet, GuestReport } from "../../src/fleet/fleet.ts";
import { look } from "../../src/fleet/hearing/look.ts";
import { ownPace } from "../../src/fleet/hearing/pace.ts";
import { putToSleep, takeDown } from "../../src/fleet/park.ts";
import { reconcile } from "../../src/fleet/pass.ts";
import { wakeUp } from "../../src/fleet/waking.ts";
import { wish } from "../../src/fleet/wish.ts";
import { EXIT } from "../../src/model/exit-codes.ts";
import { Problem } from "../../src/model/problem.ts";
import { ProviderError } from "../../src/providers/errors.ts";
import { up } from "../simulation/scenarios.ts";
import { onHyperstack, onNovita, onVerda, stopAtNovita } from "./one-cloud.ts";
import type { WireWorld } from "./wire-world.ts";

const HOUR_MS = 3_600_000;
const signal = new AbortController().signal;
const limits = { signal, limitMs: HOUR_MS };

async function pass(world: WireWorld) {
  return world.clock.run(reconcile(world.start(), limits));
}

/** A process that is killed at its next write, once `kill` was called. */
function killable(fleet: Fleet): { readonly fleet: Fleet; kill(): void } {
  let dead = false;
  const state: Fleet["state"] = {
    ...fleet.state,
    async commit(change) {
      if (dead) throw new Error("killed");
      return fleet.state.commit(change);
    },
  };
  return {
    fleet: { ...fleet, state },
    kill() {
      dead = true;
    },
  };
}

/** The same process, which does something right after a volume was let go. */
function afterRelease(fleet: Fleet, then: () => unknown): Fleet {
  return {
    ...fleet,
    guest: {
      ...fleet.guest,
      async releaseVolume(reach, within) {
        await fleet.guest.releaseVolume(reach, within);
        await then();
      },
    },
  };
}

test("killed right after the volume was let go on the way to sleep: the next pass finishes it", async () => {
  const { world } = await onHyperstack();
  try {
    const fleet = world.start();
    const first = await world.clock.run(up(fleet, world.spec));
    const doomed = killable(fleet);
    const killed = world.clock.run(putToSleep(afterRelease(doomed.fleet, doomed.kill), first, { ...limits, snapshot: true }));
    await killed.catch(() => undefined);
    world.bury(fleet);
    const report = await pass(world);
    expect(report.items).toMatchObject([{ outcome: "settled" }]);
    expect(await world.state.instance(first.id)).toMatchObject({ state: "hibernated", sealedAsleep: true });
  } finally {
    await world.close();
  }
});

test("asked to end while its volume is let go for its sleep: it is ended", async () => {
  const { world, cloud } = await onHyperstack();
  try {
    const fleet = world.start();
    const first = await world.clock.run(up(fleet, world.spec));
    const other = world.start();
    const asleep = putToSleep(
      afterRelease(fleet, () => wish(other, first.id, { desired: "gone", skipSnapshot: false })),
      first,
      { ...limits, snapshot: true },
    );
    expect(await world.clock.run(asleep)).toMatchObject({ state: "gone" });
    expect(cloud.living()).toEqual([]);
  } finally {
    await world.close();
  }
});

async function stoppedAtNovita() {
  const { world, cloud } = await onNovita();
  const fleet = world.start();
  const record = await world.clock.run(up(fleet, world.spec));
  await stopAtNovita(cloud, record.providerId);
  await world.clock.pass(60_000);
  await pass(world);
  const stopped = await fleet.state.instance(record.id);
  if (stopped?.state !== "stopped") throw new Error("it is not stopped");
  return { world, cloud, fleet, stopped };
}

test("stopped at the cloud's own console: it can be put to sleep from its last checkpoint, as the refusal says", async () => {
  const { world, cloud, fleet, stopped } = await stoppedAtNovita();
  try {
    const asleep = await world.clock.run(putToSleep(fleet, stopped, { ...limits, snapshot: false }));
    expect(asleep).toMatchObject({ state: "hibernated", parked: "recreate" });
    expect(cloud.living()).toEqual([]);
  } finally {
    await world.close();
  }
});

test("stopped at the cloud's own console and deleted there: it is let go of or parked, and nothing is stuck", async () => {
  const { world, cloud, stopped } = await stoppedAtNovita();
  try {
    await world.clock.run(world.cloud.provider.destroy(stopped.providerId ?? "", { signal }));
    await world.clock.pass(60_000);
    expect((await pass(world)).items).toMatchObject([{ outcome: "settled" }]);
    expect(cloud.living()).toEqual([]);
  } finally {
    await world.close();
  }
});

test("let go after a reclaim: the root disk that was kept for it before goes too, and its ledger ends", async () => {
  const { world, cloud } = await onVerda();
  try {
    const fleet = world.start();
    const first = await world.clock.run(up(fleet, { ...world.spec, onReclaim: "let-go" }));
    const asleep = await world.clock.run(putToSleep(fleet, first, { ...limits, snapshot: true }));
    const awake = await world.clock.run(wakeUp(fleet, asleep, { signal, capMs: HOUR_MS, sleepLimitMs: HOUR_MS }));
    await cloud.reclaim(awake.providerId ?? "");
    await pass(world);
    expect(await fleet.state.instance(first.id)).toMatchObject({ state: "gone" });
    expect((await fleet.state.volumes()).map(({ name }) => name)).toEqual(["work"]);
    expect(await fleet.state.ledger({ openOnly: true })).toMatchObject([{ instance: "work" }]);
  } finally {
    await world.close();
  }
});

test("parked after a reclaim that took the root disk along: its ledger ends", async () => {
  const { world, cloud } = await onVerda();
  try {
    const fleet = world.start();
    const first = await world.clock.run(up(fleet, { ...world.spec, onReclaim: "hibernate" }));
    const asleep = await world.clock.run(putToSleep(fleet, first, { ...limits, snapshot: true }));
    const awake = await world.clock.run(wakeUp(fleet, asleep, { signal, capMs: HOUR_MS, sleepLimitMs: HOUR_MS }));
    await cloud.reclaim(awake.providerId ?? "");
    await pass(world);
    expect(await fleet.state.instance(first.id)).toMatchObject({ state: "hibernated", rootVolume: null });
    expect(await fleet.state.ledger({ openOnly: true })).toMatchObject([{ instance: "work" }]);
  } finally {
    await world.close();
  }
});

test("a cloud that takes a minute to end a parked machine is not asked again at every look", async () => {
  let asked = 0;
  const { world } = await onNovita((provider) => ({
    async destroy(id, context) {
      asked += 1;
      return world.clock.now() < until ? "accepted" : provider.destroy(id, context);
    },
  }));
  let until = 0;
  try {
    const fleet = world.start();
    const first = await world.clock.run(up(fleet, world.spec));
    until = world.clock.now() + 60_000;
    const asleep = await world.clock.run(putToSleep(fleet, first, { ...limits, snapshot: true }));
    expect(asleep).toMatchObject({ state: "hibernated" });
    expect(asked).toBeLessThan(20);
  } finally {
    await world.close();
  }
});

test("a restore that a cloud does not take up yet is not asked for at every look", async () => {
  let asked = 0;
  const { world } = await onHyperstack({}, ({ hibernation }) => ({
    ...(hibernation === undefined
      ? {}
      : {
          hibernation: {
            ...hibernation,
            async restore(id, context) {
              asked += 1;
              if (world.clock.now() >= until) await hibernation.restore(id, context);
            },
          },
        }),
  }));
  let until = 0;
  try {
    const fleet = world.start();
    const first = await world.clock.run(up(fleet, world.spec));
    const asleep = await world.clock.run(putToSleep(fleet, first, { ...limits, snapshot: true }));
    until = world.clock.now() + 60_000;
    await world.clock.run(wakeUp(fleet, asleep, { signal, capMs: HOUR_MS, sleepLimitMs: HOUR_MS }));
    expect(asked).toBeLessThan(20);
  } finally {
    await world.close();
  }
});

test("a machine without a way in is not ended unsealed", async () => {
  let hidden = false;
  const { world, cloud } = await onNovita((provider) => ({
    async get(id, context) {
      const instance = await provider.get(id, context);
      return instance && hidden ? { ...instance, reach: null } : instance;
    },
    async list(context) {
      return (await provider.list(context)).map((instance) => (hidden ? { ...instance, reach: null } : instance));
    },
  }));
  try {
    const fleet = world.start();
    const first = await world.clock.run(up(fleet, world.spec));
    hidden = true;
    await expect(world.clock.run(takeDown(fleet, first, { ...limits, snapshot: true }))).rejects.toMatchObject({
      code: "SPOT_E_CHECKPOINT",
    });
    expect(cloud.living()).toHaveLength(1);
    hidden = false;
    await pass(world);
    expect(world.guests.sealed).toMatchObject([{ reason: "down" }]);
    expect(cloud.living()).toEqual([]);
  } finally {
    await world.close();
  }
});

/** The agent of a machine without a volume waits for none. */
function withoutWaiting(report: GuestReport | undefined): GuestReport | undefined {
  return report && { ...report, phase: "running", awaitsVolume: false };
}

/** What `spot watch --act` asks of the cloud in a minute. */
async function watched(world: WireWorld, fleet: Fleet, server: { readonly requests: readonly unknown[] }, pace = ownPace(world.clock)) {
  const before = server.requests.length;
  const end = world.clock.now() + 60_000;
  while (world.clock.now() < end) {
    await world.clock.run(reconcile(fleet, { signal, limitMs: 2_000, pace }));
    await world.clock.pass(1_000);
  }
  return server.requests.slice(before);
}

test("a watch asks for what a machine has sealed no more often than it lists the account", async () => {
  const { world, cloud } = await onHyperstack();
  try {
    let read = 0;
    const fleet = world.start();
    await world.clock.run(up(fleet, { ...world.spec, checkpointEveryMs: 60_000 }));
    const guest: Fleet["guest"] = {
      ...fleet.guest,
      sealed(reach, within) {
        read += 1;
        return fleet.guest.sealed(reach, within);
      },
    };
    await watched(world, { ...fleet, guest }, cloud.server);
    expect(read).toBeGreaterThan(0);
    expect(read).toBeLessThan(8);
  } finally {
    await world.close();
  }
});

test("a watch that waits for capacity does not ask the market every second", async () => {
  const { world, cloud } = await onHyperstack();
  try {
    const fleet = world.start();
    const first = await world.clock.run(up(fleet, { ...world.spec, onReclaim: "replace" }));
    const offers = await world.clock.run(world.cloud.provider.offers({}, { signal }));
    await cloud.reclaim(first.providerId ?? "");
    for (const { type } of offers) cloud.setStock(type, 0);
    const pace = ownPace(world.clock);
    const asked = await watched(world, fleet, cloud.server, pace);
    expect(asked.length).toBeLessThan(60);
    // It is said in every pass all the same.
    const { items } = await world.clock.run(reconcile(fleet, { signal, limitMs: 2_000, pace }));
    expect(items).toMatchObject([{ instance: "train", outcome: "stuck", why: expect.stringContaining("no machine for train") }]);
    // A new wish is heard at once, whatever its provider's pace.
    await world.clock.run(wish(fleet, first.id, { desired: "gone", skipSnapshot: true }));
    await world.clock.run(reconcile(fleet, { signal, limitMs: 2_000, pace }));
    expect(await fleet.state.instance(first.id)).toMatchObject({ state: "gone" });
  } finally {
    await world.close();
  }
});

test("a clock that was set back does not make a volume with an earlier life's work look new", async () => {
  let soldOut = false;
  const { world, cloud } = await onHyperstack({}, ({ id, launch }) => ({
    launch(spec, context) {
      if (soldOut) throw new ProviderError(id, { kind: "no-capacity", scope: "offer" }, "sold out");
      return launch(spec, context);
    },
  }));
  try {
    const fleet = world.start();
    const first = await world.clock.run(up(fleet, world.spec));
    await world.clock.run(takeDown(fleet, first, { ...limits, snapshot: false }));
    soldOut = true;
    const back: Fleet = { ...fleet, clock: { ...world.clock, now: () => world.clock.now() - 2 * HOUR_MS } };
    await expect(world.clock.run(up(back, world.spec))).rejects.toMatchObject({ code: "SPOT_E_NO_CAPACITY" });
    expect(cloud.volumes()).toHaveLength(1);
  } finally {
    await world.close();
  }
});

test("stopped on its way back from an unsealed sleep: past the cap it is kept, because only its own disk holds the work", async () => {
  let isOff = false;
  const { world, cloud } = await onHyperstack({}, ({ get }) => ({
    async get(id, context) {
      const instance = await get(id, context);
      return instance?.state === "running" && isOff ? { ...instance, state: "stopped", rawState: "SHUTOFF" } : instance;
    },
  }));
  try {
    const fleet = world.start();
    const first = await world.clock.run(up(fleet, world.spec));
    const asleep = await world.clock.run(putToSleep(fleet, first, { ...limits, snapshot: false }));
    expect(asleep).toMatchObject({ parked: "native", sealedAsleep: false });
    isOff = true;
    const woken = world.clock.run(wakeUp(fleet, asleep, { signal, capMs: 600_000, sleepLimitMs: HOUR_MS }));
    await expect(woken).rejects.toMatchObject({ code: "SPOT_E_STOPPED" });
    expect(cloud.living().map(({ providerId }) => providerId)).toEqual([first.providerId]);
  } finally {
    await world.close();
  }
});

test("without a volume nothing is parked by ending its machine, unless it is asked for", async () => {
  const { world, cloud } = await onNovita();
  try {
    const fleet = world.start();
    const first = await world.clock.run(up(fleet, { ...world.spec, volume: null }));
    const refused = world.clock.run(putToSleep(fleet, first, { ...limits, snapshot: true }));
    await expect(refused).rejects.toMatchObject({ code: "SPOT_E_NO_VOLUME" });
    expect(cloud.living()).toHaveLength(1);
    // The wish is taken back: no later pass stumbles over it.
    expect(await fleet.state.instance(first.id)).toMatchObject({ desired: "running" });
    expect((await world.clock.run(reconcile(world.start(), limits))).items).toMatchObject([{ outcome: "settled" }]);
    const awake = await world.clock.run(wakeUp(fleet, first, { signal, capMs: HOUR_MS, sleepLimitMs: HOUR_MS }));
    expect(awake).toMatchObject({ state: "running", providerId: first.providerId });
    await world.clock.run(putToSleep(fleet, awake, { ...limits, snapshot: false }));
    expect(cloud.living()).toEqual([]);
  } finally {
    await world.close();
  }
});

test("without a volume, at a cloud that will not hibernate this machine after all: it goes on as it was", async () => {
  const { world, cloud } = await onHyperstack({ refuseHibernate: "Hibernation is not supported for this flavor." });
  try {
    const fleet = world.start();
    const guest: Fleet["guest"] = {
      ...fleet.guest,
      report: async (reach, within) => withoutWaiting(await fleet.guest.report(reach, within)),
    };
    const bare: Fleet = { ...fleet, guest };
    const first = await world.clock.run(up(bare, { ...world.spec, volume: null }));
    const refused = world.clock.run(putToSleep(bare, first, { ...limits, snapshot: true }));
    await expect(refused).rejects.toMatchObject({ code: "SPOT_E_NO_VOLUME" });
    const kept = await fleet.state.instance(first.id);
    expect(kept).toMatchObject({ state: "running", parkOnly: true });
    const awake = await world.clock.run(wakeUp(bare, first, { signal, capMs: HOUR_MS, sleepLimitMs: HOUR_MS }));
    expect(awake.providerId).toBe(first.providerId);
    expect(cloud.living().map(({ providerId }) => providerId)).toEqual([first.providerId]);
  } finally {
    await world.close();
  }
});

test("a cloud that cannot list its volumes while one is parked: what the root disk costs is asked for until it is known", async () => {
  let down = false;
  const { world } = await onVerda(({ id, volumes }) =>
    volumes === undefined
      ? {}
      : {
          volumes: {
            ...volumes,
            list(context) {
              if (down) throw new ProviderError(id, { kind: "unavailable" }, "down");
              return volumes.list(context);
            },
          },
        },
  );
  try {
    const fleet = world.start();
    const first = await world.clock.run(up(fleet, world.spec));
    down = true;
    const asleep = putToSleep(fleet, first, { ...limits, snapshot: true });
    await world.clock.pass(60_000);
    down = false;
    expect(await world.clock.run(asleep)).toMatchObject({ state: "hibernated" });
    expect((await fleet.state.ledger({ openOnly: true })).map(({ instance }) => instance).sort()).toEqual(["train-root", "work"]);
  } finally {
    await world.close();
  }
});

test("a connection that is lost while a volume is mounted does not undo what was rented", async () => {
  const { world, cloud } = await onHyperstack();
  try {
    const fleet = world.start();
    let lost = 0;
    const guest: Fleet["guest"] = {
      ...fleet.guest,
      async mountVolume(...told) {
        if (lost++ < 3)
          throw new Problem({ code: "SPOT_E_GUEST_UNREACHABLE", message: "the connection was lost", exit: EXIT.failed, retryable: true });
        await fleet.guest.mountVolume(...told);
      },
    };
    const record = await world.clock.run(up({ ...fleet, guest }, world.spec));
    expect(record).toMatchObject({ state: "running" });
    expect(cloud.living().map(({ providerId }) => providerId)).toEqual([record.providerId]);
  } finally {
    await world.close();
  }
});

test("whoever only looks deletes no root disk; a reconcile does", async () => {
  const { world, cloud } = await onVerda();
  try {
    const fleet = world.start();
    const first = await world.clock.run(up(fleet, world.spec));
    await world.clock.run(putToSleep(fleet, first, { ...limits, snapshot: true }));
    await world.clock.run(wish(fleet, first.id, { desired: "gone", skipSnapshot: true }));
    await world.clock.run(look(fleet, signal));
    expect(await fleet.state.instance(first.id)).toMatchObject({ state: "hibernated", desired: "gone" });
    expect(cloud.volumes()).toHaveLength(2);
    await pass(world);
    expect(await fleet.state.instance(first.id)).toMatchObject({ state: "gone" });
    expect(cloud.volumes()).toHaveLength(1);
  } finally {
    await world.close();
  }
});
