import { expect, test } from "vitest";
import { parsed } from "../../src/providers/cloud-http.ts";
import { instanceOf } from "../../src/providers/ppio/instance-view.ts";
import { instanceSchema } from "../../src/providers/ppio/wire.ts";
import type { ProviderInstance } from "../../src/providers/provider.ts";
import { MINUTE_MS, ppioBench } from "../clouds/ppio/bench.ts";

const SEEN_AT = Date.UTC(2026, 10, 2, 8);
const AT_SECONDS = SEEN_AT / 1000 + 600;

/** One row as the wire has it, seen by a clock that is a second behind the server's. */
function seen(row: Readonly<Record<string, unknown>>): ProviderInstance {
  const answer = { status: 200, headers: {}, text: JSON.stringify({ id: "a1", ...row }), asked: "GET /x", effect: "read" as const };
  const memory = { prices: new Map(), made: new Map(), noticed: new Map(), names: new Map() };
  return instanceOf(parsed("ppio", instanceSchema, answer), { vendor: "ppio", seenAt: SEEN_AT, ours: (ms) => ms - 1000, memory });
}

test("an id alone is enough for an instance of which nothing is known", () => {
  expect(seen({})).toMatchObject({
    providerId: "a1",
    state: "unknown",
    rawState: "",
    token: null,
    notice: null,
    reach: null,
    volumeIds: [],
  });
  const nothing = { name: null, gpuNum: null, volumeMounts: null, portMappings: null, statusError: null, connectComponentSSH: null };
  expect(seen({ ...nothing, spotReclaimTime: null, createdAt: null })).toMatchObject({ state: "unknown", notice: null, createdAt: null });
});

test("an instance without an id is no instance", () => {
  for (const id of [undefined, null, "", {}]) expect(() => seen({ id })).toThrow(expect.objectContaining({ fault: { kind: "protocol" } }));
});

test.each([
  ["toCreate", "provisioning"],
  ["pulling", "provisioning"],
  ["toStart", "provisioning"],
  ["resetting", "provisioning"],
  ["migrating", "provisioning"],
  ["running", "running"],
  ["toStop", "stopping"],
  ["freezing", "stopping"],
  ["exited", "stopped"],
  ["toRemove", "terminating"],
  ["removed", "gone"],
  ["toString", "unknown"],
])("%s is %s", (status, state) => {
  expect(seen({ status }).state).toBe(state);
});

test.each([String(AT_SECONDS), AT_SECONDS, AT_SECONDS * 1000, new Date(AT_SECONDS * 1000).toISOString()])(
  "the moment %j of a reclaim, in seconds, milliseconds or as a date, is its deadline by our clock",
  (spotReclaimTime) => {
    const { notice, state } = seen({ status: "running", billingMode: "spot", spotStatus: "notified", spotReclaimTime });
    expect([state, notice?.deadline]).toEqual(["reclaiming", AT_SECONDS * 1000 - 1000]);
  },
);

test.each(["0", 0, "", "-1", null, "soon"])("the moment %j is none", (spotReclaimTime) => {
  expect(seen({ status: "running", spotStatus: "running", spotReclaimTime })).toMatchObject({ state: "running", notice: null });
  expect(seen({ status: "exited", spotStatus: "running", spotReclaimTime })).toMatchObject({ state: "stopped", endedBy: null });
});

test("one that runs again after a reclaim that was called off has no notice", () => {
  expect(seen({ status: "running", spotStatus: "running", spotReclaimTime: String(AT_SECONDS) }).notice).toBeNull();
});

test("a reclaim that removes is a removal, and nothing is told of what has ended", () => {
  expect(seen({ status: "removing", spotStatus: "terminated" })).toMatchObject({ state: "terminating", notice: null });
  expect(seen({ status: "removed", spotStatus: "reclaiming", spotReclaimTime: AT_SECONDS })).toMatchObject({ state: "gone", notice: null });
});

test("local disks are no volumes of ours, and ids are safe in a command line", () => {
  const mounts = [{ type: "local", id: "l" }, { type: "network", id: "ns-1", size: "10" }, "nonsense"];
  const ssh = { sshCommand: "ssh -p 2000 root@proxy.example", password: "pw", isRunning: true };
  const found = seen({ id: "a b;c", status: "running", volumeMounts: mounts, connectComponentSSH: ssh });
  expect(found.volumeIds).toEqual(["ns-1"]);
  expect(found.reach).toMatchObject({ alias: "ppio-a_b_c", password: "pw" });
});

test("a disk that is kept until a told moment is kept until then", () => {
  const until = seen({ status: "exited", releaseDataAt: String(AT_SECONDS), lastStoppedAt: "1", keepDataDay: 3 }).dataKeptUntil;
  expect(until).toBe(AT_SECONDS * 1000 - 1000);
  expect(seen({ status: "running", releaseDataAt: String(AT_SECONDS) }).dataKeptUntil).toBeNull();
});

test("where no page tells when one was made, the protection counts from our asking", async () => {
  const { provider, context, running, fresh } = await ppioBench({ timesTold: "nowhere" });
  const { providerId, protectedUntil } = await running();
  expect(protectedUntil).not.toBeNull();
  expect((await provider.get(providerId, context))?.protectedUntil).toBe(protectedUntil);
  expect((await (await fresh()).get(providerId, context))?.protectedUntil).toBeNull();
});

test("ports are reached where the details say, once they say so", async () => {
  const { provider, context, clock, running } = await ppioBench({ sshAfterMs: 5 * MINUTE_MS });
  const { providerId } = await running({
    ports: [
      { port: 8080, protocol: "http" },
      { port: 6006, protocol: "tcp" },
    ],
  });
  expect((await provider.get(providerId, context))?.endpoints).toEqual([]);
  clock.advance(5 * MINUTE_MS);
  expect((await provider.get(providerId, context))?.endpoints).toEqual([
    { port: 8080, address: `https://${providerId}-8080.27.gpu-instance.example` },
    { port: 6006, address: "proxy.27.gpu-instance.example:46006" },
  ]);
});

test("the row is believed before the details, which were asked first", async () => {
  const { cloud, provider, context, clock, running } = await ppioBench({ reclaimedAs: "exited" });
  const { providerId } = await running();
  cloud.reclaim(providerId, 60);
  clock.advance(2 * MINUTE_MS);
  const body = { id: providerId, name: "train-t-abc123", status: "running", billingMode: "spot" };
  cloud.server.disturb({ what: { do: "answer", answer: { status: 200, body } }, match: ({ path }) => path.endsWith("/gpu/instance") });
  expect(await provider.get(providerId, context)).toMatchObject({ state: "stopped", endedBy: "provider" });
});

test("deadlines are told by our clock when the cloud's is an hour ahead", async () => {
  const { cloud, provider, context, clock, running } = await ppioBench();
  cloud.skewClock(60 * MINUTE_MS);
  const { providerId } = await running();
  cloud.reclaim(providerId, 600);
  const found = await provider.get(providerId, context);
  expect(Math.abs((found?.notice?.deadline ?? 0) - clock.now() - 600_000)).toBeLessThanOrEqual(2000);
  const limited = { status: 429, headers: { "retry-after": new Date(clock.now() + 61 * MINUTE_MS).toUTCString() } };
  cloud.server.disturb({ what: { do: "answer", answer: limited } });
  const failure = await provider.list(context).catch((error: unknown) => error);
  expect(failure).toMatchObject({ fault: { kind: "rate-limited", retryAfterMs: expect.closeTo(MINUTE_MS, -4) } });
});
