import { expect, test } from "vitest";
import { ProviderError } from "../../src/providers/errors.ts";
import { refusalWords } from "../../src/providers/ppio/codes.ts";
import { everyRow, type Page, type PagedList } from "../../src/providers/ppio/pages.ts";
import { sshAddress } from "../../src/providers/ppio/ssh-address.ts";
import { MINUTE_MS, ppioBench } from "../clouds/ppio/bench.ts";
import type { RefusalShape } from "../clouds/ppio/settings.ts";

test("numbers are read from strings, and from numbers", async () => {
  for (const pricesAs of ["string", "number"] as const) {
    const { provider, context, running } = await ppioBench({ pricesAs });
    const [offer] = (await provider.offers({ gpuModel: "RTX4090", gpuCount: 2 }, context)).filter(({ billing }) => billing === "spot");
    expect(offer).toMatchObject({ gpu: { model: "RTX4090", count: 2, vramGb: 24 }, vcpus: 32, memoryGb: 124 });
    expect(offer?.price).toEqual({ micros: 1_980_000n, currency: "CNY" });
    if (offer === undefined) throw new Error("not offered");
    const { providerId } = await running({ offer });
    const same = { gpu: { model: "RTX4090", count: 2 }, type: "4090.16c62g:2" };
    expect(await provider.get(providerId, context)).toMatchObject(same);
    expect(await provider.list(context)).toMatchObject([same]);
  }
});

test("an empty body is a success where nothing has to be read from it", async () => {
  const { cloud, provider, context, clock, running, offer } = await ppioBench({ emptyBodies: true });
  const { providerId } = await running();
  expect(await provider.destroy(providerId, context)).toBe("accepted");
  clock.advance(MINUTE_MS);
  await cloud.settle();
  expect(cloud.living()).toEqual([]);
  const { region } = await offer();
  const volume = await provider.volumes?.create({ name: "data", token: "t-vol", sizeGb: 20, region, zone: region }, context);
  await provider.volumes?.remove(volume?.providerId ?? "", context);
  expect(cloud.volumes()).toEqual([]);
});

test("a create that is answered with nothing may have been done: its token is looked for", async () => {
  const { cloud, provider, context, spec } = await ppioBench();
  const launch = await spec();
  // Done, and answered without a body.
  cloud.server.disturb({ what: { do: "cut-json" }, match: ({ path }) => path.endsWith("/create") });
  await expect(provider.launch(launch, context)).rejects.toMatchObject({ fault: { kind: "ambiguous" } });
  expect(await provider.list(context)).toMatchObject([{ name: "train", token: "t-abc123" }]);
  cloud.server.disturb({ what: { do: "answer", answer: { status: 200 } }, match: ({ path }) => path.endsWith("/create") });
  await expect(provider.launch(launch, context)).rejects.toMatchObject({ fault: { kind: "ambiguous" } });
});

test.each(["full", "message", "error", "text"] as const)(
  "reasons are understood in an error body of the shape %s, in both languages",
  async (refusals: RefusalShape) => {
    for (const vendor of ["ppio", "novita"] as const) {
      const { cloud, provider, context, spec } = await ppioBench({ refusals, vendor });
      const launch = await spec();
      expect(await provider.get("nobody", context)).toBeUndefined();
      expect(await provider.destroy("nobody", context)).toBe("gone");
      cloud.setStock("4090.16c62g:1", 0);
      await expect(provider.launch(launch, context)).rejects.toMatchObject({ fault: { kind: "no-capacity", scope: "offer" } });
      cloud.setStock("4090.16c62g:1", 1);
      cloud.set({ balanceUsedUp: true });
      await expect(provider.launch(launch, context)).rejects.toMatchObject({ fault: { kind: "quota" }, rawCode: "BALANCE_NOT_ENOUGH" });
      cloud.set({ balanceUsedUp: false, instanceLimit: 0 });
      await expect(provider.launch(launch, context)).rejects.toMatchObject({ fault: { kind: "quota" }, rawCode: "CREATE_INSTANCE_LIMIT" });
      expect(cloud.living()).toEqual([]);
    }
  },
);

test.each([400, 404] as const)(
  "a refusal without a word, by %i, and an instance is gone when the list says so too",
  async (notFoundStatus) => {
    const { cloud, provider, context, spec } = await ppioBench({ refusals: "empty", notFoundStatus });
    const launch = await spec();
    expect(await provider.get("nobody", context)).toBeUndefined();
    expect(await provider.destroy("nobody", context)).toBe("gone");
    await provider.volumes?.remove("nothing", context);
    cloud.setStock("4090.16c62g:1", 0);
    await expect(provider.launch(launch, context)).rejects.toMatchObject({ fault: { kind: "invalid-request" } });
  },
);

test.each([
  ['{"code":400,"reason":"INSUFFICIENT_RESOURCE","message":"x","metadata":{}}', "INSUFFICIENT_RESOURCE"],
  ['{"reason":"MIGRATE_INSUFFICIENT_RESOURCE"}', "MIGRATE_INSUFFICIENT_RESOURCE"],
  ['{"error":"RESOURCE_NOT_FOUND"}', "RESOURCE_NOT_FOUND"],
  ['{"error":{"message":"insufficient resource"}}', "INSUFFICIENT_RESOURCE"],
  ['{"message":"cannot start: invalid state change"}', "INVALID_STATE_CHANGE"],
  ['{"code":"SOME_NEW_REASON","message":"what is this"}', "SOME_NEW_REASON"],
  ['{"message":"expired or balance not enough"}', "EXPIRED_OR_BALANCE_NOT_ENOUGH"],
  ["资源不足", "INSUFFICIENT_RESOURCE"],
  ["<html>", null],
  ["", null],
])("%s says %s", (text, reason) => {
  expect(refusalWords({ text }).reason).toBe(reason);
});

test("a reason of a 5xx does not make a change certain", async () => {
  const { cloud, provider, context, running } = await ppioBench();
  const { providerId } = await running();
  const broken = { status: 500, body: { reason: "CONFLICT" } };
  cloud.server.disturb({ what: { do: "answer", answer: broken }, match: ({ path }) => path.endsWith("/delete") });
  await expect(provider.destroy(providerId, context)).rejects.toMatchObject({ fault: { kind: "ambiguous" } });
});

test.each([
  [
    "ssh -p 51039 root@proxy.cn-south-nas-1.gpu-instance.ppinfra.com",
    { host: "proxy.cn-south-nas-1.gpu-instance.ppinfra.com", port: 51039, user: "root" },
  ],
  ["ssh root@10.0.0.7 -p 22022", { host: "10.0.0.7", port: 22022, user: "root" }],
  ["ssh -p2200 u@h", { host: "h", port: 2200, user: "u" }],
  ["ssh root@h", { host: "h", port: 22, user: "root" }],
  ["", null],
  ["ssh -p 0 root@h", null],
  ["ssh -p 99999 root@h", null],
  ["ssh -oProxyCommand=evil root@-oProxyCommand=evil", null],
  ["ssh -p 22 root@h;reboot", null],
])("the way in of %j", (command, address) => {
  expect(sshAddress(command)).toEqual(address);
});

const pagesOf = (sent: readonly Readonly<Record<string, unknown>>[]) => sent.map(({ pageNum }) => pageNum);
const ids = (count: number) => Array.from({ length: count }, (_, at) => `i-${at}`);

test.each([true, false])("whether pages count from 0 or from 1 is found out, and kept in mind; total told: %s", async (totalTold) => {
  const { cloud, provider, context, sent } = await ppioBench({ firstPage: 0, totalTold });
  expect(await provider.list(context)).toEqual([]);
  for (const name of ids(250)) cloud.addStranger(name);
  expect((await provider.list(context)).map(({ name }) => name).toSorted()).toEqual(ids(250).toSorted());
  const asked = sent("/gpu/instances").length;
  expect(await provider.list(context)).toHaveLength(250);
  expect(pagesOf(sent("/gpu/instances").slice(asked))).toEqual(totalTold ? ["0", "1", "2"] : ["0", "1", "2", "3", "0", "1", "2", "3"]);
});

test("where a total is told, nothing more is asked than there are pages; an empty account is one question", async () => {
  const { cloud, provider, context, sent } = await ppioBench({ totalTold: true });
  expect(await provider.list(context)).toEqual([]);
  expect(sent("/gpu/instances")).toHaveLength(1);
  for (const name of ids(250)) cloud.addStranger(name);
  await provider.list(context);
  expect(pagesOf(sent("/gpu/instances").slice(1))).toEqual(["1", "2", "3"]);
});

test("where no total is told, more than a page is read to its empty page twice, one page once; page 0 is looked at once", async () => {
  const { cloud, provider, context, sent } = await ppioBench({ totalTold: false });
  const walk = ["1", "2", "3", "4"];
  for (const name of ids(90)) cloud.addStranger(name);
  expect(await provider.list(context)).toHaveLength(90);
  expect(pagesOf(sent("/gpu/instances"))).toEqual(["1", "2", "0"]);
  for (const name of ids(160)) cloud.addStranger(`more-${name}`);
  expect(await provider.list(context)).toHaveLength(250);
  expect(pagesOf(sent("/gpu/instances").slice(3))).toEqual([...walk, ...walk]);
});

test("one instance is looked for no further than it is found", async () => {
  const { cloud, provider, context, running, sent } = await ppioBench({ totalTold: false });
  for (const name of ids(250)) cloud.addStranger(name);
  const { providerId } = await running();
  await provider.get(providerId, context);
  expect(pagesOf(sent("/gpu/instances"))).toEqual(["1"]);
});

test("a cloud whose pages are smaller than was asked for loses nothing", async () => {
  const { cloud, provider, context } = await ppioBench({ largestPage: 30, totalTold: true });
  for (const name of ids(250)) cloud.addStranger(name);
  expect(await provider.list(context)).toHaveLength(250);
});

test.each([true, false])(
  "an instance that moves between pages while they are read is neither lost nor shown twice; total told: %s",
  async (totalTold) => {
    const { cloud, provider, context } = await ppioBench({ itemsMove: true, totalTold });
    for (const name of ids(250)) cloud.addStranger(name);
    expect((await provider.list(context)).map(({ name }) => name).toSorted()).toEqual(ids(250).toSorted());
  },
);

const paged = (page: (page: number) => Page<string>): PagedList<string> => ({
  provider: "x",
  first: { page: 1, isSure: false },
  idOf: (id) => id,
  fetch: async (number) => page(number),
});

test("a list whose every page is the same ends", async () => {
  const rows = ids(100);
  expect(await everyRow(paged(() => ({ rows, total: 500 })))).toEqual(rows);
  expect(await everyRow(paged(() => ({ rows, total: null })))).toEqual(rows);
});

test("page 0 may be refused, or show what has moved in meanwhile: then pages count from 1", async () => {
  const counted = (page: number): Page<string> => {
    if (page === 0) throw new ProviderError("x", { kind: "invalid-request" }, "pageNum");
    return { rows: ids(150).slice((page - 1) * 100, page * 100), total: null };
  };
  const refusing = paged(counted);
  expect(await everyRow(refusing)).toHaveLength(150);
  expect(refusing.first).toEqual({ page: 1, isSure: true });
  const moving = paged((page) => ({ rows: page === 0 ? ["new", ...ids(99)] : ids(150).slice((page - 1) * 100, page * 100), total: 151 }));
  expect(await everyRow(moving)).toHaveLength(151);
  expect(moving.first.page).toBe(1);
});

test("a list of nothing may come as null", async () => {
  const { cloud, provider, context } = await ppioBench();
  const nothing = { status: 200, body: { data: null, instances: null } };
  cloud.server.disturb({ what: { do: "answer", answer: nothing }, times: 100 });
  expect(await provider.offers({}, context)).toEqual([]);
  expect(await provider.list(context)).toEqual([]);
  expect(await provider.volumes?.list(context)).toEqual([]);
});

test("a total of nothing beside rows is no total", async () => {
  expect(await everyRow(paged((page) => ({ rows: ids(250).slice((page - 1) * 100, page * 100), total: 0 })))).toHaveLength(250);
});

test("a list without an end is a fault", async () => {
  let made = 0;
  await expect(everyRow(paged(() => ({ rows: [`i-${made++}`], total: null })))).rejects.toMatchObject({ fault: { kind: "protocol" } });
});
