import { expect, test } from "vitest";
import type { Fleet } from "../../src/fleet/fleet.ts";
import { look } from "../../src/fleet/hearing/look.ts";
import { ownPace } from "../../src/fleet/hearing/pace.ts";
import { putToSleep, takeDown } from "../../src/fleet/park.ts";
import { reconcile } from "../../src/fleet/pass.ts";
import { planLaunch } from "../../src/fleet/steps/plan.ts";
import { bringUp, claimName, newRecord } from "../../src/fleet/up.ts";
import { wakeUp } from "../../src/fleet/waking.ts";
import { wish } from "../../src/fleet/wish.ts";
import { up } from "../simulation/scenarios.ts";
import { onHyperstack, onNovita, onVerda, stopAtNovita } from "./one-cloud.ts";
import type { WireWorld } from "./wire-world.ts";

const HOUR_MS = 3_600_000;
const signal = new AbortController().signal;
const limits = { signal, limitMs: HOUR_MS };

async function pass(world: WireWorld): Promise<void> {
  await world.clock.run(reconcile(world.start(), limits));
}

test("a machine that cannot end itself is ended when its time is up, with a checkpoint", async () => {
  const { world, cloud } = await onHyperstack();
  try {
    const fleet = world.start();
    const record = await world.clock.run(up(fleet, { ...world.spec, ttlMs: HOUR_MS }));
    await pass(world);
    expect(cloud.living()).toHaveLength(1);
    await world.clock.pass(HOUR_MS);
    await pass(world);
    expect(cloud.living()).toEqual([]);
    expect(await fleet.state.instance(record.id)).toMatchObject({ state: "gone", desired: "gone", reason: "its time is up" });
    expect(world.guests.sealed).toMatchObject([{ reason: "down" }]);
  } finally {
    await world.close();
  }
});

test("a cloud that will not hibernate this machine after all: it is parked, and comes back from its volume", async () => {
  const { world, cloud } = await onHyperstack({ refuseHibernate: "Hibernation is not supported for this flavor." });
  try {
    const fleet = world.start();
    const first = await world.clock.run(up(fleet, world.spec));
    const asleep = await world.clock.run(putToSleep(fleet, first, { ...limits, snapshot: true }));
    expect(asleep).toMatchObject({ state: "hibernated", parked: "recreate", providerId: null });
    expect(cloud.living()).toEqual([]);
    expect(cloud.volumes()).toHaveLength(1);
    const awake = await world.clock.run(wakeUp(fleet, asleep, { signal, capMs: HOUR_MS, sleepLimitMs: HOUR_MS }));
    expect(awake).toMatchObject({ state: "running", parkOnly: false });
  } finally {
    await world.close();
  }
});

test("stopped at the cloud's own console: left alone, its end and its costs said, and never sealed", async () => {
  const { world, cloud } = await onNovita();
  try {
    const fleet = world.start();
    const record = await world.clock.run(up(fleet, world.spec));
    await stopAtNovita(cloud, record.providerId);
    await world.clock.pass(60_000);
    await pass(world);
    const stopped = await fleet.state.instance(record.id);
    expect(stopped).toMatchObject({ state: "stopped", desired: "running", reason: "stopped outside of spot" });
    expect(stopped?.dataKeptUntil ?? 0).toBeGreaterThan(world.clock.now() + 86_400_000);
    const open = await fleet.state.ledger({ openOnly: true });
    expect(open.filter(({ kind }) => kind === "gpu")).toEqual([]);
    if (stopped === undefined) throw new Error("no record");
    await expect(world.clock.run(putToSleep(fleet, stopped, { ...limits, snapshot: true }))).rejects.toMatchObject({
      code: "SPOT_E_STOPPED",
    });
    await world.clock.run(takeDown(fleet, stopped, { ...limits, snapshot: true }));
    expect(cloud.living()).toEqual([]);
  } finally {
    await world.close();
  }
});

test("a root disk is kept while it is parked, booted from, and gone with the instance", async () => {
  const { world, cloud } = await onVerda();
  try {
    const fleet = world.start();
    const first = await world.clock.run(up(fleet, world.spec));
    const asleep = await world.clock.run(putToSleep(fleet, first, { ...limits, snapshot: true }));
    const kept = (await fleet.state.volumes()).find(({ name }) => name === "train-root");
    expect(kept).toMatchObject({ state: "available", sizeGb: expect.any(Number) });
    expect(kept?.sizeGb).toBeGreaterThan(0);
    expect(cloud.volumes().map(({ providerId }) => providerId)).toContain(kept?.providerId);
    const awake = await world.clock.run(wakeUp(fleet, asleep, { signal, capMs: HOUR_MS, sleepLimitMs: HOUR_MS }));
    const instance = await world.cloud.provider.get(awake.providerId ?? "", { signal });
    expect(instance?.rootVolumeId).toBe(kept?.providerId);
    await world.clock.run(takeDown(fleet, awake, { ...limits, snapshot: true }));
    expect((await fleet.state.volumes()).map(({ name }) => name)).toEqual(["work"]);
    expect(cloud.volumes()).toHaveLength(1);
  } finally {
    await world.close();
  }
});

test("down of a parked one deletes the root disk that was kept for it", async () => {
  const { world, cloud } = await onVerda();
  try {
    const fleet = world.start();
    const first = await world.clock.run(up(fleet, world.spec));
    const asleep = await world.clock.run(putToSleep(fleet, first, { ...limits, snapshot: true }));
    expect(cloud.volumes()).toHaveLength(2);
    await world.clock.run(takeDown(fleet, asleep, { ...limits, snapshot: true }));
    expect(cloud.volumes()).toHaveLength(1);
    expect(await fleet.state.ledger({ openOnly: true })).toMatchObject([{ instance: "work" }]);
  } finally {
    await world.close();
  }
});

test("a reclaim without notice takes the root disk along: what comes next starts from the volume alone", async () => {
  const { world, cloud } = await onVerda();
  try {
    const fleet = world.start();
    const first = await world.clock.run(up(fleet, { ...world.spec, onReclaim: "replace" }));
    const asleep = await world.clock.run(putToSleep(fleet, first, { ...limits, snapshot: true }));
    const awake = await world.clock.run(wakeUp(fleet, asleep, { signal, capMs: HOUR_MS, sleepLimitMs: HOUR_MS }));
    await cloud.reclaim(awake.providerId ?? "");
    await pass(world);
    const replaced = await fleet.state.instance(first.id);
    expect(replaced).toMatchObject({ state: "running", rootVolume: null });
    expect(replaced?.providerId).not.toBe(awake.providerId);
    expect((await fleet.state.volumes()).map(({ name }) => name)).toEqual(["work"]);
  } finally {
    await world.close();
  }
});

test("a place that can have no volume is passed over for one that can", async () => {
  const { world, cloud } = await onNovita();
  try {
    // Of two places with the same price the first by name is tried first.
    const [without, other] = ["eu-de-09", "us-ca-06"];
    expect(cloud.market.clusters.find(({ id }) => id === without)?.supportNetworkStorage).toBe(false);
    const fleet = world.start();
    const record = await world.clock.run(up(fleet, { ...world.spec, regions: [without, other] }));
    expect(record).toMatchObject({ state: "running", region: other });
    expect(await fleet.state.volumes()).toMatchObject([{ name: "work", region: other }]);
    expect([...(await fleet.state.blockedOffers(world.clock.now() - 100_000)).keys()].some((key) => key.includes(without))).toBe(true);
  } finally {
    await world.close();
  }
});

test("an empty balance is asked about once, not for each offer", async () => {
  const { world, cloud } = await onNovita();
  try {
    cloud.set({ balanceUsedUp: true });
    const fleet = world.start();
    await expect(world.clock.run(up(fleet, { ...world.spec, volume: null }))).rejects.toMatchObject({
      code: "SPOT_E_NO_CAPACITY",
      message: expect.stringMatching(/^no machine for train: every offer that fits is passed over for now: novita allows no more \(.+\)$/),
    });
    expect(cloud.server.requests.filter(({ path }) => path.endsWith("/gpu/instance/create"))).toHaveLength(1);
    expect(cloud.living()).toEqual([]);
  } finally {
    await world.close();
  }
});

test("a cloud that does not answer: nothing is concluded, a pass does not wait for it, and a look says so", async () => {
  const { world, cloud } = await onNovita();
  try {
    const fleet = world.start();
    const record = await world.clock.run(up(fleet, world.spec));
    await wish(fleet, record.id, { desired: "gone", skipSnapshot: true });
    cloud.server.disturb({ what: { do: "reset-before" }, times: Number.POSITIVE_INFINITY });
    const before = world.clock.monotonic();
    const report = await world.clock.run(reconcile(world.start(), limits));
    expect(report.items).toMatchObject([{ instance: "train", outcome: "waiting", why: "novita does not answer" }]);
    expect(report.silent).toMatchObject([{ provider: "novita" }]);
    expect(world.clock.monotonic() - before).toBeLessThan(10_000);
    expect(await world.clock.run(look(world.start(), signal))).toMatchObject([{ provider: "novita" }]);
    expect(await fleet.state.instance(record.id)).toMatchObject({ state: "running" });
    cloud.server.calm();
    await pass(world);
    expect(cloud.living()).toEqual([]);
  } finally {
    await world.close();
  }
});

test("an up that is interrupted says that the volume, which may hold something, stays", async () => {
  const { world, cloud } = await onNovita();
  try {
    const fleet = world.start();
    const ctrlC = new AbortController();
    const record = newRecord(fleet, world.spec, (await planLaunch(fleet, world.spec, signal)).offers[0] ?? never());
    await claimName(fleet, record);
    // At the first request that finds a machine there.
    const press = () => {
      if (cloud.living().length > 0) ctrlC.abort("SIGINT");
      return false;
    };
    cloud.server.disturb({ what: { do: "reset-before" }, match: press });
    const coming = bringUp(fleet, record, { signal: ctrlC.signal, limitMs: HOUR_MS, waitFor: "ready", ours: true });
    const outcome = world.clock.run(coming.catch((error: unknown) => error));
    expect(await outcome).toMatchObject({ exit: 130, message: expect.stringContaining("the volume work stays and goes on billing") });
    expect(cloud.living()).toEqual([]);
    expect(cloud.volumes()).toHaveLength(1);
  } finally {
    await world.close();
  }
});

test("an instance that seals for an hour does not keep another's notice from being heard and told", async () => {
  const { world, cloud } = await onNovita();
  try {
    const fleet = world.start();
    const slow = await world.clock.run(up(fleet, world.spec));
    const other = await world.clock.run(up(fleet, { ...world.spec, name: "other", volume: null, onReclaim: "let-go" }));
    const sealing: Fleet = {
      ...fleet,
      guest: { ...fleet.guest, snapshot: (...rest) => fleet.clock.sleep(HOUR_MS).then(() => fleet.guest.snapshot(...rest)) },
    };
    await wish(fleet, slow.id, { desired: "gone", skipSnapshot: false });
    const pace = ownPace(world.clock);
    const next = async () => {
      await world.clock.pass(60_000);
      return world.clock.run(reconcile(sealing, { signal, limitMs: 2_000, pace }));
    };
    expect((await next()).items).toContainEqual(expect.objectContaining({ instance: "train", outcome: "busy" }));
    cloud.reclaim(other.providerId ?? "", 900);
    await next();
    expect(await fleet.state.instance(other.id)).toMatchObject({ state: "reclaiming", notice: { kind: "reclaim" } });
    expect(world.guests.told()).toBe(1);
    expect([...(pace.underway?.keys() ?? [])]).toEqual([slow.id]);
    await world.clock.pass(2 * HOUR_MS);
    await world.clock.run(Promise.all(pace.underway?.values() ?? []));
    await next();
    expect(cloud.living()).toEqual([]);
  } finally {
    await world.close();
  }
});

function never(): never {
  throw new Error("no offer");
}
