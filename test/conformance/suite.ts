import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Offer } from "../../src/model/offer.ts";
import { systemClock } from "../../src/platform/clock.ts";
import { isFault } from "../../src/providers/errors.ts";
import type { LeftoverKind, Provider, ProviderInstance, VolumeOperations } from "../../src/providers/provider.ts";
import type { FakeRequest, FakeServer } from "../clouds/fake-server.ts";
import { type Bench, benchOf, eventually } from "./bench.ts";
import { orphans } from "./orphans.ts";
import { badDays, type WireRow } from "./wire.ts";

/** What the suite must be able to do to the cloud behind a provider. */
export interface CloudControls {
  /** Machines of a type that can be had from now on; 0 is sold out. */
  setStock(type: string, count: number): Promise<void>;
  /** The provider's word that the instance will be reclaimed; where there are no notices, the reclaim itself. */
  giveNotice(providerId: string, seconds: number): Promise<void>;
  /** The next call of this kind is done, and its answer is lost. */
  loseAnswer(operation: "launch" | "destroy" | "volume-create"): Promise<void>;
  /** The next list takes far longer than anybody waits. */
  stallList(): Promise<void>;
  /** Nothing that is launched from now on gets past provisioning: cheap, when many are needed. */
  holdProvisioning(): Promise<void>;
  /** Takes that back for everything: needed where a machine cannot be destroyed before it has come up. */
  releaseProvisioning?(): Promise<void>;
}

/** What the suite can do to the wire between a provider and its cloud. */
export interface WireControls {
  readonly server: FakeServer;
  /** Whether a request changes something at the cloud; its method alone need not say. */
  isChange(request: FakeRequest): boolean;
  /** What the provider under test proves itself with. */
  readonly credential: string;
  /** From now on the cloud's clock is this far ahead, in the `Date` header and in every time that it tells. */
  skewClock(ms: number): void;
  /** How many machines are more than one page of its list; 110 unless told. */
  readonly many?: number;
  /** From now on every instance is shown with a state word that no document knows. */
  useUnknownState(): void;
}

export interface ProviderUnderTest {
  readonly provider: Provider;
  readonly controls: CloudControls;
  readonly wire: WireControls;
  /** Ends the cloud and everything in it. */
  close(): Promise<void>;
}

export interface ConformanceCase {
  readonly name: string;
  readonly hibernate: "native" | "park";
  readonly volumes: boolean;
  /** Whether its volumes can be snapshotted. */
  readonly snapshots?: true;
  /** What a launch leaves besides its machine, as `Provider.leftovers` tells it; left out where it leaves nothing. */
  readonly leftovers?: readonly LeftoverKind[];
  /** Whether this cloud announces a reclaim before it comes. */
  readonly notices: boolean;
  /** More instances than fit on one page of the provider's list. */
  readonly moreThanOnePage: number;
  /** False where no action of this cloud's tells how many machines there are: a launch that is refused does. */
  readonly tellsStock?: boolean;
  /** One answer that a machine is not there proves nothing at this cloud: the provider looks again by itself. */
  readonly looksTwice?: boolean;
  /** Rows of the wire section that cannot apply, each with the reason. */
  readonly wireExempt?: Readonly<Partial<Record<WireRow, string>>>;
  make(): Promise<ProviderUnderTest>;
}

/** What every provider must do, whatever cloud is behind it. */
export function providerConformance(subject: ConformanceCase): void {
  describe(`${subject.name} as a provider`, () => {
    let bench: Bench;
    beforeEach(async () => {
      bench = await benchOf(await subject.make());
    });
    afterEach(() => bench.close());
    const current = () => bench;
    offersAndLaunch(current, subject);
    endings(current);
    if (subject.notices) notices(current);
    else reclaims(current);
    lostAnswers(current);
    if (subject.volumes) volumes(current);
    if (subject.snapshots === true) snapshots(current);
    if (subject.hibernate === "native") hibernation(current);
    if (subject.volumes) orphans(current, subject);
  });
  badDays(subject);
}

function offersAndLaunch(current: () => Bench, subject: ConformanceCase): void {
  test("shows offers with a price, and sold out as stock 0", async () => {
    const { provider, controls, context, offer } = current();
    for (const one of await provider.offers({}, context)) {
      expect(one).toMatchObject({ provider: provider.id, price: { currency: expect.stringMatching(/^[A-Z]{3}$/) } });
      expect(one.price.micros > 0n).toBe(true);
      expect(one.gpu.count).toBeGreaterThan(0);
    }
    await controls.setStock(offer.type, 0);
    const same = (await provider.offers({}, context)).filter((one) => one.type === offer.type && one.zone === offer.zone);
    expect(same.length).toBeGreaterThan(0);
    const told = subject.tellsStock === false ? "unknown" : 0;
    expect(same.map(({ stock }) => stock)).toEqual(same.map(() => told));
  });

  test("shows only what was asked for", async () => {
    const { provider, context, offer } = current();
    const found = await provider.offers({ gpuModel: offer.gpu.model.toUpperCase(), gpuCount: 1, regions: [offer.region] }, context);
    expect(found.length).toBeGreaterThan(0);
    for (const one of found) expect([one.gpu.model, one.gpu.count, one.region]).toEqual([offer.gpu.model, 1, offer.region]);
    expect(await provider.offers({ gpuModel: "NO-SUCH-GPU" }, context)).toEqual([]);
  });

  test("launches, shows the token in the list, and comes to run", async () => {
    const { provider, context, offer, spec, reach } = current();
    const launched = await provider.launch(spec("t-1"), context);
    expect(launched).toMatchObject({ name: "job-t-1", token: "t-1", type: offer.type, zone: offer.zone, billing: "spot" });
    const listed = await listedBy(current(), "t-1");
    expect(listed).toMatchObject([{ providerId: launched.providerId }]);
    const running = await reach(launched.providerId, "running");
    expect(running).toMatchObject({ token: "t-1", notice: null, reason: null, endedBy: null });
    await eventually(async () => (await provider.get(launched.providerId, context))?.reach ?? undefined, "a way in");
    expect(running.price?.currency).toBe(offer.price.currency);
  });

  test("lists every page, each instance once", async () => {
    const { provider, controls, context, offer, spec } = current();
    await controls.holdProvisioning();
    await controls.setStock(offer.type, subject.moreThanOnePage + 10);
    const tokens = Array.from({ length: subject.moreThanOnePage }, (_, index) => `t-${index}`);
    for (const token of tokens) await provider.launch(spec(token), context);
    const listed = (await provider.list(context)).map(({ token }) => token);
    expect(listed.toSorted()).toEqual(tokens.toSorted());
  });

  test("refuses what is sold out as no capacity, and leaves nothing behind", async () => {
    const { provider, controls, context, offer, spec } = current();
    await controls.setStock(offer.type, 0);
    await expect(provider.launch(spec("t-1"), context)).rejects.toMatchObject({ fault: { kind: "no-capacity" } });
    expect(await provider.list(context)).toEqual([]);
  });

  test("refuses to launch above the cap", async () => {
    const { provider, context, offer, spec } = current();
    const maxPrice = { ...offer.price, micros: 1n };
    await expect(provider.launch(spec("t-1", { maxPrice }), context)).rejects.toMatchObject({ fault: { kind: "price-too-low" } });
    expect(await provider.list(context)).toEqual([]);
  });

  test("knows nothing of an instance that never was", async () => {
    const { provider, context } = current();
    expect(await provider.get("no-such-instance", context)).toBeUndefined();
    expect(await provider.destroy("no-such-instance", context)).toBe("gone");
  });

  test("a signal reaches the request in flight", async () => {
    const { provider, controls } = current();
    await controls.stallList();
    const own = new AbortController();
    const listing = provider.list({ signal: own.signal });
    await systemClock.sleep(50);
    own.abort();
    await expect(listing).rejects.toMatchObject({ fault: { kind: "unavailable" } });
  });

  test("a signal that has fired already sends nothing", async () => {
    const { provider, context, spec } = current();
    await expect(provider.launch(spec("t-1"), { signal: AbortSignal.abort() })).rejects.toMatchObject({ fault: { kind: "unavailable" } });
    expect(await provider.list(context)).toEqual([]);
  });
}

function endings(current: () => Bench): void {
  test("destroys: accepted, then gone, and once more without harm", async () => {
    const { provider, context, spec, reach, over } = current();
    const { providerId } = await provider.launch(spec("t-1"), context);
    await reach(providerId, "running");
    await provider.destroy(providerId, context);
    await over(providerId);
    expect(await provider.destroy(providerId, context)).toBe("gone");
    expect((await provider.list(context)).filter(({ state }) => state !== "gone")).toEqual([]);
  });

  test("destroys what has not come up yet", async () => {
    const { provider, controls, context, spec, over } = current();
    await controls.holdProvisioning();
    const { providerId } = await provider.launch(spec("t-1"), context);
    const refused = await provider.destroy(providerId, context).then(
      () => false,
      (error: unknown) => {
        // Some clouds let nothing go before it has come up. It must be said as what it is: ask again.
        if (!isFault(error, "unavailable")) throw error;
        return true;
      },
    );
    if (refused) {
      expect(await provider.get(providerId, context)).toMatchObject({ token: "t-1" });
      await controls.releaseProvisioning?.();
      await destroyed(current(), providerId);
    }
    await over(providerId);
  });
}

/** Asks until the cloud lets it go. */
async function destroyed({ provider, context }: Bench, providerId: string): Promise<void> {
  await eventually(async () => {
    try {
      await provider.destroy(providerId, context);
      return true;
    } catch (error) {
      if (isFault(error, "unavailable")) return undefined;
      throw error;
    }
  }, `${providerId} to be let go`);
}

/** What the list shows of a token once it shows something. */
function listedBy({ provider, context }: Bench, token: string): Promise<readonly ProviderInstance[]> {
  return eventually(async () => {
    const found = (await provider.list(context)).filter((one) => one.token === token);
    return found.length === 0 ? undefined : found;
  }, `${token} in the list`);
}

/** Waits until a reclaim has happened, and gives what is left of the machine, after it was cleared away. */
async function reclaimed(bench: Bench, providerId: string): Promise<ProviderInstance | undefined> {
  const { provider, context } = bench;
  const { left } = await eventually(async () => {
    const found = await provider.get(providerId, context);
    return found === undefined || found.state === "gone" || (found.state === "stopped" && found.endedBy === "provider")
      ? { left: found }
      : undefined;
  }, `${providerId} to be reclaimed`);
  if (left?.state === "stopped") {
    await destroyed(bench, providerId);
    await bench.over(providerId);
  }
  return left;
}

function reclaims(current: () => Bench): void {
  test("a reclaim comes without notice, and is seen as over", async () => {
    const { provider, controls, context, spec, reach } = current();
    const { providerId } = await provider.launch(spec("t-1"), context);
    const other = await provider.launch(spec("t-2"), context);
    await reach(providerId, "running");
    await controls.giveNotice(providerId, 0);
    const left = await reclaimed(current(), providerId);
    expect([undefined, null, "provider"]).toContain(left?.endedBy);
    const living = (await provider.list(context)).filter(({ state }) => state !== "gone");
    expect(living.map((one) => one.providerId)).toEqual([other.providerId]);
    expect(await provider.destroy(providerId, context)).toBe("gone");
  });
}

function notices(current: () => Bench): void {
  test("shows a notice in the list, and the reclaim at its deadline", async () => {
    const { provider, controls, context, spec, reach } = current();
    const { providerId } = await provider.launch(spec("t-1"), context);
    await reach(providerId, "running");
    const before = systemClock.now();
    await controls.giveNotice(providerId, 1);
    const listed = await eventually(
      async () => (await provider.list(context)).find((one) => one.providerId === providerId && one.notice !== null),
      "the notice",
    );
    expect(listed.notice).toMatchObject({ kind: "reclaim", source: "api" });
    expect(listed.notice?.deadline).toBeGreaterThanOrEqual(before);
    const ended = await reclaimed(current(), providerId);
    expect([undefined, "provider"]).toContain(ended?.endedBy);
  });
}

function lostAnswers(current: () => Bench): void {
  test("a launch whose answer is lost is ambiguous, and its token is found", async () => {
    const { provider, controls, context, spec } = current();
    await controls.loseAnswer("launch");
    const failure = await provider.launch(spec("t-lost"), context).catch((error: unknown) => error);
    expect(isFault(failure, "ambiguous")).toBe(true);
    const found = await eventually(async () => (await provider.list(context)).find(({ token }) => token === "t-lost"), "the token");
    expect(found.name).toBe("job-t-lost");
  });

  test("a destroy whose answer is lost is ambiguous, and may be sent again", async () => {
    const { provider, controls, context, spec, reach, over } = current();
    const { providerId } = await provider.launch(spec("t-1"), context);
    // Verda ends no machine that is just being made.
    await reach(providerId, "running");
    await controls.loseAnswer("destroy");
    const failure = await provider.destroy(providerId, context).catch((error: unknown) => error);
    expect(isFault(failure, "ambiguous")).toBe(true);
    await provider.destroy(providerId, context);
    await over(providerId);
  });
}

function operations(provider: Provider): VolumeOperations {
  if (provider.volumes === undefined) throw new Error(`${provider.id} has no volumes`);
  return provider.volumes;
}

function snapshots(current: () => Bench): void {
  const snapshotsOf = (provider: Provider) => {
    const found = operations(provider).snapshots;
    if (found === undefined) throw new Error(`${provider.id} makes no snapshots`);
    return found;
  };

  test("a snapshot is found by its token, outlives its volume, becomes another one, and goes for good", async () => {
    const { provider, context, offer, spec, reach, over } = current();
    const place = { sizeGb: 10, region: offer.region, zone: offer.zone };
    const { providerId: volume } = await operations(provider).create({ name: "disk", token: "t-v1", ...place }, context);
    const { providerId } = await provider.launch(spec("t-1", { volumes: [{ providerVolumeId: volume, mount: "/data" }] }), context);
    await reach(providerId, "running");
    if (operations(provider).attach !== undefined) await attached(current(), volume, providerId);
    // A disk that is still on its way to its machine cannot be snapshotted everywhere.
    const made = await eventually(async () => {
      try {
        return await snapshotsOf(provider).create(volume, { name: "disk", token: "t-s1" }, context);
      } catch (error) {
        if (isFault(error, "conflict")) return undefined;
        throw error;
      }
    }, "the snapshot's making");
    expect(made).toMatchObject({ name: "disk", token: "t-s1" });
    const listed = async () => (await snapshotsOf(provider).list(context)).find((one) => one.token === "t-s1");
    const ready = await eventually(async () => ((await listed())?.state === "ready" ? await listed() : undefined), "the snapshot");
    expect(ready).toMatchObject({ providerId: made.providerId, volumeId: volume, sizeGb: 10, name: "disk" });
    await provider.destroy(providerId, context);
    await over(providerId);
    await eventually(async () => {
      await operations(provider)
        .remove(volume, context)
        .catch(() => undefined);
      return (await operations(provider).list(context)).length === 0 ? true : undefined;
    }, "the volume's end");
    const copy = { name: "copy", token: "t-v2", fromSnapshotId: made.providerId, ...place };
    const { providerId: copied } = await operations(provider).create(copy, context);
    await eventually(async () => (await operations(provider).list(context)).find((one) => one.providerId === copied), "the copy");
    await snapshotsOf(provider).remove(made.providerId, context);
    await eventually(async () => ((await listed()) === undefined ? true : undefined), "the snapshot's end");
    await snapshotsOf(provider).remove(made.providerId, context);
  });

  test("there is no snapshot of a volume that is not there", async () => {
    const { provider, context } = current();
    await expect(snapshotsOf(provider).create("no-such-volume", { name: "disk", token: "t-s1" }, context)).rejects.toMatchObject({
      fault: { kind: "not-found" },
    });
    await snapshotsOf(provider).remove("no-such-snapshot", context);
    expect(await snapshotsOf(provider).list(context)).toEqual([]);
  });
}

function volumes(current: () => Bench): void {
  const volumeSpec = (offer: Offer, token: string) => ({
    name: `disk-${token}`,
    token,
    sizeGb: 10,
    region: offer.region,
    zone: offer.zone,
  });

  test("makes, lists and removes a volume", async () => {
    const { provider, context, offer } = current();
    const made = await operations(provider).create(volumeSpec(offer, "t-v1"), context);
    expect(made).toMatchObject({ name: "disk-t-v1", token: "t-v1", sizeGb: 10, region: offer.region, attachedTo: null });
    expect(await operations(provider).list(context)).toMatchObject([{ providerId: made.providerId, token: "t-v1" }]);
    await operations(provider).remove(made.providerId, context);
    await operations(provider).remove(made.providerId, context);
    expect(await operations(provider).list(context)).toEqual([]);
  });

  test("a volume whose answer is lost is found by its token", async () => {
    const { provider, controls, context, offer } = current();
    await controls.loseAnswer("volume-create");
    const failure = await operations(provider)
      .create(volumeSpec(offer, "t-vlost"), context)
      .catch((error: unknown) => error);
    expect(isFault(failure, "ambiguous")).toBe(true);
    const found = await eventually(
      async () => (await operations(provider).list(context)).find(({ token }) => token === "t-vlost"),
      "the token",
    );
    await operations(provider).remove(found.providerId, context);
  });

  test("an attached volume belongs to one instance, cannot be removed, and outlives it", async () => {
    const { provider, context, offer, spec, reach, over } = current();
    const { providerId: volume } = await operations(provider).create(volumeSpec(offer, "t-v1"), context);
    const attachedTo = async () => (await operations(provider).list(context)).find(({ providerId }) => providerId === volume)?.attachedTo;
    const launched = async (token: string) => {
      const { providerId } = await provider.launch(spec(token, { volumes: [{ providerVolumeId: volume, mount: "/data" }] }), context);
      await reach(providerId, "running");
      if (operations(provider).attach !== undefined) await attached(current(), volume, providerId);
      const { volumeIds } = await eventually(async () => {
        const found = await provider.get(providerId, context);
        return found === undefined || found.volumeIds.length === 0 ? undefined : found;
      }, `${volume} on ${providerId}`);
      expect(volumeIds).toEqual([volume]);
      return providerId;
    };
    const providerId = await launched("t-1");
    expect(await attachedTo()).toBe(providerId);
    await expect(operations(provider).remove(volume, context)).rejects.toMatchObject({ fault: { kind: "conflict" } });
    await conflictsWithAnother(current(), volume);
    await provider.destroy(providerId, context);
    await over(providerId);
    await eventually(async () => ((await attachedTo()) === null ? true : undefined), `${volume} to be free`);
    await launched("t-3");
  });
}

/** Attaches a volume once the cloud is ready for it, and once more without harm. */
export async function attached({ provider, context }: Bench, volume: string, providerId: string): Promise<void> {
  await eventually(async () => {
    try {
      await provider.volumes?.attach?.(volume, providerId, context);
      return true;
    } catch (error) {
      if (isFault(error, "conflict")) return undefined;
      throw error;
    }
  }, `${volume} to be attached`);
  await provider.volumes?.attach?.(volume, providerId, context);
}

/** A second machine must not get a volume that the first one holds, neither at its launch nor later. */
async function conflictsWithAnother({ provider, context, spec, reach }: Bench, volume: string): Promise<void> {
  const conflict = { fault: { kind: "conflict" } };
  const attach = provider.volumes?.attach;
  const mounts = [{ providerVolumeId: volume, mount: "/data" }];
  if (attach === undefined) {
    await expect(provider.launch(spec("t-2", { volumes: mounts }), context)).rejects.toMatchObject(conflict);
    return;
  }
  const { providerId } = await provider.launch(spec("t-2"), context);
  await reach(providerId, "running");
  await expect(attach(volume, providerId, context)).rejects.toMatchObject(conflict);
}

function hibernation(current: () => Bench): void {
  const operations = ({ hibernation: native, id }: Provider) => {
    if (native === undefined) throw new Error(`${id} cannot hibernate`);
    return native;
  };

  test("hibernates and restores the same instance", async () => {
    const { provider, context, spec, reach } = current();
    const { providerId } = await provider.launch(spec("t-1"), context);
    await reach(providerId, "running");
    await operations(provider).hibernate(providerId, context);
    await reach(providerId, "hibernated");
    await operations(provider).restore(providerId, context);
    expect(await reach(providerId, "running")).toMatchObject({ token: "t-1", name: "job-t-1", notice: null });
  });

  test("without stock it stays hibernated, and can be destroyed", async () => {
    const { provider, controls, context, offer, spec, reach, over } = current();
    const { providerId } = await provider.launch(spec("t-1"), context);
    await reach(providerId, "running");
    await operations(provider).hibernate(providerId, context);
    await reach(providerId, "hibernated");
    await controls.setStock(offer.type, 0);
    await expect(operations(provider).restore(providerId, context)).rejects.toMatchObject({ fault: { kind: "no-capacity" } });
    await reach(providerId, "hibernated");
    await provider.destroy(providerId, context);
    await over(providerId);
  });

  test("what does not run cannot be hibernated", async () => {
    const { provider, controls, context, spec } = current();
    await controls.holdProvisioning();
    const { providerId } = await provider.launch(spec("t-1"), context);
    await expect(operations(provider).hibernate(providerId, context)).rejects.toMatchObject({ fault: { kind: "conflict" } });
  });
}
