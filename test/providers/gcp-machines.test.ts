import { describe, expect, test } from "vitest";
import { context, gcpBench, MINUTE, SECOND } from "./gcp-bench.ts";

const stopped = { state: "stopped", rawState: "TERMINATED" };

describe("a machine", () => {
  test("is shown with where it is, what it costs and how it is come into", async () => {
    const { running, fake, another } = await gcpBench({ env: { SPOT_GCP_SSH_USER: "ada" } });
    const seen = await running("t-abc1", { ports: [{ port: 8080, protocol: "http" }] });
    const host = fake.vm(seen.providerId).natIp ?? "";
    expect(seen).toMatchObject({
      providerId: "us-central1-a/train-t-abc1",
      name: "train",
      token: "t-abc1",
      state: "running",
      rawState: "RUNNING",
      region: "us-central1",
      zone: "us-central1-a",
      type: "g2-standard-4",
      gpu: { model: "L4", count: 1, vramGb: 24 },
      billing: "spot",
      endedBy: null,
      reason: null,
      notice: null,
    });
    expect(seen.reach).toMatchObject({ kind: "ssh", user: "ada", alias: "gcp-us-central1-a-train-t-abc1" });
    expect(seen.endpoints).toEqual([{ port: 8080, address: `${host.replace(/:\d+$/, "")}:8080` }]);
    // Times carry offsets, not Z.
    expect(Math.abs((seen.createdAt ?? 0) - Date.UTC(2026, 10, 1))).toBeLessThan(MINUTE);
    const asked = fake.server.requests.length;
    const [listed] = await (await another()).list(context);
    expect(listed?.price).toEqual(seen.price);
    // The price is known from files: a list is no reason to read the catalogue.
    expect(fake.server.requests.slice(asked).filter(({ path }) => path.endsWith("/skus"))).toEqual([]);
  });

  test("costs what the catalogue says, also to whoever launched it, once somebody has read that", async () => {
    const { running, fake, provider, clock, another } = await gcpBench();
    const launchedAt = clock.now();
    const { providerId, price, pricedAt } = await running("t-a");
    expect(pricedAt).toBeLessThanOrEqual(launchedAt);
    Object.assign(fake.switches, { spotFactor: 2 });
    clock.advance(25 * 60 * MINUTE);
    const readAt = clock.now();
    await (await another()).offers({}, context);
    clock.advance(2 * MINUTE);
    const asked = fake.server.requests.length;
    const later = await provider.get(providerId, context);
    expect(Math.abs(Number(later?.price?.micros) - 2 * Number(price?.micros))).toBeLessThan(2);
    expect(later?.pricedAt).toBeGreaterThanOrEqual(readAt);
    expect(later?.pricedAt).toBeLessThan(readAt + MINUTE);
    expect(fake.server.requests.slice(asked).filter(({ path }) => path.endsWith("/skus"))).toEqual([]);
  });

  test("that was preempted is stopped by the provider: its disk costs until it is deleted", async () => {
    const { running, fake, provider, clock, another } = await gcpBench();
    const { providerId } = await running("t-a");
    await fake.reclaim(providerId);
    clock.advance(MINUTE);
    const remains = { ...stopped, endedBy: "provider", reason: expect.stringContaining("preempted") };
    expect(await provider.get(providerId, context)).toMatchObject(remains);
    // Also to a process that was not there.
    const later = await another();
    expect(await later.list(context)).toMatchObject([remains]);
    expect(fake.living()).toHaveLength(1);
    expect(await later.destroy(providerId, context)).toBe("accepted");
    clock.advance(MINUTE);
    expect(await later.get(providerId, context)).toBeUndefined();
    expect(fake.living()).toEqual([]);
    expect(fake.volumes()).toEqual([]);
  });

  test("that shut itself down was ended by its guest, one that a person stopped by a person, and a broken host is the provider's", async () => {
    const { running, fake, provider, clock, atConsole } = await gcpBench();
    const guest = await running("t-a");
    const user = await running("t-b");
    const host = await running("t-c");
    await fake.shutDown(guest.providerId);
    await atConsole("POST", "zones/us-central1-a/instances/train-t-b/stop");
    await fake.hostError(host.providerId);
    clock.advance(MINUTE);
    const seen = await provider.list(context);
    const by = (id: string) => seen.find(({ providerId }) => providerId === id);
    expect(by(guest.providerId)).toMatchObject({ ...stopped, endedBy: "guest" });
    expect(by(user.providerId)).toMatchObject({ ...stopped, endedBy: "user" });
    expect(by(host.providerId)).toMatchObject({ ...stopped, endedBy: "provider" });
  });

  test("on demand, whose host broke, is not taken for remains: Google starts it again by itself", async () => {
    const { running, offer, fake, provider, clock } = await gcpBench();
    const { providerId } = await running("t-a", { offer: await offer("g2-standard-4", { billing: "on-demand" }) });
    await fake.hostError(providerId);
    expect(await provider.get(providerId, context)).toMatchObject({ state: "provisioning", rawState: "REPAIRING", endedBy: null });
    clock.advance(MINUTE);
    expect(await provider.get(providerId, context)).toMatchObject({ state: "running", endedBy: null });
  });

  test("whose preemption no operation tells is stopped by nobody knows whom", async () => {
    const { running, fake, provider, clock } = await gcpBench({ switches: { forgetsPreemptions: true } });
    const { providerId } = await running("t-a");
    await fake.reclaim(providerId);
    clock.advance(MINUTE);
    expect(await provider.get(providerId, context)).toMatchObject({ ...stopped, endedBy: null, reason: null });
  });

  test("that was preempted, started again and then stopped by a person was stopped by the person", async () => {
    const { running, fake, provider, clock, atConsole } = await gcpBench();
    const { providerId } = await running("t-a");
    await fake.reclaim(providerId);
    clock.advance(MINUTE);
    await atConsole("POST", "zones/us-central1-a/instances/train-t-a/start");
    clock.advance(MINUTE);
    expect(await provider.get(providerId, context)).toMatchObject({ state: "running", endedBy: null });
    await atConsole("POST", "zones/us-central1-a/instances/train-t-a/stop");
    clock.advance(MINUTE);
    expect(await provider.get(providerId, context)).toMatchObject({ ...stopped, endedBy: "user" });
  });

  test("whose time limit is over was ended as it was told to, and the cloud did it alone", async () => {
    const { running, provider, clock } = await gcpBench();
    const { providerId } = await running("t-a", { ttlSeconds: 600 });
    clock.advance(12 * MINUTE);
    expect(await provider.get(providerId, context)).toMatchObject({ ...stopped, endedBy: "guest" });
  });

  test("that was preempted before it ever ran is stopped by the provider, or told as never made", async () => {
    const { spec, fake, provider, clock } = await gcpBench({ delays: { provisioningMs: 5 * SECOND, stagingMs: MINUTE } });
    const { providerId } = await provider.launch(await spec("t-a"), context);
    await fake.reclaim(providerId);
    clock.advance(5 * MINUTE);
    const seen = await provider.get(providerId, context);
    expect(seen === undefined || seen.state === "failed" || seen.endedBy === "provider").toBe(true);
    if (seen?.state === "failed") expect(seen.reason).toContain("preempted");
    await provider.destroy(providerId, context);
    clock.advance(MINUTE);
    expect(await provider.get(providerId, context)).toBeUndefined();
    expect([fake.living(), fake.volumes()]).toEqual([[], []]);
  });

  test("under the notice of 120 s goes on running: the API does not show the notice", async () => {
    const { running, fake, provider, clock } = await gcpBench({ env: { SPOT_GCP_PREEMPTION_NOTICE: "120s" } });
    const { providerId } = await running("t-a");
    await fake.reclaim(providerId);
    clock.advance(100 * SECOND);
    expect(await provider.get(providerId, context)).toMatchObject({ state: "running", notice: null });
    clock.advance(2 * MINUTE);
    expect(await provider.get(providerId, context)).toMatchObject({ ...stopped, endedBy: "provider" });
  });
});

describe("the list", () => {
  for (const unreachableBy of ["unreachables", "warning"] as const)
    test(`in which a zone is missing (${unreachableBy}) is no list, and says which`, async () => {
      const { running, fake, provider } = await gcpBench();
      await running("t-a");
      fake.switches.unreachableBy = unreachableBy;
      fake.switches.unreachableZones = ["us-central1-a"];
      const failure = { fault: { kind: "unavailable" }, message: expect.stringContaining("us-central1-a") };
      await expect(provider.list(context)).rejects.toMatchObject(failure);
      await expect(provider.volumes?.list(context)).rejects.toMatchObject(failure);
      fake.switches.unreachableZones = [];
      expect(await provider.list(context)).toHaveLength(1);
    });

  test("shows what is not ours without a token", async () => {
    const { running, provider, atConsole, fake, clock } = await gcpBench();
    await running("t-a");
    const zone = `projects/${fake.project}/zones/us-central1-a`;
    await atConsole("POST", "zones/us-central1-a/instances", {
      name: "theirs",
      machineType: `${zone}/machineTypes/n1-standard-4`,
      disks: [{ boot: true, autoDelete: true, initializeParams: { sourceImage: "projects/debian-cloud/global/images/family/debian-12" } }],
      networkInterfaces: [{ network: `projects/${fake.project}/global/networks/default` }],
    });
    clock.advance(MINUTE);
    expect((await provider.list(context)).map(({ name, token }) => [name, token]).toSorted()).toEqual([
      ["theirs", null],
      ["train", "t-a"],
    ]);
    // Its boot disk is no volume, ours neither.
    expect(await provider.volumes?.list(context)).toEqual([]);
  });

  test("of one page is asked for once; operations only where one of ours stands still", async () => {
    const { running, provider, sent, fake, clock } = await gcpBench();
    const { providerId } = await running("t-a");
    const asked = fake.server.requests.length;
    await provider.list(context);
    expect(fake.server.requests.length - asked).toBe(1);
    const [last] = sent("GET", /^aggregated\/instances$/).slice(-1);
    expect(Object.fromEntries(last?.query ?? [])).toEqual({ maxResults: "500", returnPartialSuccess: "true" });
    await fake.reclaim(providerId);
    clock.advance(MINUTE);
    await provider.list(context);
    expect(
      sent("GET", /^zones\/us-central1-a\/operations$/)
        .slice(-1)[0]
        ?.query.get("filter"),
    ).toBe('targetLink eq ".*/instances/(train-t-a)"');
  });
});

describe("the end", () => {
  test("is gone only when Compute Engine itself has no such machine", async () => {
    const { running, provider, clock, sent } = await gcpBench();
    const { providerId } = await running("t-a");
    expect(await provider.destroy(providerId, context)).toBe("accepted");
    expect(await provider.get(providerId, context)).toMatchObject({ state: "terminating" });
    clock.advance(MINUTE);
    expect(await provider.destroy(providerId, context)).toBe("gone");
    expect(sent("DELETE", /^zones\/us-central1-a\/instances\/train-t-a$/).length).toBeGreaterThanOrEqual(2);
  });

  test("keeps the data disk, and takes the one that it booted from", async () => {
    const { running, provider, clock, fake } = await gcpBench();
    const volume = await provider.volumes?.create(
      { name: "work", token: "t-d", sizeGb: 10, region: "us-central1", zone: "us-central1-a" },
      context,
    );
    const id = volume?.providerId ?? "";
    const { providerId } = await running("t-a", { volumes: [{ providerVolumeId: id, mount: "/data" }] });
    await provider.destroy(providerId, context);
    clock.advance(MINUTE);
    expect(fake.volumes()).toMatchObject([{ providerId: id, attachedTo: null }]);
    expect([...fake.site.disks.values()].map(({ name }) => name)).toEqual(["work-t-d"]);
  });

  test("of a machine that is being deleted already is unavailable, or accepted, never gone", async () => {
    const { running, provider, clock, atConsole } = await gcpBench({ delays: { deleteMs: 10 * MINUTE } });
    const { providerId } = await running("t-a");
    await atConsole("DELETE", "zones/us-central1-a/instances/train-t-a");
    clock.advance(SECOND);
    const ended = await provider.destroy(providerId, context).catch((error: unknown) => error);
    if (ended !== "accepted") expect(ended).toMatchObject({ fault: { kind: "unavailable" } });
    expect(await provider.get(providerId, context)).toBeDefined();
  });

  test("of a machine in a zone that there is not any more is gone", async () => {
    const { provider, fake } = await gcpBench();
    const message = `The resource 'projects/${fake.project}/zones/mars-north1-a' was not found`;
    fake.server.disturb({
      what: { do: "answer", answer: { status: 404, body: { error: { code: 404, message, errors: [{ reason: "notFound", message }] } } } },
      match: ({ path }) => path.includes("/zones/mars-north1-a/"),
      times: Number.POSITIVE_INFINITY,
    });
    expect(await provider.get("mars-north1-a/x", context)).toBeUndefined();
    expect(await provider.destroy("mars-north1-a/x", context)).toBe("gone");
  });

  test("of what was denied by somebody else than Google is looked at again", async () => {
    const { running, provider, fake } = await gcpBench();
    const { providerId } = await running("t-a");
    fake.server.disturb({ what: { do: "answer", answer: { status: 404, body: "<html>no such page</html>" } } });
    await expect(provider.destroy(providerId, context)).rejects.toMatchObject({ fault: { kind: "unavailable" } });
    expect(fake.living()).toHaveLength(1);
  });
});
