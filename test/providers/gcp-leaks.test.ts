import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import type { Api } from "../../src/providers/gcp/api.ts";
import { marketOf } from "../../src/providers/gcp/market.ts";
import { placed, regionOf } from "../../src/providers/gcp/names.ts";
import { handClock } from "../local-cloud/hand-clock.ts";
import { context, gcpBench, MINUTE } from "./gcp-bench.ts";

const INSTANCE = /\/instances\/[^/]+$/;

describe("what costs money is not lost from sight", () => {
  test("in a zone for AI, whose name is longer", () => {
    expect(placed("us-central1-ai1a/train-t-1")).toEqual({ zone: "us-central1-ai1a", name: "train-t-1" });
    expect(placed("global/train-t-1")).toBeNull();
    expect(placed("us-central1/train-t-1")).toBeNull();
    expect([regionOf("us-central1-ai1a"), regionOf("us-central1-a")]).toEqual(["us-central1", "us-central1"]);
  });

  test("after a deletion that was accepted and came to nothing", async () => {
    const { running, fake, provider, clock } = await gcpBench();
    const { providerId } = await running("t-a");
    await fake.reclaim(providerId);
    clock.advance(MINUTE);
    const body = { kind: "compute#operation", name: "operation-1", operationType: "delete", status: "PENDING" };
    fake.server.disturb({
      what: { do: "answer", answer: { status: 200, body } },
      match: ({ method, path }) => method === "DELETE" && INSTANCE.test(path),
    });
    expect(await provider.destroy(providerId, context)).toBe("accepted");
    expect(await provider.get(providerId, context)).toMatchObject({ state: "terminating" });
    clock.advance(10 * MINUTE);
    expect(await provider.get(providerId, context)).toMatchObject({ state: "stopped", endedBy: "provider" });
    expect(await provider.destroy(providerId, context)).toBe("accepted");
    clock.advance(MINUTE);
    expect(fake.living()).toEqual([]);
  });

  test("after a making that was cut short, when nobody can look whether something is left", async () => {
    const { provider, spec, fake } = await gcpBench({
      delays: { pendingMs: 0, provisioningMs: 0, stagingMs: 0 },
      switches: { launchErrorCode: "UNSUPPORTED_OPERATION" },
    });
    fake.server.disturb({
      what: { do: "answer", answer: { status: 503, body: "down" } },
      match: ({ method, path }) => method === "GET" && INSTANCE.test(path),
      times: 3,
    });
    await expect(provider.launch(await spec("t-a"), context)).rejects.toMatchObject({ fault: { kind: "ambiguous" } });
  });

  test.each(["UNREACHABLE", "PARTIAL_SUCCESS", "LIST_OVERHEAD_QUOTA_EXCEED"])(
    "by a list that says of itself that it is not whole: %s",
    async (code) => {
      const { provider, fake } = await gcpBench();
      const body = { kind: "compute#instanceAggregatedList", items: {}, warning: { code, message: "" } };
      fake.server.disturb({
        what: { do: "answer", answer: { status: 200, body } },
        match: ({ path }) => path.endsWith("/aggregated/instances"),
      });
      await expect(provider.list(context)).rejects.toMatchObject({ fault: { kind: "unavailable" } });
      expect(await provider.list(context)).toEqual([]);
    },
  );
});

test("what the market was is read once, however many machines ask for it at the same time", async () => {
  const home = mkdtempSync(join(tmpdir(), "spot-gcp-home-"));
  onTestFinished(() => rmSync(home, { recursive: true, force: true }));
  const clock = handClock(Date.UTC(2026, 10, 1));
  let looks = 0;
  const now = () => {
    looks += 1;
    return clock.now();
  };
  // Each reading asks what time it is, to know how old it is.
  const market = marketOf({} as Api, { home, clock: { ...clock, now }, env: {} });
  const all = await Promise.all(Array.from({ length: 500 }, () => market.known()));
  expect(new Set(all)).toEqual(new Set([undefined]));
  expect(looks).toBeLessThan(10);
  clock.advance(2 * MINUTE);
  await market.known();
  expect(looks).toBeLessThan(20);
});

const INSERT = /^zones\/[^/]+\/instances$/;

test.each([
  ["a2-ultragpu-1g", true],
  ["a3-highgpu-8g", true],
  ["g2-standard-4", false],
])("a time limit on what brings local SSDs says what becomes of them, and nothing else may: %s", async (type, hasLocalSsd) => {
  const { provider, spec, offer, bodies } = await gcpBench();
  const change = { offer: { ...(await offer()), type } };
  await provider.launch(await spec("t-a", { ...change, ttlSeconds: 3_600 }), context).catch(() => undefined);
  await provider.launch(await spec("t-b", change), context).catch(() => undefined);
  const said = bodies("POST", INSERT).map(
    ({ scheduling }) => (scheduling as { readonly onInstanceStopAction?: unknown }).onInstanceStopAction,
  );
  expect(said).toEqual([hasLocalSsd ? { discardLocalSsd: true } : undefined, undefined]);
});

test("a data disk is as large as the smallest there is, and says so", async () => {
  const { provider, fake, another } = await gcpBench();
  const place = { region: "us-central1", zone: "us-central1-a" };
  const disk = await provider.volumes?.create({ name: "work", token: "t-a", sizeGb: 1, ...place }, context);
  expect(disk).toMatchObject({ sizeGb: 10 });
  const other = await another({ SPOT_GCP_DISK_TYPE: "hyperdisk-balanced" });
  expect(await other.volumes?.create({ name: "work", token: "t-b", sizeGb: 1, ...place }, context)).toMatchObject({ sizeGb: 4 });
  expect(await other.volumes?.create({ name: "work", token: "t-c", sizeGb: 50, ...place }, context)).toMatchObject({ sizeGb: 50 });
  expect(fake.volumes().map(({ sizeGb }) => sizeGb)).toEqual([10, 4, 50]);
});
