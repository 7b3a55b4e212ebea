import { describe, expect, test } from "vitest";
import { moneyToDecimal } from "../../src/model/money.ts";
import type { VolumeOperations } from "../../src/providers/provider.ts";
import { context, type VerdaBench, verdaBench } from "./verda-bench.ts";

const SPEC = { name: "work", token: "t-disk", sizeGb: 100, region: "FIN-01", zone: "FIN-01" };

function operations({ provider }: VerdaBench): VolumeOperations {
  if (provider.volumes === undefined) throw new Error("no volumes");
  return provider.volumes;
}

describe("Verda's volumes", () => {
  test("are made with tags and told with their price", async () => {
    const bench = await verdaBench();
    const made = await operations(bench).create(SPEC, context);
    expect(bench.bodies("POST", "/volumes")).toEqual([
      {
        type: "NVMe",
        name: "work-t-disk",
        size: 100,
        location_code: "FIN-01",
        tags: [
          { key: "spot-token", value: "t-disk" },
          { key: "spot-name", value: "work" },
        ],
      },
    ]);
    expect(made).toMatchObject({ name: "work", token: "t-disk", sizeGb: 100, region: "FIN-01", attachedTo: null, device: null });
    // 0.2 a month for each of 100 GB, over 730 hours, rounded up to the fourth place.
    expect(made.pricePerHour === null ? null : moneyToDecimal(made.pricePerHour)).toBe("0.027400");
  });

  test("that cannot be looked at yet were made all the same", async () => {
    const bench = await verdaBench();
    bench.fake.server.disturb({
      what: { do: "answer", answer: { status: 500, body: "oops" } },
      match: ({ method, path }) => method === "GET" && path.startsWith("/v1/volumes/"),
      times: 3,
    });
    expect(await operations(bench).create(SPEC, context)).toMatchObject({ name: "work", token: "t-disk", pricePerHour: null });
  });

  test("are given at the launch, and seen as a device by the machine", async () => {
    const bench = await verdaBench();
    const { providerId: first } = await operations(bench).create(SPEC, context);
    const { providerId: second } = await operations(bench).create({ ...SPEC, name: "more", token: "t-more" }, context);
    const { providerId, rootVolumeId } = await bench.running("t-1", {
      volumes: [
        { providerVolumeId: first, mount: "/data" },
        { providerVolumeId: second, mount: "/more" },
      ],
    });
    const listed = await operations(bench).list(context);
    expect(listed.map(({ providerId: id, attachedTo, device }) => [id, attachedTo, device])).toEqual([
      [first, providerId, "/dev/vdb"],
      [second, providerId, "/dev/vdc"],
    ]);
    // The root is part of the machine.
    expect(listed.some((volume) => volume.providerId === rootVolumeId)).toBe(false);
    expect(operations(bench).attach).toBeUndefined();
    await expect(operations(bench).remove(first, context)).rejects.toMatchObject({ fault: { kind: "conflict" } });
    expect(bench.sent("PUT", "/volumes")).toEqual([]);
  });

  test.each(["put", "delete-body", "delete-query"] as const)(
    "are deleted for good where the server understands %s",
    async (permanentBy) => {
      const bench = await verdaBench({ switches: { permanentBy } });
      const { providerId } = await operations(bench).create(SPEC, context);
      await operations(bench).remove(providerId, context);
      expect(bench.fake.volumes()).toEqual([]);
      await operations(bench).remove(providerId, context);
      expect(await operations(bench).list(context)).toEqual([]);
    },
  );

  test("that stay in the trash whatever is asked are not said to be removed, until the trash is emptied", async () => {
    const bench = await verdaBench({ switches: { permanentBy: "nothing", tokenSeconds: 10 ** 7 } });
    const { providerId } = await operations(bench).create(SPEC, context);
    const failure = { fault: { kind: "unavailable" }, message: expect.stringContaining("trash") };
    await expect(operations(bench).remove(providerId, context)).rejects.toMatchObject(failure);
    await expect(operations(bench).remove(providerId, context)).rejects.toMatchObject(failure);
    expect(await operations(bench).list(context)).toEqual([]);
    bench.clock.advance(97 * 3_600_000);
    await operations(bench).remove(providerId, context);
    expect(bench.fake.volumes()).toEqual([]);
  });

  test("a gateway that does not find the way to delete is no proof that one is deleted", async () => {
    const bench = await verdaBench();
    const { providerId } = await operations(bench).create(SPEC, context);
    bench.fake.server.disturb({
      what: { do: "answer", answer: { status: 404, body: "<html>no such page</html>" } },
      match: ({ method }) => method === "PUT",
    });
    await expect(operations(bench).remove(providerId, context)).rejects.toMatchObject({ fault: { kind: "unavailable" } });
    expect(bench.fake.volumes()).toHaveLength(1);
    bench.fake.server.disturb({
      what: { do: "answer", answer: { status: 404, body: "<html>no such page</html>" } },
      match: ({ method, path }) => method === "GET" && path === `/v1/volumes/${providerId}`,
    });
    await operations(bench).remove(providerId, context);
    expect(bench.fake.volumes()).toEqual([]);
  });

  test("a removal whose answer was lost is ambiguous, and done by the next", async () => {
    const bench = await verdaBench();
    const { providerId } = await operations(bench).create(SPEC, context);
    bench.fake.server.disturb({ what: { do: "reset-after" }, match: ({ method }) => method === "PUT" });
    await expect(operations(bench).remove(providerId, context)).rejects.toMatchObject({ fault: { kind: "ambiguous" } });
    await operations(bench).remove(providerId, context);
    expect(bench.fake.volumes()).toEqual([]);
  });
});

describe("Verda's limits", () => {
  test.each(["seconds", "date"] as const)("are told in %s, and waited for by whoever asked", async (retryAfter) => {
    const { provider, clock } = await verdaBench({ switches: { limits: { project: 500, route: 60 }, retryAfter, tokenSeconds: 10_000 } });
    for (let count = 0; count < 60; count++) await provider.list(context);
    clock.advance(20_000);
    const failure = await provider.list(context).catch((error: unknown) => error);
    expect(failure).toMatchObject({ fault: { kind: "rate-limited" }, rawCode: "rate_limit_exceeded" });
    const { retryAfterMs } = (failure as { readonly fault: { readonly retryAfterMs: number } }).fault;
    expect(retryAfterMs).toBeGreaterThan(38_000);
    expect(retryAfterMs).toBeLessThanOrEqual(40_000);
    clock.advance(41_000);
    expect(await provider.list(context)).toEqual([]);
  });

  test("one life stays far below them", async () => {
    const bench = await verdaBench({ switches: { limits: { project: 30, route: 12 }, tokenSeconds: 10_000 } });
    const { providerId: volume } = await operations(bench).create(SPEC, context);
    const { providerId } = await bench.running("t-1", { volumes: [{ providerVolumeId: volume, mount: "/data" }] });
    await bench.provider.destroy(providerId, context);
    bench.clock.advance(61_000);
    await operations(bench).remove(volume, context);
    expect(bench.fake.volumes()).toEqual([]);
  });
});
