import { expect, onTestFinished, test } from "vitest";
import { handClock } from "../../local-cloud/hand-clock.ts";
import { DAY_MS, HOUR_MS } from "./bench.ts";
import { fakePpio } from "./fake.ts";
import type { PpioSettings } from "./settings.ts";

/** The imitation as a bare client sees it, without our adapter between. */
async function bareCloud(settings: Partial<PpioSettings> = {}) {
  const clock = handClock(Date.UTC(2026, 10, 2, 8));
  const cloud = await fakePpio({ clock, ...settings });
  onTestFinished(() => cloud.close());
  const ask = async (method: "GET" | "POST", path: string, body?: unknown, key: string | null = cloud.credential) => {
    const answer = await fetch(`${cloud.url}/gpu-instance/openapi/v1${path}`, {
      method,
      headers: { ...(key === null ? {} : { authorization: `Bearer ${key}` }), "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    // biome-ignore lint/suspicious/noExplicitAny: answers of many shapes; a wrong path fails the assertion.
    return { status: answer.status, text, json: (text.startsWith("{") ? JSON.parse(text) : undefined) as any };
  };
  const order = { name: "one", productId: "4090.16c62g", gpuNum: 1, rootfsSize: 60, imageUrl: "i", kind: "gpu", billingMode: "spot" };
  const create = async (change: Readonly<Record<string, unknown>> = {}): Promise<string> =>
    (await ask("POST", "/gpu/instance/create", { ...order, ...change })).json.id;
  const verb = (name: string, instanceId: string) => ask("POST", `/gpu/instance/${name}`, { instanceId });
  const status = async (id: string) => (await ask("GET", `/gpu/instance?instanceId=${id}`)).json?.status;
  return { clock, cloud, ask, order, create, verb, status };
}

test("whoever has no key, or another one, is refused", async () => {
  const { ask } = await bareCloud();
  for (const key of [null, "another"])
    expect(await ask("GET", "/clusters", undefined, key)).toMatchObject({ status: 401, json: { reason: "UNAUTHORIZED" } });
});

test("an instance passes through its statuses, and is billed from pulling on", async () => {
  const { clock, cloud, create, status } = await bareCloud({ pullingMs: 10 * 60_000 });
  const id = await create();
  expect(await status(id)).toBe("toCreate");
  clock.advance(10);
  expect(await status(id)).toBe("creating");
  expect(cloud.bills(id)).toEqual([]);
  clock.advance(10);
  expect(await status(id)).toBe("pulling");
  clock.advance(10 * 60_000);
  expect(await status(id)).toBe("running");
  expect(cloud.bills(id)).toEqual([{ kind: "gpu", from: clock.now() - 10 * 60_000, to: null }]);
});

test("stop, start and delete pass through theirs; a purged disk starts no more, and what is deleted costs nothing", async () => {
  const { clock, cloud, create, verb, status } = await bareCloud({ keepDataDays: 7 });
  const id = await create();
  clock.advance(1000);
  await verb("stop", id);
  expect(await status(id)).toBe("toStop");
  clock.advance(10);
  expect(await status(id)).toBe("stopping");
  clock.advance(10);
  expect(await status(id)).toBe("exited");
  expect(cloud.bills(id).map(({ kind }) => kind)).toEqual(["gpu", "disk"]);
  expect((await verb("start", id)).status).toBe(200);
  expect(await status(id)).toBe("toStart");
  clock.advance(1000);
  expect(await status(id)).toBe("running");
  await verb("stop", id);
  clock.advance(8 * DAY_MS);
  expect(await verb("start", id)).toMatchObject({ status: 400, json: { reason: "INSUFFICIENT_RESOURCE" } });
  await verb("delete", id);
  expect(await status(id)).toBe("toRemove");
  clock.advance(1000);
  expect(await status(id)).toBeUndefined();
  expect(cloud.bills(id).map(({ from, to }) => Math.round(((to ?? Number.POSITIVE_INFINITY) - from) / DAY_MS))).toEqual([0, 0, 0, 7]);
});

test("a start that is refused as an invalid state change happens all the same", async () => {
  const { clock, cloud, create, verb, status } = await bareCloud({ startSaysState: true });
  const id = await create();
  clock.advance(1000);
  await verb("stop", id);
  clock.advance(1000);
  cloud.set({ startRace: true });
  expect(await verb("start", id)).toMatchObject({ status: 400, json: { message: "invalid state change" } });
  clock.advance(1000);
  expect(await status(id)).toBe("running");
  await verb("stop", id);
  clock.advance(1000);
  cloud.set({ startRace: false });
  expect(await verb("start", id)).toMatchObject({ json: { instanceId: id, state: "toStart" } });
});

test("lists want both numbers of their page; names are searched fuzzily, and need not be unique", async () => {
  const { ask, create } = await bareCloud({ vendor: "novita" });
  for (const name of ["train-1", "train-1", "other"]) await create({ name });
  for (const query of ["", "?pageSize=10", "?pageNum=1", "?pageSize=x&pageNum=1"])
    expect(await ask("GET", `/gpu/instances${query}`)).toMatchObject({ status: 400, json: { reason: "VALIDATOR_PARAM" } });
  const { json } = await ask("GET", "/gpu/instances?pageSize=10&pageNum=1&name=ain");
  expect([json.total, json.instances.length]).toEqual([2, 2]);
  expect(json.instances[0]).toMatchObject({
    gpuNum: "1",
    cpuNum: "16",
    memory: "62",
    endTime: "-1",
    spotStatus: "running",
    spotReclaimTime: "0",
  });
});

test("the fields of a reclaim are in the list alone, and no notice comes within the protection", async () => {
  const { clock, cloud, ask, create } = await bareCloud({ protectionMs: HOUR_MS });
  const id = await create();
  const row = async () => (await ask("GET", "/gpu/instances?pageSize=10&pageNum=1")).json.instances[0];
  clock.advance(1000);
  cloud.reclaim(id, 3600);
  expect(await row()).toMatchObject({ spotStatus: "running", spotReclaimTime: "0" });
  clock.advance(HOUR_MS);
  expect(await row()).toMatchObject({ spotStatus: "notified", spotReclaimTime: String((Date.UTC(2026, 10, 2, 8) + 2 * HOUR_MS) / 1000) });
  const { json } = await ask("GET", `/gpu/instance?instanceId=${id}`);
  expect(Object.keys(json).filter((field) => field.startsWith("spot"))).toEqual([]);
  clock.advance(HOUR_MS - 1000);
  expect(await row()).toMatchObject({ spotStatus: "reclaiming" });
  clock.advance(1000);
  expect(await row()).toBeUndefined();
});

test.each([
  [{ month: 1 }, undefined, "PREPAID_INSTANCE_NOT_SUPPORT_RELEASE"],
  [{ rootfsSize: 5 }, "VALIDATOR_PARAM", undefined],
  [{ gpuNum: "1" }, "VALIDATOR_PARAM", undefined],
  [{ gpuNum: 9 }, "VALIDATOR_PARAM", undefined],
  [{ ports: "2222/tcp" }, "VALIDATOR_PARAM", undefined],
  [{ ports: [{ port: 80 }] }, "VALIDATOR_PARAM", undefined],
  [{ command: "x".repeat(2048) }, "VALIDATOR_PARAM", undefined],
  [{ networkStorages: [{ id: "ns-1" }] }, "VALIDATOR_PARAM", undefined],
  [{ networkStorages: [{ Id: "ns-1" }] }, "NETWORK_STORAGE_NOT_FOUND", undefined],
  [{ imageAuthId: "nobody" }, "RESOURCE_NOT_FOUND", undefined],
  [{ productId: "A6000.8c48g", rootfsSize: 40 }, "UNSUPPORTED_BILLING_MODE", undefined],
  [{ clusterId: "nowhere" }, "VALIDATOR_PARAM", undefined],
  [{ clusterId: "cn-east-2", productId: "L40S.22c125g", rootfsSize: 80 }, "INSUFFICIENT_RESOURCE", undefined],
])("a create with %j: %s", async (change, refusal, ofDelete) => {
  const { clock, ask, order, verb, cloud } = await bareCloud();
  const answer = await ask("POST", "/gpu/instance/create", { ...order, ...change });
  expect(answer.json.reason).toBe(refusal);
  expect(cloud.living()).toHaveLength(refusal === undefined ? 1 : 0);
  if (ofDelete === undefined) return;
  clock.advance(1000);
  expect((await verb("delete", answer.json.id)).json.reason).toBe(ofDelete);
});

test("stock is counted for each cluster, given back at the end, and an empty cluster is any cluster", async () => {
  const { clock, cloud, ask, order, create, verb } = await bareCloud();
  cloud.setStock("4090.16c62g:1", 0);
  cloud.setStock("4090.16c62g:1", 1, "cn-east-2");
  const id = await create();
  expect((await ask("GET", `/gpu/instance?instanceId=${id}`)).json.clusterId).toBe("cn-east-2");
  expect((await ask("POST", "/gpu/instance/create", { ...order, clusterId: "cn-east-2" })).json.reason).toBe("INSUFFICIENT_RESOURCE");
  clock.advance(1000);
  await verb("delete", id);
  clock.advance(1000);
  await create({ clusterId: "cn-east-2" });
  cloud.set({ instanceLimit: 1 });
  expect((await ask("POST", "/gpu/instance/create", order)).json.reason).toBe("CREATE_INSTANCE_LIMIT");
});

test("a storage is mounted by more than one, and is deleted only when by none", async () => {
  const { clock, ask, create, verb } = await bareCloud();
  const made = await ask("POST", "/networkstorage/create", { clusterId: "27", storageName: "data", storageSize: 10 });
  expect(made.text).toBe('"ns-1"');
  const networkStorages = [{ Id: "ns-1", mountPoint: "/data" }];
  const [one, two] = [await create({ networkStorages, clusterId: "27" }), await create({ networkStorages, clusterId: "27" })];
  clock.advance(1000);
  expect((await ask("POST", "/networkstorage/delete", { storageId: "ns-1" })).json.reason).toBe("NETWORK_STORAGE_IN_USE");
  await verb("delete", one);
  await verb("delete", two);
  clock.advance(1000);
  expect((await ask("POST", "/networkstorage/delete", { storageId: "ns-1" })).status).toBe(200);
  expect((await ask("GET", "/networkstorages/list?pageSize=10&pageNo=1")).json).toMatchObject({ data: [], total: 0 });
});
