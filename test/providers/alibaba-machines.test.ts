import { describe, expect, test } from "vitest";
import { A10, actionOf, alibabaBench, context, refusal, START, ZONE } from "./alibaba-bench.ts";

const AN_HOUR_MS = 3_600_000;

describe("a reclaim", () => {
  test("is a lock without a time: the deadline is five minutes after it was first seen, and says that it is assumed", async () => {
    const { provider, running, fake, clock } = await alibabaBench();
    const { providerId } = await running("t-1");
    clock.advance(AN_HOUR_MS);
    await fake.reclaim(providerId, 300);
    const seenAt = clock.now();
    const notice = { kind: "reclaim", source: "api", seenAt, deadline: seenAt + 300_000, assumed: true };
    expect(await provider.get(providerId, context)).toMatchObject({ state: "running", notice });
    clock.advance(60_000);
    expect(await provider.list(context)).toMatchObject([{ providerId, notice }]);
  });

  test("that is lifted is none, and the next one is a new one", async () => {
    const { provider, running, fake, clock } = await alibabaBench({ switches: { breaksProtection: true } });
    const { providerId } = await running("t-1");
    await fake.reclaim(providerId, 9_000);
    await provider.list(context);
    fake.instance(providerId).lock = null;
    expect(await provider.get(providerId, context)).toMatchObject({ notice: null });
    clock.advance(60_000);
    fake.instance(providerId).lock = "Recycling";
    expect(await provider.get(providerId, context)).toMatchObject({ notice: { seenAt: clock.now() } });
  });

  test("does not come within the first hour", async () => {
    const { provider, running, fake, clock } = await alibabaBench();
    const { providerId, protectedUntil, createdAt } = await running("t-1");
    // The time of creation has no seconds here.
    expect(START - (createdAt ?? 0)).toBeLessThan(60_000);
    expect((protectedUntil ?? 0) - (createdAt ?? 0)).toBe(AN_HOUR_MS);
    await fake.reclaim(providerId);
    clock.advance(AN_HOUR_MS / 2);
    expect(await provider.get(providerId, context)).toMatchObject({ notice: null });
    clock.advance(AN_HOUR_MS / 2);
    expect(await provider.get(providerId, context)).toMatchObject({ notice: { kind: "reclaim" } });
  });

  test("leaves nothing: whoever saw the lock, or reads the history, says who ended it", async () => {
    const { provider, another, running, fake, clock } = await alibabaBench({
      switches: { breaksProtection: true, reclaimsInHistory: true },
    });
    const { providerId } = await running("t-1");
    await fake.reclaim(providerId, 60);
    await provider.list(context);
    clock.advance(61_000);
    const gone = { providerId, name: "train", token: "t-1", state: "gone", endedBy: "provider", reach: null, notice: null };
    expect(await provider.get(providerId, context)).toMatchObject(gone);
    const stranger = { providerId, state: "gone", endedBy: "provider", reason: expect.stringContaining("PreemptibleInstance") };
    expect(await (await another()).get(providerId, context)).toMatchObject(stranger);
    expect(await provider.list(context)).toEqual([]);
    expect(await provider.destroy(providerId, context)).toBe("gone");
  });

  test("without a word: nobody knows who ended it", async () => {
    const switches = { breaksProtection: true, reclaimsWithoutLock: true };
    const { provider, running, fake, clock } = await alibabaBench({ switches });
    const { providerId } = await running("t-1");
    await fake.reclaim(providerId, 60);
    await provider.list(context);
    clock.advance(61_000);
    expect(await provider.get(providerId, context)).toBeUndefined();
  });
});

describe("a machine that is ordered", () => {
  test("and comes to nothing is gone, and says why", async () => {
    const { provider, spec, fake, clock } = await alibabaBench({ switches: { failCreations: 1 } });
    const { providerId } = await provider.launch(await spec("t-1"), context);
    clock.advance(1_000);
    expect(await provider.get(providerId, context)).toMatchObject({
      providerId,
      token: "t-1",
      state: "gone",
      endedBy: "provider",
      reason: expect.stringMatching(/no capacity: accepted.*SystemFailure\.Delete/),
    });
    expect(await provider.destroy(providerId, context)).toBe("gone");
    expect(fake.living()).toEqual([]);
  });

  test("and not listed yet is being made, for half a minute", async () => {
    const { provider, spec, instead, clock } = await alibabaBench();
    const { providerId } = await provider.launch(await spec("t-1"), context);
    const nothing = { do: "answer", answer: { status: 200, body: { Instances: { Instance: [] }, NextToken: "" } } } as const;
    instead("DescribeInstances", nothing);
    expect(await provider.get(providerId, context)).toMatchObject({ state: "provisioning", token: "t-1" });
    clock.advance(31_000);
    instead("DescribeInstances", nothing);
    expect(await provider.get(providerId, context)).toBeUndefined();
  });

  test("cannot be released before it is up: ask again", async () => {
    const { provider, spec, sent, fake } = await alibabaBench({ switches: { holdProvisioning: true } });
    const { providerId } = await provider.launch(await spec("t-1"), context);
    await expect(provider.destroy(providerId, context)).rejects.toMatchObject({
      fault: { kind: "unavailable" },
      rawCode: "IncorrectInstanceStatus.Initializing",
    });
    fake.switches.deletesPending = true;
    expect(await provider.destroy(providerId, context)).toBe("accepted");
    expect(sent("DeleteInstances").at(-1)).toEqual({
      RegionId: "cn-hangzhou",
      "InstanceId.1": providerId.replace("cn-hangzhou/", ""),
      Force: "true",
      ForceStop: "false",
    });
    expect(await provider.get(providerId, context)).toMatchObject({ state: "terminating", reach: null });
  });
});

describe("a machine that is stopped", () => {
  test("costs what its mode says, which everybody can read", async () => {
    const { provider, running, fake } = await alibabaBench();
    const { providerId } = await running("t-1");
    for (const mode of ["KeepCharging", "StopCharging"] as const) {
      Object.assign(fake.instance(providerId), { status: "Stopped", stoppedMode: mode });
      expect(await provider.get(providerId, context)).toMatchObject({
        state: "stopped",
        rawState: `Stopped (${mode})`,
        endedBy: null,
        reach: null,
      });
    }
    expect(provider.capabilities).toMatchObject({ stoppedBillsGpu: true, machine: { endsItself: false } });
  });

  test("by a reclaim is what is left of it", async () => {
    const { provider, running, fake } = await alibabaBench({ switches: { breaksProtection: true } });
    const { providerId } = await running("t-1");
    await fake.reclaim(providerId, 600);
    await provider.list(context);
    Object.assign(fake.instance(providerId), { status: "Stopped", stoppedMode: "StopCharging", lock: null });
    expect(await provider.get(providerId, context)).toMatchObject({ state: "stopped", endedBy: "provider", reason: "reclaimed" });
    expect(await provider.destroy(providerId, context)).toBe("accepted");
  });
});

test.each([
  ["financial", /owes money.*top it up/],
  ["security", /security/],
] as const)("a lock for another reason is no notice, and is said: %s", async (lock, why) => {
  const { provider, running, fake } = await alibabaBench();
  const { providerId } = await running("t-1");
  fake.lock(providerId, lock);
  expect(await provider.get(providerId, context)).toMatchObject({ state: "running", notice: null, reason: expect.stringMatching(why) });
  await expect(provider.destroy(providerId, context)).rejects.toMatchObject({ fault: { kind: "conflict" } });
});

describe("the list", () => {
  test("is of every region, with what others rent there, and each page once", async () => {
    const { provider, spec, running, sent, offer, clock, fake } = await alibabaBench();
    await running("t-1");
    const far = await offer(undefined, { region: "eu-central-1", billing: "spot" });
    const { providerId } = await provider.launch(await spec("t-2", { offer: far }), context);
    fake.instance(providerId).tags.clear();
    clock.advance(1_000);
    const listed = await provider.list(context);
    expect(listed.map(({ region, token }) => [region, token]).toSorted()).toEqual([
      ["cn-hangzhou", "t-1"],
      ["eu-central-1", null],
    ]);
    expect(
      sent("DescribeInstances")
        .slice(-4)
        .map(({ RegionId }) => RegionId)
        .toSorted(),
    ).toEqual(["ap-southeast-1", "cn-hangzhou", "cn-shanghai", "eu-central-1"]);
    // Without this a page has ten rows, and gives no token for the next.
    expect(sent("DescribeInstances").every(({ MaxResults }) => MaxResults === "100")).toBe(true);
  });

  test("is none when one region does not answer, and says how to leave it out", async () => {
    const { provider, fake } = await alibabaBench();
    await provider.list(context);
    fake.server.disturb({
      what: refusal(403, "Forbidden.RAM"),
      match: (request) => actionOf(request) === "DescribeInstances" && request.body.includes("eu-central-1"),
    });
    await expect(provider.list(context)).rejects.toMatchObject({
      fault: { kind: "auth" },
      message: expect.stringMatching(/eu-central-1; SPOT_ALIBABA_REGIONS/),
    });
    expect(await provider.list(context)).toEqual([]);
  });

  test("ends, whatever the cloud says about a next page", async () => {
    const { provider, instead } = await alibabaBench({ env: { SPOT_ALIBABA_REGIONS: "cn-hangzhou" } });
    instead("DescribeInstances", { do: "answer", answer: { status: 200, body: { Instances: { Instance: [] }, NextToken: "again" } } }, 99);
    await expect(provider.list(context)).rejects.toMatchObject({ fault: { kind: "protocol" } });
  });
});

test("what a machine looks like: its price is the market's, its ports are where its address is", async () => {
  const { provider, running, fake, clock } = await alibabaBench();
  const machine = await running("t-1", {
    ports: [
      { port: 8888, protocol: "http" },
      { port: 6006, protocol: "tcp" },
    ],
  });
  const { publicIp } = fake.instance(machine.providerId) as unknown as { readonly publicIp: string };
  const host = machine.reach?.kind === "ssh" ? machine.reach.host : "";
  expect(machine).toMatchObject({
    name: "train",
    zone: ZONE,
    type: A10,
    gpu: { model: "A10", count: 1 },
    billing: "spot",
    reach: { kind: "ssh", port: 22, user: "root", password: null },
    endpoints: [
      { port: 8888, address: `${host}:8888` },
      { port: 6006, address: `${host}:6006` },
    ],
    canHibernate: false,
  });
  expect(publicIp === undefined || publicIp === host).toBe(true);
  const before = machine.price?.micros ?? 0n;
  fake.movePrice(A10, 0.7);
  clock.advance(60_000);
  // What it remembers it says as of then.
  const soon = await provider.get(machine.providerId, context);
  expect([soon?.price, soon?.pricedAt]).toEqual([machine.price, machine.pricedAt]);
  clock.advance(10 * 60_000);
  const later = await provider.get(machine.providerId, context);
  const after = later?.price?.micros ?? 0n;
  expect([before < after, after]).toEqual([true, 8_680_000n]);
  expect((later?.pricedAt ?? 0) - (machine.pricedAt ?? 0)).toBeGreaterThanOrEqual(11 * 60_000);
});

test("no list fails, or asks again for every machine, for want of prices", async () => {
  const { provider, running, another, instead, requests } = await alibabaBench();
  for (const token of ["t-1", "t-2", "t-3"]) await running(token);
  instead("DescribeSpotPriceHistory", refusal(403, "Forbidden.RAM"), 99);
  const before = requests("DescribeSpotPriceHistory").length;
  const listed = await (await another()).list(context);
  expect(listed.map(({ price }) => price)).toEqual([null, null, null]);
  expect(requests("DescribeSpotPriceHistory").length - before).toBe(1);
  expect(await provider.list(context)).toHaveLength(3);
});

test("an id that never was is gone, and nobody is asked", async () => {
  const { provider, requests } = await alibabaBench();
  for (const id of ["", "i-1", "cn-hangzhou/", "cn-hangzhou/d-1", "evil.example/i-1", "cn-hangzhou/i-1/2", "CN/i-1"]) {
    expect(await provider.get(id, context)).toBeUndefined();
    expect(await provider.destroy(id, context)).toBe("gone");
  }
  expect(requests()).toEqual([]);
});
