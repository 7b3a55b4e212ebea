import { expect, test } from "vitest";
import { DAY_MS, HOUR_MS, MINUTE_MS, ppioBench } from "../clouds/ppio/bench.ts";

test("a notice is told by the list alone, and get has it all the same, with the way in", async () => {
  const { cloud, provider, context, clock, running, sent } = await ppioBench();
  const { providerId } = await running();
  cloud.reclaim(providerId, 3600);
  clock.advance(MINUTE_MS);
  const found = await provider.get(providerId, context);
  expect(found).toMatchObject({
    state: "reclaiming",
    notice: { kind: "reclaim", source: "api", deadline: clock.now() - MINUTE_MS + HOUR_MS },
    reach: { kind: "ssh", host: "proxy.27.gpu-instance.example", port: 51039, user: "root", password: `pw-${providerId}` },
  });
  expect(sent("/gpu/instances").at(-1)).toMatchObject({ name: "train-t-abc123", pageNum: "1" });
  expect((await provider.list(context))[0]).toMatchObject({ notice: { deadline: found?.notice?.deadline }, reach: null });
});

test("a process that remembers nothing finds the notice too, also among others of almost the same name", async () => {
  const { cloud, context, running, fresh } = await ppioBench();
  const { providerId } = await running();
  for (let index = 0; index < 3; index++) cloud.addStranger("train-t-abc123", "spot");
  cloud.reclaim(providerId, 3600);
  expect((await (await fresh()).get(providerId, context))?.notice).not.toBeNull();
});

test("a notice is not missed where the search by name finds nothing", async () => {
  const { cloud, provider, context, running } = await ppioBench({ namesFound: false });
  const { providerId } = await running();
  cloud.reclaim(providerId, 3600);
  expect((await provider.get(providerId, context))?.notice).not.toBeNull();
});

test("no notice within the protection, which is told from when it was made", async () => {
  const { cloud, provider, context, clock, running } = await ppioBench({ protectionMs: HOUR_MS });
  const { providerId, protectedUntil } = await running();
  expect(protectedUntil).toBe(clock.now() - MINUTE_MS + HOUR_MS);
  cloud.reclaim(providerId, 3600);
  expect(await provider.get(providerId, context)).toMatchObject({ state: "running", notice: null, protectedUntil });
  clock.advance(HOUR_MS);
  expect(await provider.get(providerId, context)).toMatchObject({
    state: "reclaiming",
    notice: { deadline: (protectedUntil ?? 0) + HOUR_MS },
  });
});

test("an instance on demand has no notices, so one question is enough", async () => {
  const { provider, context, clock, offer, spec, sent } = await ppioBench();
  const spot = await offer();
  const dear = (await provider.offers({}, context)).find((one) => one.type === spot.type && one.billing === "on-demand");
  const { providerId } = await provider.launch(await spec({ offer: dear ?? spot }), context);
  clock.advance(MINUTE_MS);
  expect(await provider.get(providerId, context)).toMatchObject({ billing: "on-demand", state: "running", protectedUntil: null });
  expect(sent("/gpu/instances")).toEqual([]);
});

test.each(["exited", "terminated"] as const)(
  "what is left of a reclaim as %s is a stopped one that the provider ended",
  async (reclaimedAs) => {
    const { cloud, provider, context, clock, running } = await ppioBench({ reclaimedAs });
    const { providerId } = await running();
    cloud.reclaim(providerId, 60);
    clock.advance(2 * MINUTE_MS);
    const left = { state: "stopped", rawState: "exited", endedBy: "provider", reason: "reclaimed", notice: null, reach: null };
    expect(await provider.get(providerId, context)).toMatchObject(left);
    expect(await provider.list(context)).toMatchObject([left]);
    // It still costs storage, until it is deleted.
    expect(cloud.bills(providerId).map(({ kind, to }) => [kind, to === null])).toEqual([
      ["gpu", false],
      ["disk", true],
    ]);
    expect(await provider.destroy(providerId, context)).toBe("accepted");
    clock.advance(MINUTE_MS);
    expect(await provider.get(providerId, context)).toBeUndefined();
    expect(cloud.bills(providerId).every(({ to }) => to !== null)).toBe(true);
  },
);

test("what is left of a reclaim as nothing at all is gone", async () => {
  const { cloud, provider, context, clock, running } = await ppioBench({ reclaimedAs: "gone" });
  const { providerId } = await running();
  cloud.reclaim(providerId, 60);
  clock.advance(2 * MINUTE_MS);
  expect(await provider.get(providerId, context)).toBeUndefined();
  expect(await provider.list(context)).toEqual([]);
  expect(await provider.destroy(providerId, context)).toBe("gone");
});

test("one that was stopped by somebody was not reclaimed, and says until when its disk is kept", async () => {
  const { cloud, provider, context, clock, running, sent } = await ppioBench({ keepDataDays: 3 });
  const { providerId } = await running();
  const theirs = cloud.addStranger("theirs");
  clock.advance(MINUTE_MS);
  await cloud.settle();
  cloud.stop(providerId);
  cloud.stop(theirs);
  const stoppedAt = clock.now() + 20;
  clock.advance(HOUR_MS);
  const found = await provider.get(providerId, context);
  expect(found).toMatchObject({ state: "stopped", endedBy: null, notice: null, reach: null });
  expect(found?.dataKeptUntil).toBe(Math.floor(stoppedAt / 1000) * 1000 + 3 * DAY_MS);
  // The list says the same, for ours alone: nobody asks after each of everybody's.
  const asked = sent("/gpu/instance").length;
  expect((await provider.list(context)).map(({ dataKeptUntil }) => dataKeptUntil)).toEqual([found?.dataKeptUntil, null]);
  expect(sent("/gpu/instance")).toHaveLength(asked + 1);
  clock.advance(3 * DAY_MS);
  await cloud.settle();
  expect(cloud.living()).toEqual([]);
});

test("a creation that failed says so in statusError alone, and costs nothing", async () => {
  const { cloud, provider, context, running } = await ppioBench({ failCreate: { state: "createFailed", message: "image pull: denied" } });
  const { providerId } = await running();
  expect(await provider.get(providerId, context)).toMatchObject({ state: "failed", rawState: "creating", reason: "image pull: denied" });
  expect(await provider.list(context)).toMatchObject([{ state: "failed" }]);
  expect(cloud.bills(providerId)).toEqual([]);
});

test("a slow pull is provisioning, and paid for from its beginning", async () => {
  const { cloud, provider, context, clock, running } = await ppioBench({ pullingMs: 20 * MINUTE_MS });
  const { providerId, createdAt } = await running();
  expect(await provider.get(providerId, context)).toMatchObject({ state: "provisioning", rawState: "pulling", reach: null });
  clock.advance(30 * MINUTE_MS);
  expect(await provider.get(providerId, context)).toMatchObject({ state: "running" });
  expect(cloud.bills(providerId)).toEqual([{ kind: "gpu", from: (createdAt ?? 0) + 20, to: null }]);
});

test("there is a way in only once the component for SSH is up, on both hosts", async () => {
  for (const vendor of ["ppio", "novita"] as const) {
    const { provider, context, clock, running } = await ppioBench({ vendor, sshAfterMs: 5 * MINUTE_MS });
    const { providerId } = await running();
    expect(await provider.get(providerId, context)).toMatchObject({ state: "running", reach: null });
    clock.advance(5 * MINUTE_MS);
    expect(await provider.get(providerId, context)).toMatchObject({ reach: { port: 51039, alias: `${vendor}-${providerId}` } });
  }
});

test("words that no document knows are unknown, and no notice", async () => {
  const { cloud, provider, context, running } = await ppioBench({ statusWord: "hovering", spotStatusWord: "wobbling" });
  const { providerId } = await running();
  expect(await provider.get(providerId, context)).toMatchObject({ state: "unknown", rawState: "hovering", notice: null });
  // The moment of a reclaim says by itself that one has begun.
  cloud.set({ statusWord: null });
  cloud.reclaim(providerId, 600);
  expect(await provider.get(providerId, context)).toMatchObject({ state: "reclaiming", notice: { kind: "reclaim" } });
});

test("a notice without its moment is a notice, whose assumed end stays where it is", async () => {
  const { cloud, provider, context, clock, running } = await ppioBench({ spotStatusWord: "notified" });
  const { providerId } = await running();
  const first = await provider.get(providerId, context);
  expect(first?.notice?.deadline).toBeGreaterThan(clock.now());
  clock.advance(1000);
  expect((await provider.get(providerId, context))?.notice?.deadline).toBe(first?.notice?.deadline);
  cloud.set({ spotStatusWord: null });
  expect((await provider.get(providerId, context))?.notice).toBeNull();
});

test.each(["full", "message", "empty"] as const)(
  "a delete that wants a stop first gets one, however little the refusal says: %s",
  async (refusals) => {
    const { cloud, provider, context, clock, running } = await ppioBench({ deleteNeedsStop: true, refusals });
    const { providerId } = await running();
    await expect(provider.destroy(providerId, context)).rejects.toMatchObject({ fault: { kind: "unavailable" } });
    clock.advance(MINUTE_MS);
    expect(await provider.destroy(providerId, context)).toBe("accepted");
    clock.advance(MINUTE_MS);
    expect(await provider.destroy(providerId, context)).toBe("gone");
    expect(cloud.living()).toEqual([]);
  },
);

test("a second delete while the first is at work is accepted", async () => {
  const { provider, context, running } = await ppioBench({ verbMs: 5 * MINUTE_MS });
  const { providerId } = await running();
  expect(await provider.destroy(providerId, context)).toBe("accepted");
  expect(await provider.get(providerId, context)).toMatchObject({ state: "terminating" });
  expect(await provider.destroy(providerId, context)).toBe("accepted");
});

test("a removed one that is still listed is gone, and its volumes are free", async () => {
  const { provider, context, clock, offer, spec, running } = await ppioBench({ removedShownMs: HOUR_MS });
  const { region } = await offer();
  const { providerId: volume } = (await provider.volumes?.create(
    { name: "data", token: "t-vol", sizeGb: 20, region, zone: region },
    context,
  )) ?? { providerId: "" };
  const volumes = [{ providerVolumeId: volume, mount: "/data" }];
  const { providerId } = await running({ volumes });
  await provider.destroy(providerId, context);
  clock.advance(MINUTE_MS);
  expect(await provider.get(providerId, context)).toMatchObject({ state: "gone", rawState: "removed" });
  expect(await provider.destroy(providerId, context)).toBe("gone");
  expect(await provider.volumes?.list(context)).toMatchObject([{ attachedTo: null }]);
  await provider.launch(await spec({ volumes, token: "t-second" }), context);
});

test("an instance by the month cannot be released, and that is said", async () => {
  const { cloud, provider, context, clock } = await ppioBench();
  const id = cloud.addStranger("theirs", "monthly");
  clock.advance(MINUTE_MS);
  await expect(provider.destroy(id, context)).rejects.toMatchObject({
    fault: { kind: "unsupported" },
    rawCode: "PREPAID_INSTANCE_NOT_SUPPORT_RELEASE",
  });
});

test("a not-found of the details alone is no proof that an instance is gone", async () => {
  const { cloud, provider, context, running } = await ppioBench();
  const { providerId } = await running();
  const lost = { status: 400, body: { reason: "RESOURCE_NOT_FOUND" } };
  cloud.server.disturb({ what: { do: "answer", answer: lost }, match: ({ path }) => path.endsWith("/gpu/instance") });
  expect(await provider.get(providerId, context)).toMatchObject({ providerId, state: "running", reach: null });
  cloud.server.disturb({ what: { do: "answer", answer: lost }, match: ({ path }) => path.endsWith("/gpu/instance/delete") });
  await expect(provider.destroy(providerId, context)).rejects.toMatchObject({ fault: { kind: "unavailable" } });
});

test("a not-found is believed when the whole list says so too, not the search by name", async () => {
  const { cloud, provider, context, running } = await ppioBench({ namesFound: false });
  const { providerId } = await running();
  const lost = { status: 404, body: "<html>no such page</html>" };
  cloud.server.disturb({ what: { do: "answer", answer: lost }, match: ({ path }) => path.endsWith("/gpu/instance") });
  expect(await provider.get(providerId, context)).toMatchObject({ providerId, state: "running" });
  for (const end of ["/gpu/instance/delete", "/gpu/instance"])
    cloud.server.disturb({ what: { do: "answer", answer: lost }, match: ({ path }) => path.endsWith(end) });
  await expect(provider.destroy(providerId, context)).rejects.toMatchObject({ fault: { kind: "unavailable" } });
  expect(cloud.living()).toHaveLength(1);
});

test("a gateway that does not find the way to delete is no proof that a volume is deleted", async () => {
  const { cloud, provider, context, offer } = await ppioBench();
  const { region } = await offer();
  const volume = await provider.volumes?.create({ name: "data", token: "t-vol", sizeGb: 20, region, zone: region }, context);
  const lost = { status: 404, body: "<html>no such page</html>" };
  cloud.server.disturb({ what: { do: "answer", answer: lost }, match: ({ path }) => path.endsWith("/networkstorage/delete") });
  await expect(provider.volumes?.remove(volume?.providerId ?? "", context)).rejects.toMatchObject({ fault: { kind: "unavailable" } });
  expect(cloud.volumes()).toHaveLength(1);
  await provider.volumes?.remove(volume?.providerId ?? "", context);
  expect(cloud.volumes()).toEqual([]);
});
