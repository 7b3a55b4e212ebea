import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type SteppedClock, steppedClock } from "./clock.ts";
import { discovery } from "./discovery.ts";
import { type FakeGcp, fakeGcp } from "./fake.ts";
import { type Requests, requestsTo, SPOT, spotVm, ZONE } from "./requests.ts";

const document = discovery();
let clock: SteppedClock;
let cloud: FakeGcp;
let to: Requests;

beforeEach(async () => {
  clock = steppedClock();
  cloud = await fakeGcp({ clock, ...(document === undefined ? {} : { document }) });
  to = requestsTo(cloud);
});

afterEach(async () => {
  const { complaints } = cloud;
  await cloud.close();
  expect(complaints).toEqual([]);
});

const VMS = `zones/${ZONE}/instances`;
const id = (name: string) => `${ZONE}/${name}`;
const reason = ({ body }: { readonly body: { readonly error: { readonly errors: readonly { readonly reason: string }[] } } }) =>
  body.error.errors[0]?.reason;

describe("a change", () => {
  test("is an operation: PENDING, RUNNING, DONE; the machine passes through its states meanwhile", async () => {
    const begun = await to.post(VMS, spotVm("vm1"));
    expect(begun).toMatchObject({
      status: 200,
      body: { kind: "compute#operation", operationType: "insert", status: "PENDING", progress: 0 },
    });
    expect(begun.body.targetLink).toBe(`${cloud.url}/compute/v1/projects/${cloud.project}/${VMS}/vm1`);
    const operation = `zones/${ZONE}/operations/${begun.body.name}`;
    clock.pass(5);
    expect((await to.get(operation)).body).toMatchObject({ status: "RUNNING" });
    expect((await to.get(`${VMS}/vm1`)).body).toMatchObject({ status: "PROVISIONING" });
    clock.pass(10);
    expect((await to.get(`${VMS}/vm1`)).body).toMatchObject({ status: "STAGING" });
    clock.pass(20);
    expect((await to.get(operation)).body).toMatchObject({ status: "DONE", progress: 100, endTime: expect.stringMatching(/-07:00$/) });
    expect((await to.get(`${VMS}/vm1`)).body).toMatchObject({
      status: "RUNNING",
      lastStartTimestamp: expect.any(String),
      scheduling: { provisioningModel: "SPOT", preemptible: true, automaticRestart: false, instanceTerminationAction: "STOP" },
      guestAccelerators: [{ acceleratorCount: 1 }],
      disks: [{ deviceName: "persistent-disk-0", boot: true, autoDelete: true, diskSizeGb: "20" }],
    });
  });

  test("can be waited for: until it is done, but no longer than two minutes, and then as it is", async () => {
    cloud.switches.holdAt = "provisioning";
    const begun = await to.post(VMS, spotVm("vm1"));
    const before = clock.now();
    const waited = await to.post(`zones/${ZONE}/operations/${begun.body.name}/wait`);
    expect(waited.body).toMatchObject({ status: "RUNNING" });
    expect(clock.now() - before).toBe(120_000);
    cloud.release();
    expect((await to.post(`zones/${ZONE}/operations/${begun.body.name}/wait`)).body).toMatchObject({ status: "DONE" });
    expect((await to.get(`zones/us-central1-b/operations/${begun.body.name}`)).status).toBe(404);
    expect((await to.get(`global/operations/${begun.body.name}`)).status).toBe(404);
  });

  test("is forgotten after a while, or at once when operations are lost", async () => {
    const { body } = await to.launch("vm1");
    const path = `zones/${ZONE}/operations/${body.name}`;
    cloud.switches.losesOperations = true;
    expect(await to.get(path)).toMatchObject({ status: 404 });
    cloud.switches.losesOperations = false;
    expect(await to.get(path)).toMatchObject({ status: 200 });
    clock.pass(15 * 24 * 3_600_000);
    expect(reason(await to.get(path))).toBe("notFound");
  });

  test("with the same requestId is done once, whatever became of it; a UUID it must be, and not that of zeros", async () => {
    const uuid = "5f0c2f8e-6f0a-4c1e-9a64-0d6b1a8f3c21";
    const first = await to.post(`${VMS}?requestId=${uuid}`, spotVm("vm1"));
    const second = await to.post(`${VMS}?requestId=${uuid.toUpperCase()}`, spotVm("vm1"));
    expect(second.body.name).toBe(first.body.name);
    expect(first.body.clientOperationId).toBe(uuid);
    expect(cloud.living()).toHaveLength(1);
    expect(reason(await to.post(`${VMS}?requestId=${uuid.replace("5f", "6f")}`, spotVm("vm1")))).toBe("alreadyExists");
    expect(await to.post(VMS, spotVm("vm1"))).toMatchObject({ status: 409 });
    for (const wrong of ["1", "00000000-0000-0000-0000-000000000000", `${uuid}0`])
      expect(await to.post(`${VMS}?requestId=${wrong}`, spotVm("vm2"))).toMatchObject({ status: 400 });
  });
});

test("what a requestId does after a failure is a switch, and so is how long it is remembered", async () => {
  const path = `${VMS}?requestId=5f0c2f8e-6f0a-4c1e-9a64-0d6b1a8f3c21`;
  cloud.setStock("g2-standard-4", 0);
  const failed = await to.done("POST", path, spotVm("vm1"));
  cloud.setStock("g2-standard-4", 9);
  expect((await to.post(path, spotVm("vm1"))).body).toMatchObject({ name: failed.body.name, status: "DONE" });
  cloud.switches.requestIdAfterFailure = "again";
  expect((await to.done("POST", path, spotVm("vm1"))).body).not.toHaveProperty("error");
  await cloud.close();
  cloud = await fakeGcp({ clock, delays: { requestIdMs: 60_000 } });
  to = requestsTo(cloud);
  await to.done("POST", path, spotVm("vm1"));
  expect(await to.post(path, spotVm("vm1"))).toMatchObject({ status: 200 });
  clock.pass(61_000);
  expect(await to.post(path, spotVm("vm1"))).toMatchObject({ status: 409 });
});

describe("an insert", () => {
  test("is refused for what the API does not know, and for what is of another type", async () => {
    const bodies: readonly (readonly [Readonly<Record<string, unknown>>, RegExp])[] = [
      [{ gpu: 1 }, /Unknown name "gpu"/],
      [{ scheduling: { ...SPOT, provisioningModel: "spot" } }, /provisioningModel/],
      [{ scheduling: { ...SPOT, preemptionNoticeDuration: { seconds: "120" } } }, /Unknown name "preemptionNoticeDuration"/],
      [{ labels: { "spot:fleet": "x" } }, /Label key/],
      [{ labels: { fleet: "Upper" } }, /Label value/],
      [{ name: "Vm" }, /Must be a match of regex/],
      [{ machineType: "g2-standard-4" }, /URL is malformed/],
      [{ machineType: "zones/us-central1-b/machineTypes/g2-standard-4" }, /does not match/],
      [{ machineType: `zones/${ZONE}/machineTypes/g2-standard-5` }, /does not exist/],
      [{ disks: [] }, /boot disk/],
      [{ networkInterfaces: [] }, /network interface/],
      [{ metadata: { items: [{ key: "a", value: "x".repeat(262_145) }] } }, /too large/],
    ];
    for (const [change, message] of bodies) {
      const { status, body } = await to.post(VMS, spotVm("vm1", change));
      expect([status, body.error.message]).toEqual([400, expect.stringMatching(message)]);
    }
    expect(await to.post(`${VMS}?zone=x`, spotVm("vm1"))).toMatchObject({ status: 400 });
    expect(cloud.living()).toEqual([]);
  });

  test("keeps the rules of Spot and of GPUs", async () => {
    const refused: readonly (readonly [Readonly<Record<string, unknown>>, RegExp])[] = [
      [{ ...SPOT, automaticRestart: true }, /[Aa]utomatic restart/],
      [{ ...SPOT, onHostMaintenance: "MIGRATE" }, /terminated on host maintenance/],
      [{}, /^Instances with guest accelerators do not support live migration\.$/],
      [{ onHostMaintenance: "TERMINATE", instanceTerminationAction: "STOP" }, /allowed for Spot VMs/],
      [{ ...SPOT, maxRunDuration: { seconds: "10" } }, /between 30/],
      [{ ...SPOT, maxRunDuration: { seconds: 600 }, terminationTime: "2026-11-22T12:00:00Z" }, /Only one/],
    ];
    for (const [scheduling, message] of refused) {
      const { status, body } = await to.post(VMS, spotVm("vm1", { scheduling }));
      expect([status, body.error.message]).toEqual([400, expect.stringMatching(message)]);
    }
    const t4 = { guestAccelerators: [{ acceleratorType: `zones/${ZONE}/acceleratorTypes/nvidia-tesla-t4`, acceleratorCount: 1 }] };
    expect((await to.post(VMS, spotVm("vm1", t4))).body.error.message).toMatch(/not compatible/);
    const n1 = { ...t4, machineType: `zones/${ZONE}/machineTypes/n1-standard-4` };
    expect((await to.launch("n1", n1)).body).toMatchObject({ status: "DONE", progress: 100 });
    expect((await to.get(`${VMS}/n1`)).body.guestAccelerators[0].acceleratorType).toMatch(/nvidia-tesla-t4$/);
  });

  test("knows the notice of 120 s on the beta path only, and only while that is in preview", async () => {
    const beta = `/compute/beta/projects/${cloud.project}/${VMS}`;
    const withNotice = (seconds: unknown) => spotVm("vm1", { scheduling: { ...SPOT, preemptionNoticeDuration: { seconds } } });
    expect(await to.post(beta, withNotice(60))).toMatchObject({ status: 400 });
    cloud.switches.noticePreview = false;
    expect(await to.post(beta, withNotice(120))).toMatchObject({ status: 400 });
    cloud.switches.noticePreview = true;
    expect(await to.post(beta, withNotice(120))).toMatchObject({ status: 200 });
    expect((await to.get(`${beta}/vm1`)).body.scheduling.preemptionNoticeDuration).toEqual({ seconds: "120" });
    expect((await to.get(`${VMS}/vm1`)).body.scheduling).not.toHaveProperty("preemptionNoticeDuration");
  });

  test("without a place ends in its operation, or as an answer, and leaves nothing", async () => {
    cloud.setStock("g2-standard-4", 0);
    const late = await to.launch("vm1");
    expect(late.body).toMatchObject({
      status: "DONE",
      httpErrorStatusCode: 503,
      error: { errors: [{ code: "ZONE_RESOURCE_POOL_EXHAUSTED" }] },
    });
    expect(late.body.error.errors[0].message).toContain("to fulfill the request.  Try a different zone");
    expect(await to.get(`${VMS}/vm1`)).toMatchObject({ status: 404 });
    expect([cloud.living(), cloud.volumes()]).toEqual([[], []]);
    cloud.switches.stockOutBy = "http";
    cloud.switches.stockOutCode = "ZONE_RESOURCE_POOL_EXHAUSTED_WITH_DETAILS";
    const soon = await to.post(VMS, spotVm("vm1"));
    expect([soon.status, reason(soon)]).toEqual([503, "ZONE_RESOURCE_POOL_EXHAUSTED_WITH_DETAILS"]);
    cloud.setStock("g2-standard-4", 1, ZONE);
    expect((await to.launch("vm1")).body).not.toHaveProperty("error");
    expect(await to.post(VMS, spotVm("vm2"))).toMatchObject({ status: 503 });
    await to.done("DELETE", `${VMS}/vm1`);
    expect((await to.launch("vm2")).body).not.toHaveProperty("error");
    cloud.switches.launchErrorCode = "IP_SPACE_EXHAUSTED";
    cloud.setStock("g2-standard-4", 1);
    expect((await to.launch("vm3")).body.error.errors[0].code).toBe("IP_SPACE_EXHAUSTED");
  });

  test("beyond a quota says which one, with its details; without one for Spot the usual one counts", async () => {
    cloud.setQuota("PREEMPTIBLE_NVIDIA_L4_GPUS", 1, "us-central1");
    await to.launch("vm1");
    const { body } = await to.launch("vm2");
    expect(body.error.errors[0]).toMatchObject({
      code: "QUOTA_EXCEEDED",
      message: "Quota 'PREEMPTIBLE_NVIDIA_L4_GPUS' exceeded.  Limit: 1.0 in region us-central1.",
      errorDetails: [
        { quotaInfo: { metricName: "compute.googleapis.com/preemptible_nvidia_l4_gpus", dimensions: { region: "us-central1" } } },
      ],
    });
    expect((await to.get("regions/us-central1")).body.quotas).toContainEqual({ metric: "PREEMPTIBLE_NVIDIA_L4_GPUS", limit: 1, usage: 1 });
    cloud.setQuota("PREEMPTIBLE_NVIDIA_L4_GPUS", 0);
    cloud.setQuota("PREEMPTIBLE_NVIDIA_L4_GPUS", 0, "us-central1");
    expect((await to.launch("vm3")).body).not.toHaveProperty("error");
    cloud.setQuota("GPUS_ALL_REGIONS", 2);
    cloud.switches.quotaBy = "http";
    const everywhere = await to.post("zones/europe-west4-a/instances", spotVm("vm4", {}, "europe-west4-a"));
    expect([everywhere.status, reason(everywhere), everywhere.body.error.message]).toEqual([
      403,
      "quotaExceeded",
      "Quota 'GPUS_ALL_REGIONS' exceeded.  Limit: 2.0 globally.",
    ]);
    expect((await to.get("")).body.quotas).toContainEqual({ metric: "GPUS_ALL_REGIONS", limit: 2, usage: 2 });
  });
});

describe("a life", () => {
  test("TERMINATED is stopped: it can be started again, with a place, and fails without one", async () => {
    await to.launch("vm1");
    expect((await to.done("POST", `${VMS}/vm1/stop`)).body).toMatchObject({ operationType: "stop", status: "DONE" });
    const off = (await to.get(`${VMS}/vm1`)).body;
    expect(off).toMatchObject({ status: "TERMINATED", lastStopTimestamp: expect.any(String) });
    expect(off.networkInterfaces[0].accessConfigs[0]).not.toHaveProperty("natIP");
    cloud.setStock("g2-standard-4", 0);
    expect((await to.done("POST", `${VMS}/vm1/start`)).body.error.errors[0].code).toBe("ZONE_RESOURCE_POOL_EXHAUSTED");
    expect((await to.get(`${VMS}/vm1`)).body.status).toBe("TERMINATED");
    cloud.setStock("g2-standard-4", 1);
    await to.done("POST", `${VMS}/vm1/start`);
    expect((await to.get(`${VMS}/vm1`)).body.status).toBe("RUNNING");
    expect((await to.done("POST", `${VMS}/vm1/suspend`)).body.error.errors[0].code).toBe("UNSUPPORTED_OPERATION");
  });

  test("a machine without GPUs can be suspended and resumed", async () => {
    await to.launch("vm1", { machineType: `zones/${ZONE}/machineTypes/e2-standard-2` });
    await to.done("POST", `${VMS}/vm1/suspend`);
    expect((await to.get(`${VMS}/vm1`)).body.status).toBe("SUSPENDED");
    await to.done("POST", `${VMS}/vm1/resume`);
    expect((await to.get(`${VMS}/vm1`)).body.status).toBe("RUNNING");
  });

  test("a delete takes the machine and its disks with autoDelete; a second one while it goes is not ready", async () => {
    await to.launch("vm1");
    const begun = await to.del(`${VMS}/vm1`);
    expect((await to.get(`${VMS}/vm1`)).body.status).toBe("STOPPING");
    expect(reason(await to.del(`${VMS}/vm1`))).toBe("resourceNotReady");
    cloud.switches.deleteTwice = "operation";
    expect((await to.del(`${VMS}/vm1`)).body.name).toBe(begun.body.name);
    await to.post(`zones/${ZONE}/operations/${begun.body.name}/wait`);
    const gone = await to.get(`${VMS}/vm1`);
    expect([gone.status, reason(gone), gone.body.error.message]).toEqual([
      404,
      "notFound",
      `The resource 'projects/${cloud.project}/${VMS}/vm1' was not found`,
    ]);
    expect([cloud.living(), cloud.volumes()]).toEqual([[], []]);
    expect(await to.del(`${VMS}/vm1`)).toMatchObject({ status: 404 });
  });

  test("scheduling changes only while it is TERMINATED", async () => {
    await to.launch("vm1");
    const standard = { provisioningModel: "STANDARD", preemptible: false, onHostMaintenance: "TERMINATE", automaticRestart: true };
    expect(await to.post(`${VMS}/vm1/setScheduling`, standard)).toMatchObject({ status: 400 });
    await to.done("POST", `${VMS}/vm1/stop`);
    await to.done("POST", `${VMS}/vm1/setScheduling`, standard);
    expect((await to.get(`${VMS}/vm1`)).body.scheduling).toMatchObject({ provisioningModel: "STANDARD", preemptible: false });
  });

  test("ends by itself when its time is over, as it asked for", async () => {
    await to.launch("stops", { scheduling: { ...SPOT, maxRunDuration: { seconds: "600" } } });
    const terminationTime = new Date(clock.now() + 900_000).toISOString();
    await to.launch("goes", { scheduling: { ...SPOT, instanceTerminationAction: "DELETE", terminationTime } });
    expect((await to.get(`${VMS}/stops`)).body.scheduling.maxRunDuration).toEqual({ seconds: "600" });
    clock.pass(599_000);
    expect((await to.get(`${VMS}/stops`)).body.status).toBe("RUNNING");
    clock.pass(2_000);
    expect((await to.get(`${VMS}/stops`)).body.status).toBe("TERMINATED");
    expect((await to.get(`${VMS}/goes`)).body.status).toBe("RUNNING");
    clock.pass(301_000);
    expect(await to.get(`${VMS}/goes`)).toMatchObject({ status: 404 });
  });

  test("costs per second while it runs, a minute at least, and nothing when preempted in its first minute", async () => {
    await to.launch("vm1");
    const hour = 0.0099954 * 4 + 0.00117094 * 16 + 0.2240016;
    const disk = (20 * 0.04) / 730;
    await to.done("POST", `${VMS}/vm1/stop`);
    expect(cloud.site.ledger.charges.find(({ kind }) => kind === "machine")?.perHour).toBeCloseTo(hour, 9);
    const machine = () => cloud.site.ledger.cost(id("vm1"), clock.now());
    expect(machine()).toBeCloseTo(hour / 60 + disk / 3600, 5);
    clock.pass(10 * 3_600_000);
    expect(machine()).toBeCloseTo(hour / 60 + disk * 10, 4);
    await to.launch("vm2");
    clock.pass(50_000);
    await cloud.reclaim(id("vm2"));
    clock.pass(60_000);
    await cloud.settle();
    expect(cloud.cost(id("vm2"))).toBeLessThan(disk / 10);
  });
});
