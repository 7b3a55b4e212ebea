import { describe, expect, test } from "vitest";
import { moneyToDecimal } from "../../src/model/money.ts";
import { context, verdaBench } from "./verda-bench.ts";

const listing = ({ method, path }: { readonly method: string; readonly path: string }) => method === "GET" && path === "/v1/instances";

describe("Verda's instances", () => {
  test("tell their price only where there is no doubt how many GPUs it is of", async () => {
    const { provider, running, offer } = await verdaBench();
    await running("t-one");
    await running("t-eight", { offer: await offer("8A100.176V") });
    const prices = (await provider.list(context)).map(({ gpu, price }) => [gpu.count, price === null ? null : moneyToDecimal(price)]);
    expect(prices).toEqual([
      [1, "0.644500"],
      [8, null],
    ]);
  });

  test.each([
    ["new", "provisioning"],
    ["ordered", "provisioning"],
    ["provisioning", "provisioning"],
    ["validating", "provisioning"],
    ["pending", "provisioning"],
    ["restoring", "provisioning"],
    ["running", "running"],
    ["starting_hibernation", "stopping"],
    ["hibernating", "stopping"],
    ["deleting", "terminating"],
    ["offline", "stopped"],
    ["discontinued", "gone"],
    ["notfound", "gone"],
    ["not_found", "gone"],
    ["error", "failed"],
    ["installation_failed", "failed"],
    ["no_capacity", "failed"],
    ["unknown", "unknown"],
    ["constructor", "unknown"],
    ["dreaming", "unknown"],
  ])("that are %s are %s", async (status, state) => {
    const { provider, running, fake } = await verdaBench();
    const { providerId } = await running("t-1");
    fake.switches.statusWord = status;
    expect(await provider.get(providerId, context)).toMatchObject({ state, rawState: status, token: "t-1" });
  });

  test("are shown with whatever an odd row says, as long as it has an id", async () => {
    const { provider, fake } = await verdaBench();
    const rows = [
      { id: "a" },
      { id: "b", status: 7, gpu: "none", tags: "none", volume_ids: null, price_per_hour: true, created_at: "yesterday", is_spot: "yes" },
      { id: "c", status: "running", hostname: "job-t-abc", ip: "[2a01::7]:2222", created_at: "2026-05-01T00:00:00Z", is_spot: true },
    ];
    fake.server.disturb({ what: { do: "answer", answer: { status: 200, body: rows } }, match: listing });
    expect(await provider.list(context)).toMatchObject([
      { providerId: "a", state: "unknown", token: null, reach: null },
      { providerId: "b", state: "unknown", token: null, price: null, createdAt: null, volumeIds: [] },
      {
        providerId: "c",
        name: "job",
        token: "t-abc",
        reach: { kind: "ssh", host: "2a01::7", port: 2222, user: "root", alias: "verda-c" },
        createdAt: Date.UTC(2026, 4, 1),
        billing: "spot",
      },
    ]);
    fake.server.disturb({ what: { do: "answer", answer: { status: 200, body: [...rows, { status: "running" }] } }, match: listing });
    await expect(provider.list(context)).rejects.toMatchObject({ fault: { kind: "protocol" } });
  });

  test("tell the time of a server whose clock is wrong in ours", async () => {
    const { provider, running, fake, clock } = await verdaBench();
    fake.switches.skewMs = 2 * 3_600_000;
    const before = clock.now();
    const { createdAt } = await running("t-1");
    expect(Math.abs((createdAt ?? 0) - before)).toBeLessThan(600_000);
    expect((await provider.list(context))[0]?.createdAt).toBe(createdAt);
  });

  test("have the ports that were asked for at their public address, once they run", async () => {
    const { provider, spec, clock } = await verdaBench();
    const ports = [
      { port: 8080, protocol: "http" as const },
      { port: 6006, protocol: "tcp" as const },
    ];
    const { providerId } = await provider.launch(await spec("t-1", { ports }), context);
    expect((await provider.get(providerId, context))?.endpoints).toEqual([]);
    clock.advance(60_000);
    const running = await provider.get(providerId, context);
    const host = running?.reach?.kind === "ssh" ? running.reach.host : "";
    expect(running?.endpoints).toEqual([
      { port: 8080, address: `${host}:8080` },
      { port: 6006, address: `${host}:6006` },
    ]);
  });

  test("are reached as whoever the person says", async () => {
    const { running } = await verdaBench({ env: { VERDA_SSH_USER: "ubuntu" } });
    expect((await running("t-1")).reach).toMatchObject({ kind: "ssh", port: 22, user: "ubuntu" });
  });
});
