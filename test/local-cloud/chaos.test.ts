import { afterEach, beforeEach, expect, test } from "vitest";
import { context, launchSpec, type RunningCloud, reached, runningCloud } from "./running-cloud.ts";

let cloud: RunningCloud;
beforeEach(async () => {
  cloud = await runningCloud();
});
afterEach(() => cloud.close());

const add = (rule: Readonly<Record<string, unknown>>) => cloud.control.addChaos(rule, context.signal);

test("a rule strikes as often as it says, then it is used up", async () => {
  await add({ on: "list", effect: "fail", times: 2 });
  expect(await cloud.control.chaos(context.signal)).toEqual([{ on: "list", effect: "fail", times: 2 }]);
  for (let call = 0; call < 2; call++)
    await expect(cloud.provider.list(context)).rejects.toMatchObject({ fault: { kind: "unavailable" }, rawCode: "unavailable" });
  expect(await cloud.provider.list(context)).toEqual([]);
  expect(await cloud.control.chaos(context.signal)).toEqual([]);
});

test("a rule for everything spares what is no part of the provider's API", async () => {
  await add({ on: "*", effect: "fail", status: 500, code: "broken" });
  expect(await cloud.control.health(context.signal)).toMatchObject({ profile: "aws" });
  await expect(cloud.provider.offers({}, context)).rejects.toMatchObject({ fault: { kind: "unavailable" } });
  await cloud.provider.offers({}, context);
});

test.each([
  [
    { status: 429, code: "rate_limited" },
    { kind: "rate-limited", retryAfterMs: 1000 },
  ],
  [
    { status: 503, code: "out_of_stock" },
    { kind: "no-capacity", scope: "offer" },
  ],
  [{ status: 403, code: "quota_exceeded" }, { kind: "quota" }],
  [{ status: 409, code: "price_too_low" }, { kind: "price-too-low" }],
  [{ status: 400, code: "invalid" }, { kind: "invalid-request" }],
  [{ status: 500, code: "broken" }, { kind: "ambiguous" }],
  [{ status: 418, code: "teapot" }, { kind: "protocol" }],
])("a launch that fails with %o is %o", async (failure, fault) => {
  const spec = await launchSpec(cloud.provider, "t-1");
  await add({ on: "launch", effect: "fail", ...failure });
  await expect(cloud.provider.launch(spec, context)).rejects.toMatchObject({ fault, rawCode: failure.code });
  expect(await cloud.provider.list(context)).toEqual([]);
});

test("a machine that does not come up has failed, costs nothing, and frees its volume when it is destroyed", async () => {
  const spec = await launchSpec(cloud.provider, "t-1");
  await add({ on: "launch", effect: "start-failure" });
  const { providerId } = await cloud.provider.launch(spec, context);
  const failed = await reached(cloud.provider, providerId, "failed");
  expect(failed.reason).toMatch(/^start-failed: /);
  expect(await cloud.provider.billing?.billed(0, context)).toEqual([]);
  await cloud.provider.destroy(providerId, context);
  expect(await reached(cloud.provider, providerId, "gone")).toMatchObject({ reason: failed.reason, endedBy: null });
});

test("with the profile of a cloud that has client tokens, a launch sent twice makes one instance; with ppio's, two", async () => {
  const spec = await launchSpec(cloud.provider, "t-1");
  const first = await cloud.provider.launch(spec, context);
  expect((await cloud.provider.launch(spec, context)).providerId).toBe(first.providerId);
  await cloud.control.setMarket({ profile: "ppio" }, context.signal);
  expect((await cloud.provider.launch(spec, context)).providerId).not.toBe(first.providerId);
  expect((await cloud.provider.list(context)).filter(({ token }) => token === "t-1")).toHaveLength(2);
});

test.each([
  { on: "lunch", effect: "fail" },
  { on: "list", effect: "explode" },
  { on: "list", effect: "fail", times: 0 },
  { on: "list", effect: "delay", ms: -1 },
])("refuses the rule %o", async (rule) => {
  await expect(add(rule)).rejects.toMatchObject({ fault: { kind: "invalid-request" } });
});

test.each([
  { name: "" },
  { name: "a\u001b[31m" },
  { volumes: [{ providerVolumeId: "x", mount: "/../etc" }] },
  { volumes: [{ providerVolumeId: "x", mount: "/tmp" }] },
  { volumes: [{ providerVolumeId: "x", mount: "data" }] },
  { env: { "NOT A NAME": "1" } },
  { ttlSeconds: -1 },
])("refuses to launch with %o", async (change) => {
  const spec = await launchSpec(cloud.provider, "t-1", change);
  await expect(cloud.provider.launch(spec, context)).rejects.toMatchObject({ fault: { kind: "invalid-request" } });
});
