import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Offer } from "../../src/model/offer.ts";
import { systemClock } from "../../src/platform/clock.ts";
import { isFault } from "../../src/providers/errors.ts";
import type { CallContext, LaunchSpec, Provider, ProviderInstance, VolumeOperations } from "../../src/providers/provider.ts";
import type { FakeRequest, FakeServer } from "../clouds/fake-server.ts";

/** What the suite must be able to do to the cloud behind a provider. */
export interface CloudControls {
  /** Machines of a type that can be had from now on; 0 is sold out. */
  setStock(type: string, count: number): Promise<void>;
  /** The provider's word that the instance will be reclaimed. */
  giveNotice(providerId: string, seconds: number): Promise<void>;
  /** The next call of this kind is done, and its answer is lost. */
  loseAnswer(operation: "launch" | "destroy" | "volume-create"): Promise<void>;
  /** The next list takes far longer than anybody waits. */
  stallList(): Promise<void>;
  /** Nothing that is launched from now on gets past provisioning: cheap, when many are needed. */
  holdProvisioning(): Promise<void>;
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
  /** From now on every instance is shown with a state word that no document knows. */
  useUnknownState(): void;
}

export interface ProviderUnderTest {
  readonly provider: Provider;
  readonly controls: CloudControls;
  readonly wire?: WireControls;
  /** Ends the cloud and everything in it. */
  close(): Promise<void>;
}

export interface ConformanceCase {
  readonly name: string;
  readonly hibernate: "native" | "park";
  readonly volumes: boolean;
  /** Whether this cloud announces a reclaim before it comes. */
  readonly notices: boolean;
  /** More instances than fit on one page of the provider's list. */
  readonly moreThanOnePage: number;
  make(): Promise<ProviderUnderTest>;
}

const PATIENCE_MS = 20_000;
const POLL_MS = 20;

async function eventually<Value>(look: () => Promise<Value | undefined>, what: string): Promise<Value> {
  const started = systemClock.monotonic();
  for (;;) {
    const value = await look();
    if (value !== undefined) return value;
    if (systemClock.monotonic() - started > PATIENCE_MS) throw new Error(`waited in vain: ${what}`);
    await systemClock.sleep(POLL_MS);
  }
}

interface Bench extends ProviderUnderTest {
  readonly context: CallContext;
  readonly offer: Offer;
  spec(token: string, change?: Partial<LaunchSpec>): LaunchSpec;
  /** Polls `get` until the instance is in this state. */
  reach(providerId: string, state: ProviderInstance["state"]): Promise<ProviderInstance>;
  /** Polls until the provider says that it is over, whichever way it says so. */
  over(providerId: string): Promise<void>;
}

async function benchOf(under: ProviderUnderTest): Promise<Bench> {
  const { provider } = under;
  const context = { signal: new AbortController().signal };
  const offers = await provider.offers({}, context);
  const offer = offers
    .filter((one) => one.billing === "spot" && one.gpu.count === 1 && one.stock !== 0)
    .sort((a, b) => Number(a.price.micros - b.price.micros))[0];
  if (offer === undefined) throw new Error("the cloud under test offers nothing");
  return {
    ...under,
    context,
    offer,
    spec: (token, change = {}) => ({
      name: `job-${token}`,
      token,
      offer,
      maxPrice: { ...offer.price, micros: offer.price.micros * 2n },
      image: null,
      volumes: [],
      env: { GREETING: "it's" },
      bootScript: 'echo "$GREETING up"; sleep 60',
      ttlSeconds: null,
      sshKey: null,
      ports: [],
      registryAuth: null,
      rootVolumeId: null,
      labels: { team: "conformance" },
      ...change,
    }),
    reach: (providerId, state) =>
      eventually(async () => {
        const found = await provider.get(providerId, context);
        return found?.state === state ? found : undefined;
      }, `${providerId} to be ${state}`),
    over: async (providerId) => {
      await eventually(async () => {
        const found = await provider.get(providerId, context);
        return found === undefined || found.state === "gone" ? true : undefined;
      }, `${providerId} to be over`);
    },
  };
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
    lostAnswers(current);
    if (subject.volumes) volumes(current);
    if (subject.hibernate === "native") hibernation(current);
  });
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
    expect(same.map(({ stock }) => stock)).toEqual(same.map(() => 0));
  });

  test("shows only what was asked for", async () => {
    const { provider, context, offer } = current();
    const found = await provider.offers({ gpuModel: offer.gpu.model.toUpperCase(), gpuCount: 1, regions: [offer.region] }, context);
    expect(found.length).toBeGreaterThan(0);
    for (const one of found) expect([one.gpu.model, one.gpu.count, one.region]).toEqual([offer.gpu.model, 1, offer.region]);
    expect(await provider.offers({ gpuModel: "NO-SUCH-GPU" }, context)).toEqual([]);
  });

  test("launches, shows the token in the list at once, and comes to run", async () => {
    const { provider, context, offer, spec, reach } = current();
    const launched = await provider.launch(spec("t-1"), context);
    expect(launched).toMatchObject({ name: "job-t-1", token: "t-1", type: offer.type, zone: offer.zone, billing: "spot" });
    await systemClock.sleep(provider.capabilities.listSettlesMs);
    expect((await provider.list(context)).filter(({ token }) => token === "t-1")).toMatchObject([{ providerId: launched.providerId }]);
    const running = await reach(launched.providerId, "running");
    expect(running).toMatchObject({ token: "t-1", notice: null, reason: null, endedBy: null });
    expect(running.reach).not.toBeNull();
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
    await provider.destroy(providerId, context);
    await over(providerId);
  });

  test("shows a notice in the list, and the reclaim at its deadline", async () => {
    const { provider, controls, context, spec, reach, over } = current();
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
    await over(providerId);
    const ended = await provider.get(providerId, context);
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
    const { provider, controls, context, spec, over } = current();
    const { providerId } = await provider.launch(spec("t-1"), context);
    await controls.loseAnswer("destroy");
    const failure = await provider.destroy(providerId, context).catch((error: unknown) => error);
    expect(isFault(failure, "ambiguous")).toBe(true);
    await provider.destroy(providerId, context);
    await over(providerId);
  });
}

function volumes(current: () => Bench): void {
  const operations = (provider: Provider): VolumeOperations => {
    if (provider.volumes === undefined) throw new Error(`${provider.id} has no volumes`);
    return provider.volumes;
  };
  const volumeSpec = (offer: Offer, token: string) => ({
    name: `disk-${token}`,
    token,
    sizeGb: 10,
    region: offer.region,
    zone: offer.zone,
  });

  test("makes, lists and removes a volume", async () => {
    const { provider, context, offer } = current();
    const made = await operations(provider).create(volumeSpec(offer, "v-1"), context);
    expect(made).toMatchObject({ name: "disk-v-1", token: "v-1", sizeGb: 10, region: offer.region, attachedTo: null });
    expect(await operations(provider).list(context)).toMatchObject([{ providerId: made.providerId, token: "v-1" }]);
    await operations(provider).remove(made.providerId, context);
    await operations(provider).remove(made.providerId, context);
    expect(await operations(provider).list(context)).toEqual([]);
  });

  test("a volume whose answer is lost is found by its token", async () => {
    const { provider, controls, context, offer } = current();
    await controls.loseAnswer("volume-create");
    const failure = await operations(provider)
      .create(volumeSpec(offer, "v-lost"), context)
      .catch((error: unknown) => error);
    expect(isFault(failure, "ambiguous")).toBe(true);
    const found = await eventually(
      async () => (await operations(provider).list(context)).find(({ token }) => token === "v-lost"),
      "the token",
    );
    await operations(provider).remove(found.providerId, context);
  });

  test("an attached volume belongs to one instance, cannot be removed, and outlives it", async () => {
    const { provider, context, offer, spec, reach, over } = current();
    const { providerId: volume } = await operations(provider).create(volumeSpec(offer, "v-1"), context);
    const mounts = [{ providerVolumeId: volume, mount: "/data" }];
    const { providerId } = await provider.launch(spec("t-1", { volumes: mounts }), context);
    expect((await reach(providerId, "running")).volumeIds).toEqual([volume]);
    expect(await operations(provider).list(context)).toMatchObject([{ attachedTo: providerId }]);
    await expect(operations(provider).remove(volume, context)).rejects.toMatchObject({ fault: { kind: "conflict" } });
    await expect(provider.launch(spec("t-2", { volumes: mounts }), context)).rejects.toMatchObject({ fault: { kind: "conflict" } });
    await provider.destroy(providerId, context);
    await over(providerId);
    expect(await operations(provider).list(context)).toMatchObject([{ providerId: volume, attachedTo: null }]);
    const second = await provider.launch(spec("t-3", { volumes: mounts }), context);
    await reach(second.providerId, "running");
  });
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
