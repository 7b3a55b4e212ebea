import { afterEach, describe, expect, test } from "vitest";
import type { ProviderError } from "../../src/providers/errors.ts";
import { isFault } from "../../src/providers/errors.ts";
import { type HyperstackBench, hyperstackBench } from "../clouds/hyperstack/bench.ts";
import type { FakeHyperstackOptions } from "../clouds/hyperstack/hyperstack.ts";

let bench: HyperstackBench | undefined;
afterEach(async () => {
  await bench?.cloud.close();
  bench = undefined;
});
async function open(options: Partial<FakeHyperstackOptions> = {}): Promise<HyperstackBench> {
  bench = await hyperstackBench(options);
  return bench;
}

async function faultOf(call: Promise<unknown>): Promise<ProviderError> {
  const error = await call.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (
    !isFault(
      error,
      "no-capacity",
      "price-too-low",
      "rate-limited",
      "unavailable",
      "ambiguous",
      "auth",
      "quota",
      "invalid-request",
      "not-found",
      "conflict",
      "unsupported",
      "protocol",
    )
  )
    throw new Error(`not a fault: ${String(error)}`);
  return error;
}

/** A whole life in which every answer to an action is lost on the way once. */
describe("actions are GET and change something", () => {
  test("none is ever sent twice by one call, whatever becomes of its answer, and none as HEAD", async () => {
    const { cloud, running, hibernation, context, settle } = await open();
    const { providerId } = await running();
    const isAction = ({ path }: { readonly path: string }) => /\/(?:hibernate|hibernate-restore|start|stop|hard-reboot)$/.test(path);
    const actions = [
      ["hibernate", () => hibernation.hibernate(providerId, context)],
      ["hibernate-restore", () => hibernation.restore(providerId, context)],
    ] as const;
    for (const [action, send] of actions) {
      for (const what of [{ do: "reset-before" }, { do: "lose-answer" }] as const) {
        const before = cloud.server.requests.filter(isAction).length;
        cloud.server.disturb({ what, match: isAction });
        expect((await faultOf(send())).fault.kind, `${action} under ${what.do}`).toBe("ambiguous");
        expect(cloud.server.requests.filter(isAction).length - before, `${action} under ${what.do}`).toBe(1);
        await settle();
        // It was done although nothing was heard of it: saying it again does nothing.
        if (what.do === "lose-answer") {
          await send();
          expect(cloud.actionCount(action, providerId)).toBe(1);
        }
      }
    }
    for (const status of [500, 502, 503]) {
      const before = cloud.server.requests.filter(isAction).length;
      cloud.server.disturb({ what: { do: "answer", answer: { status, body: { message: "Internal Server Error" } } }, match: isAction });
      expect((await faultOf(hibernation.hibernate(providerId, context))).fault.kind).toBe("ambiguous");
      expect(cloud.server.requests.filter(isAction).length - before).toBe(1);
    }
    expect(cloud.site.actions.every(({ method }) => method === "GET")).toBe(true);
    expect(cloud.server.requests.some(({ method }) => method === "HEAD")).toBe(false);
  });

  test("the fake itself: POST is not how it is done, and HEAD would do it", async () => {
    const { cloud, running } = await open();
    const { providerId } = await running();
    const url = `${cloud.url}/core/virtual-machines/${providerId}/hibernate`;
    const headers = { api_key: cloud.env["HYPERSTACK_API_KEY"] ?? "" };
    const refused = await fetch(url, { method: "POST", headers });
    expect([refused.status, refused.headers.get("allow")]).toEqual([405, "GET, HEAD"]);
    expect(cloud.actionCount("hibernate", providerId)).toBe(0);
    await fetch(url, { method: "HEAD", headers });
    expect(cloud.vm(providerId).status).toBe("HIBERNATING");
  });
});

describe("money", () => {
  test("SHUTOFF costs as much as ACTIVE, and HIBERNATED its disk only: so stop is refused and says why", async () => {
    const { cloud, clock, provider, running, hibernation, context, settle } = await open();
    const { providerId } = await running();
    const hour = async () => {
      const before = cloud.cost("machine", providerId);
      clock.pass(3_600_000);
      await cloud.settle();
      return cloud.cost("machine", providerId) - before;
    };
    expect(await hour()).toBeCloseTo(0.4, 2);
    cloud.vm(providerId).status = "ACTIVE";
    await fetch(`${cloud.url}/core/virtual-machines/${providerId}/stop`, { headers: { api_key: cloud.env["HYPERSTACK_API_KEY"] ?? "" } });
    await settle();
    expect(await provider.get(providerId, context)).toMatchObject({ state: "stopped", rawState: "SHUTOFF", endedBy: null });
    expect(await hour()).toBeCloseTo(0.4, 2);
    expect(provider.capabilities).toMatchObject({ stoppedBillsGpu: true, hibernate: "native" });
    expect(provider.capabilities.whyNoStop).toMatch(/billed in full/);
    await fetch(`${cloud.url}/core/virtual-machines/${providerId}/start`, { headers: { api_key: cloud.env["HYPERSTACK_API_KEY"] ?? "" } });
    await settle();
    await hibernation.hibernate(providerId, context);
    await settle();
    expect(await hour()).toBe(0);
    expect(cloud.cost("root-disk", providerId)).toBeGreaterThan(0);
  });

  test("the pricebook is per GPU, as text, and 0E-9 is no offer", async () => {
    const { provider, context } = await open();
    const offers = await provider.offers({}, context);
    const price = (type: string) => offers.filter((one) => one.type === type).map(({ price: { micros } }) => Number(micros) / 1e6);
    expect(price("n3-H100x1-spot")).toEqual([2, 2]);
    expect(price("n3-H100x2-spot")).toEqual([4]);
    expect(price("n3-H100-SXM5x8-spot")).toEqual([20.48]);
    expect(price("n3-L40x1-spot")).toEqual([]);
    expect(price("n1-cpu-small")).toEqual([]);
    expect(offers.find(({ type }) => type === "n3-H100x2-spot")).toMatchObject({
      billing: "spot",
      gpu: { model: "H100", count: 2, vramGb: 80 },
      onDemandPrice: { micros: 5_000_000n, currency: "USD" },
      region: "CANADA-1",
      zone: "CANADA-1",
      noticeSeconds: 0,
    });
    // Whether an on-demand price is in the book or not.
    expect(offers.find(({ type }) => type === "n3-H100-SXM5x8-spot")?.onDemandPrice).toBeNull();
    expect(offers.find(({ type }) => type === "n3-H100x1")).toMatchObject({ billing: "on-demand" });
  });

  test("stock: the number of such machines, ten for 10+, nothing where the flavor says so, unknown where nobody does", async () => {
    const { provider, context, cloud } = await open();
    const stock = async (type: string) =>
      (await provider.offers({ regions: ["CANADA-1"] }, context)).find((one) => one.type === type)?.stock;
    cloud.setStock("n3-H100x2-spot", 3);
    expect(await stock("n3-H100x2-spot")).toBe(3);
    cloud.setStock("n3-H100x2-spot", 0);
    expect(await stock("n3-H100x2-spot")).toBe(0);
    cloud.setStock("n3-H100x2-spot", 1);
    const stocks = (models: readonly object[]) =>
      cloud.server.disturb({
        what: { do: "answer", answer: { status: 200, body: { stocks: [{ region: "CANADA-1", "stock-type": "GPU", models }] } } },
        match: ({ path }) => path.endsWith("/stocks"),
      });
    stocks([{ model: "H100-80G-PCIe-spot", available: "10+", configurations: { "2x": "10+" } }]);
    expect(await stock("n3-H100x2-spot")).toBe(10);
    stocks([{ model: "H100-80G-PCIe-spot", available: "10+" }]);
    expect(await stock("n3-H100x2-spot")).toBe(5);
    stocks([{ model: "H100-80G-PCIe-spot", available: "plenty", configurations: { "2x": null } }]);
    expect(await stock("n3-H100x2-spot")).toBe("unknown");
    stocks([]);
    expect(await stock("n3-H100x2-spot")).toBe("unknown");
    // The flavor knows better than a list that is behind.
    cloud.setStock("n3-H100x2-spot", 0);
    stocks([{ model: "H100-80G-PCIe-spot", available: "10+", configurations: { "2x": 5 } }]);
    expect(await stock("n3-H100x2-spot")).toBe(0);
  });
});

describe("the rate limit", () => {
  test("429 without Retry-After waits for the rest of the minute, and then it works again", async () => {
    const { provider, context, cloud, clock } = await open({ switches: { requestsPerMinute: 20 } });
    const failure = await (async () => {
      for (;;) await provider.list(context);
    })().catch((error: unknown) => error);
    const { fault } = await faultOf(Promise.reject(failure));
    // The clock of the bench begins at half a minute, and the window with the first request: the later end counts.
    expect(fault).toEqual({ kind: "rate-limited", retryAfterMs: 60_000 });
    const asked = cloud.server.requests.length;
    expect(asked).toBe(21);
    clock.pass(60_000);
    expect(await provider.list(context)).toEqual([]);
  });

  test("a window that is nearly over is waited for by the clock of the cloud", async () => {
    const { another, context, cloud, clock } = await open({ switches: { requestsPerMinute: 1, clockAheadMs: 7_220_000 } });
    const provider = await another();
    await provider.list(context);
    clock.pass(45_000);
    // Now it is 35 s past the minute there, 15 s past it here, and 15 s to go since the first request.
    cloud.switches.requestsPerMinute = 0;
    expect((await faultOf(provider.list(context))).fault).toEqual({ kind: "rate-limited", retryAfterMs: 25_000 });
  });
});

describe("looking twice", () => {
  test("one false 404 is no reclaim", async () => {
    const { cloud, running, get } = await open({ switches: { reclaimVariant: "C" } });
    const { providerId } = await running();
    await cloud.reclaim(providerId);
    expect(await get(providerId)).toMatchObject({ state: "running", endedBy: null });
  });

  test("a machine that answers 404 twice and is in the list is there", async () => {
    const { cloud, running, get } = await open();
    const { providerId } = await running();
    cloud.vm(providerId).falseNotFound = 2;
    expect(await get(providerId)).toMatchObject({ state: "running" });
  });

  test("gone is gone: after two questions and the list", async () => {
    const { cloud, running, provider, context, asked } = await open({ switches: { reclaimVariant: "B" } });
    const { providerId } = await running();
    await cloud.reclaim(providerId);
    const from = asked().length;
    expect(await provider.get(providerId, context)).toBeUndefined();
    const path = `/v1/core/virtual-machines/${providerId}`;
    expect(asked(from)).toEqual([`GET ${path}`, `GET ${path}`, "GET /v1/core/virtual-machines"]);
    // It knows its name, so one page is enough however many there are.
    expect(cloud.server.requests.at(-1)?.query.get("search")).toBe("trainer-t-1");
  });

  test("an answer about another machine is none", async () => {
    const { cloud, running, provider, context } = await open();
    const { providerId } = await running();
    const body = { status: true, instance: { id: 4711, name: "somebody-else", status: "DELETED" } };
    cloud.server.disturb({ what: { do: "answer", answer: { status: 200, body } }, match: ({ path }) => path.endsWith(`/${providerId}`) });
    expect((await faultOf(provider.destroy(providerId, context))).fault.kind).toBe("protocol");
    expect(cloud.living()).toHaveLength(1);
  });

  test("a destroy that is answered with a false 404 is no proof either", async () => {
    const { cloud, running, provider, context } = await open();
    const { providerId } = await running();
    cloud.server.disturb({
      what: { do: "answer", answer: { status: 404, body: { status: false, message: "not found" } } },
      match: ({ method }) => method === "DELETE",
    });
    expect((await faultOf(provider.destroy(providerId, context))).fault.kind).toBe("unavailable");
    expect(cloud.living()).toHaveLength(1);
  });

  test("what is no id is never asked for", async () => {
    const { provider, volumes, context, asked } = await open();
    for (const id of ["no-such", "../regions", "1/hibernate", "", "0"]) {
      expect(await provider.get(id, context)).toBeUndefined();
      expect(await provider.destroy(id, context)).toBe("gone");
      await volumes.remove(id, context);
      expect((await faultOf(volumes.attach?.(id, id, context) ?? Promise.resolve())).fault.kind).toBe("not-found");
    }
    expect(asked()).toEqual([]);
  });
});

describe("a reclaim", () => {
  test("variant A is seen as the cloud's doing while it is shown; its volume is free in the end", async () => {
    const { cloud, running, volume, get, clock, provider, context, volumes, settle } = await open({ delays: { deletedMs: 5_000 } });
    const { providerId } = await running();
    const disk = await volume(providerId);
    await cloud.reclaim(providerId);
    expect(await get(providerId)).toMatchObject({ state: "terminating", rawState: "DELETING", endedBy: "provider", notice: null });
    clock.pass(40);
    expect(await get(providerId)).toMatchObject({ state: "gone", rawState: "DELETED", endedBy: "provider", reason: expect.any(String) });
    expect(await volumes.list(context)).toMatchObject([{ providerId: disk, rawState: "RESERVED", attachedTo: providerId, device: null }]);
    expect(await provider.destroy(providerId, context)).toBe("gone");
    clock.pass(10_000);
    await settle();
    expect(await provider.get(providerId, context)).toBeUndefined();
    expect(await volumes.list(context)).toMatchObject([{ providerId: disk, rawState: "AVAILABLE", attachedTo: null }]);
  });

  test("what we ended ourselves is not the cloud's doing, and nor is the end of an on-demand machine", async () => {
    const { cloud, running, get, provider, context } = await open();
    const ours = await running();
    expect(await provider.destroy(ours.providerId, context)).toBe("accepted");
    expect(await get(ours.providerId)).toMatchObject({ state: "terminating", endedBy: null });
    const dear = await running("n3-RTX-A6000x1");
    await cloud.reclaim(dear.providerId);
    expect(await get(dear.providerId)).toMatchObject({ state: "terminating", endedBy: null });
  });
});
