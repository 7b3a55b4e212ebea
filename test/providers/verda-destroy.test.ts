import { describe, expect, test } from "vitest";
import { context, type VerdaBench, verdaBench } from "./verda-bench.ts";

const A_MINUTE_MS = 60_000;

async function dataVolume({ provider }: VerdaBench, token = "t-disk"): Promise<string> {
  const { providerId } =
    (await provider.volumes?.create({ name: "work", token, sizeGb: 20, region: "FIN-01", zone: "FIN-01" }, context)) ?? {};
  if (providerId === undefined) throw new Error("no volume");
  return providerId;
}

const mounted = (id: string) => ({ volumes: [{ providerVolumeId: id, mount: "/data" }] });

describe("ending a machine at Verda", () => {
  test("names its root volume and deletes it for good; data volumes are kept, nothing lies in the trash", async () => {
    const bench = await verdaBench();
    const { provider, running, bodies, fake, clock } = bench;
    const data = await dataVolume(bench);
    const { providerId, rootVolumeId, volumeIds } = await running("t-1", mounted(data));
    expect(volumeIds).toEqual([data]);
    expect(rootVolumeId).not.toBeNull();
    expect(await provider.destroy(providerId, context)).toBe("accepted");
    expect(bodies("PUT", "/instances")).toEqual([
      { action: "delete", id: [providerId], volume_ids: [rootVolumeId], delete_permanently: true },
    ]);
    clock.advance(A_MINUTE_MS);
    expect(await provider.get(providerId, context)).toMatchObject({ state: "gone", endedBy: null });
    expect(fake.volumes()).toMatchObject([{ providerId: data, attachedTo: null, inTrash: false }]);
    expect(fake.scripts()).toEqual([]);
  });

  test("parking keeps everything, by an empty list and never by null", async () => {
    const bench = await verdaBench();
    const { provider, running, sent, fake, clock } = bench;
    const data = await dataVolume(bench);
    const { providerId, rootVolumeId } = await running("t-1", mounted(data));
    await provider.destroy(providerId, context, { keepRoot: true });
    expect(sent("PUT", "/instances").map(({ body }) => body)).toEqual([`{"action":"delete","id":["${providerId}"],"volume_ids":[]}`]);
    clock.advance(A_MINUTE_MS);
    await fake.settle();
    expect(fake.volumes().map(({ providerId: id, isRoot, inTrash }) => [id, isRoot, inTrash])).toEqual(
      expect.arrayContaining([
        [data, false, false],
        [rootVolumeId, true, false],
      ]),
    );
    const listed = await provider.volumes?.list(context);
    expect(listed?.find(({ providerId: id }) => id === rootVolumeId)).toMatchObject({ name: "train-root", token: "t-1", attachedTo: null });
  });

  test("a parked machine comes back from its root volume, with its data, and its end deletes that root", async () => {
    const bench = await verdaBench();
    const { provider, running, bodies, fake, clock } = bench;
    const data = await dataVolume(bench);
    const first = await running("t-1", mounted(data));
    await provider.destroy(first.providerId, context, { keepRoot: true });
    clock.advance(A_MINUTE_MS);
    const second = await running("t-2", { ...mounted(data), rootVolumeId: first.rootVolumeId });
    expect(bodies("POST", "/instances")[1]).toMatchObject({ image: first.rootVolumeId, existing_volumes: [data] });
    expect(bodies("POST", "/instances")[1]).not.toHaveProperty("os_volume");
    expect(second).toMatchObject({ rootVolumeId: first.rootVolumeId, volumeIds: [data] });
    await provider.destroy(second.providerId, context);
    clock.advance(A_MINUTE_MS);
    await fake.settle();
    expect(fake.volumes()).toMatchObject([{ providerId: data }]);
  });

  test("a root volume that is attached, deleted or somewhere else is refused, and nothing is launched", async () => {
    const bench = await verdaBench();
    const { provider, running, spec, offer, sent, clock } = bench;
    const { providerId, rootVolumeId } = await running("t-1");
    const before = sent("POST", "/instances").length;
    const attempt = async (change: object) => provider.launch(await spec("t-2", { rootVolumeId, ...change }), context);
    await expect(attempt({})).rejects.toMatchObject({ fault: { kind: "conflict" } });
    await provider.destroy(providerId, context, { keepRoot: true });
    clock.advance(A_MINUTE_MS);
    const elsewhere = await offer("1A100.22V", { region: "ICE-01", zone: "ICE-01" });
    await expect(attempt({ offer: elsewhere })).rejects.toMatchObject({ fault: { kind: "invalid-request" } });
    await provider.volumes?.remove(rootVolumeId ?? "", context);
    await expect(attempt({})).rejects.toMatchObject({ fault: { kind: "not-found" } });
    expect(sent("POST", "/instances")).toHaveLength(before);
  });

  test("is refused while it is provisioned, and done afterwards; until then it keeps its script", async () => {
    const { provider, spec, fake, clock } = await verdaBench();
    const { providerId } = await provider.launch(await spec("t-1"), context);
    clock.advance(1_500);
    await expect(provider.destroy(providerId, context)).rejects.toMatchObject({
      fault: { kind: "unavailable" },
      message: "Can't discontinue a provisioning instance",
    });
    expect(fake.scripts()).toHaveLength(1);
    clock.advance(A_MINUTE_MS);
    expect(await provider.destroy(providerId, context)).toBe("accepted");
    clock.advance(A_MINUTE_MS);
    expect(await provider.destroy(providerId, context)).toBe("gone");
    expect(fake.volumes()).toEqual([]);
  });

  test("before it says which volume is its root, the volumes are asked: nothing is left in the trash", async () => {
    const { provider, spec, fake, clock, bodies } = await verdaBench({ switches: { holdAt: "ordered" } });
    const { providerId } = await provider.launch(await spec("t-1"), context);
    expect(await provider.get(providerId, context)).toMatchObject({ rootVolumeId: null, volumeIds: [] });
    await provider.destroy(providerId, context);
    expect(bodies("PUT", "/instances")[0]).toMatchObject({ volume_ids: [expect.any(String)], delete_permanently: true });
    clock.advance(A_MINUTE_MS);
    expect(await provider.list(context)).toEqual([]);
    expect(fake.volumes()).toEqual([]);
  });

  test.each(["status", "partial"] as const)("understands a failure told by %s", async (oneFailure) => {
    const { provider, spec, clock } = await verdaBench({ switches: { oneFailure } });
    const { providerId } = await provider.launch(await spec("t-1"), context);
    clock.advance(1_500);
    await expect(provider.destroy(providerId, context)).rejects.toMatchObject({ fault: { kind: "unavailable" } });
  });

  test.each([
    // Somebody who says that it is gone of one that runs: the cloud's own view of it decides.
    [
      [{ action: "delete", instanceId: "ID", status: "error", error: "Can't discontinue a discontinued instance", statusCode: 400 }],
      "unavailable",
    ],
    [[{ action: "delete", instanceId: "ID", status: "error", error: "Invalid instance id", statusCode: "404" }], "unavailable"],
    [[{ action: "delete", instanceId: "ID", status: "success" }], "accepted"],
    [[{ action: "delete", instanceId: "ID", status: "error", error: "boom", statusCode: 500 }], "ambiguous"],
    [[{ action: "delete", instanceId: "ID", status: "error", error: "not today" }], "invalid-request"],
    [[{ action: "delete", instanceId: "ID", status: "error" }], "invalid-request"],
    [[{ action: "delete", instanceId: "somebody-else", status: "success" }], "protocol"],
    [[], "protocol"],
  ] as const)("207 %j is %s", async (rows, meaning) => {
    const { provider, running, fake } = await verdaBench();
    const { providerId } = await running("t-1");
    const body = rows.map((row) => ({ ...row, instanceId: row.instanceId.replace("ID", providerId) }));
    fake.server.disturb({ what: { do: "answer", answer: { status: 207, body } }, match: ({ method }) => method === "PUT" });
    const result = await provider.destroy(providerId, context).catch((error: unknown) => error);
    if (typeof result === "string") expect(result).toBe(meaning);
    else expect(result).toMatchObject({ fault: { kind: meaning } });
  });

  test.each(["status", "partial"] as const)("a machine that ended just before its delete is gone, told by %s", async (oneFailure) => {
    const { provider, running, fake } = await verdaBench({ switches: { oneFailure } });
    const { providerId } = await running("t-1");
    const ends = async () => {
      await fake.reclaim(providerId);
      return true;
    };
    let ended: Promise<boolean> | undefined;
    fake.server.disturb({
      what: { do: "reset-before" },
      match({ method }) {
        if (method === "PUT") ended ??= ends();
        return false;
      },
    });
    expect(await provider.destroy(providerId, context)).toBe("gone");
    expect(await ended).toBe(true);
  });

  test("a gateway that does not find the way to delete is no proof that a machine is gone", async () => {
    const { provider, running, fake } = await verdaBench();
    const { providerId } = await running("t-1");
    fake.server.disturb({
      what: { do: "answer", answer: { status: 404, body: "<html>no such page</html>" } },
      match: ({ method }) => method === "PUT",
    });
    await expect(provider.destroy(providerId, context)).rejects.toMatchObject({ fault: { kind: "unavailable" } });
    let asked = 0;
    fake.server.disturb({
      what: { do: "answer", answer: { status: 404, body: "<html>no such page</html>" } },
      // Nor does it find anything after the first look.
      match: ({ path }) => path.startsWith("/v1/instances") && ++asked > 1,
      times: 3,
    });
    await expect(provider.destroy(providerId, context)).rejects.toMatchObject({ fault: { kind: "unavailable" } });
    expect(fake.living()).toHaveLength(1);
    expect(await provider.destroy(providerId, context)).toBe("accepted");
  });

  test("204 means that there was nothing to do: not yet proof", async () => {
    const { provider, running, fake } = await verdaBench();
    const { providerId } = await running("t-1");
    fake.server.disturb({ what: { do: "answer", answer: { status: 204 } }, match: ({ method }) => method === "PUT" });
    expect(await provider.destroy(providerId, context)).toBe("accepted");
  });

  test("a reclaim comes without notice: gone from the list, known by its id, its root deleted and its data kept", async () => {
    const bench = await verdaBench();
    const { provider, running, fake } = bench;
    const data = await dataVolume(bench);
    const { providerId, notice } = await running("t-1", mounted(data));
    expect(notice).toBeNull();
    await fake.reclaim(providerId);
    expect(await provider.list(context)).toEqual([]);
    expect(await provider.get(providerId, context)).toMatchObject({ state: "gone", rawState: "discontinued", endedBy: null, token: "t-1" });
    expect(fake.volumes()).toMatchObject([{ providerId: data, attachedTo: null, inTrash: false }]);
    expect(await provider.destroy(providerId, context)).toBe("gone");
    expect(fake.scripts()).toEqual([]);
  });

  test.each([400, 404] as const)("an id that is not known, by HTTP %i, is gone only when the list says so too", async (invalidIdStatus) => {
    const { provider, running, fake } = await verdaBench({ switches: { invalidIdStatus } });
    const { providerId } = await running("t-1");
    expect(await provider.get("0c41f1e5-4a7e-4b06-9c3d-ffffffffffff", context)).toBeUndefined();
    fake.server.disturb({
      what: { do: "answer", answer: { status: invalidIdStatus, body: { code: "invalid_request", message: "Invalid instance id" } } },
      match: ({ path }) => path === `/v1/instances/${providerId}`,
    });
    expect(await provider.get(providerId, context)).toMatchObject({ providerId, state: "running" });
  });

  test("a server that knows no path at all proves nothing about a machine", async () => {
    const { provider, fake } = await verdaBench();
    fake.server.disturb({
      what: { do: "answer", answer: { status: 404, body: "<html>not here</html>" } },
      match: ({ path }) => path.startsWith("/v1/instances"),
      times: 10,
    });
    await expect(provider.get("0c41f1e5-4a7e-4b06-9c3d-ffffffffffff", context)).rejects.toMatchObject({ fault: { kind: "not-found" } });
  });

  test("a machine that is shut down is billed in full, and says so by its state", async () => {
    const { provider, running, fake } = await verdaBench();
    const { providerId } = await running("t-1");
    const [wire] = fake.living();
    expect(wire?.status).toBe("running");
    fake.switches.statusWord = "offline";
    expect(await provider.get(providerId, context)).toMatchObject({ state: "stopped", endedBy: null, reach: null });
  });
});
