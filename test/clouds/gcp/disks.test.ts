import { afterEach, beforeEach, expect, test } from "vitest";
import { type SteppedClock, steppedClock } from "./clock.ts";
import { discovery } from "./discovery.ts";
import { type FakeGcp, fakeGcp } from "./fake.ts";
import { BOOT_DISK, type Requests, requestsTo, ZONE } from "./requests.ts";

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

const DISKS = `zones/${ZONE}/disks`;
const VMS = `zones/${ZONE}/instances`;
const makeDisk = (name: string, body: object = {}, zone = ZONE) =>
  to.done("POST", `zones/${zone}/disks`, { name, sizeGb: "100", type: `zones/${zone}/diskTypes/pd-balanced`, ...body });
const withDisk = (name: string, deviceName?: string) => ({
  disks: [
    BOOT_DISK,
    { source: `projects/${cloud.project}/${DISKS}/${name}`, ...(deviceName === undefined ? {} : { deviceName }), autoDelete: false },
  ],
});

test("a disk is made by its own call, lies in a zone and knows who uses it", async () => {
  expect((await makeDisk("d1", { labels: { a: "b" } })).body).toMatchObject({ status: "DONE", operationType: "insert" });
  expect((await to.get(`${DISKS}/d1`)).body).toMatchObject({ status: "READY", sizeGb: "100", labels: { a: "b" } });
  expect((await to.get(`${DISKS}/d1`)).body).not.toHaveProperty("users");
  expect(await makeDisk("d1")).toMatchObject({ status: 409 });
  expect(await makeDisk("d2", { sizeGb: "5" })).toMatchObject({ status: 400 });
  expect(await makeDisk("d2", { type: "pd-balanced" })).toMatchObject({ status: 400 });
  await to.launch("vm1", withDisk("d1", "data"));
  expect((await to.get(`${DISKS}/d1`)).body.users).toEqual([`${cloud.url}/compute/v1/projects/${cloud.project}/${VMS}/vm1`]);
  expect(cloud.volumes()).toMatchObject([{ providerId: `${ZONE}/d1`, sizeGb: 100, attachedTo: `${ZONE}/vm1` }]);
});

test("a disk in use is refused, in the operation or at once, and the machine that asked for it is not there", async () => {
  await makeDisk("d1");
  await to.launch("vm1", withDisk("d1"));
  const late = await to.launch("vm2", withDisk("d1"));
  expect(late.body.error.errors[0]).toMatchObject({
    code: "RESOURCE_IN_USE_BY_ANOTHER_RESOURCE",
    message: expect.stringContaining("/vm1'"),
  });
  expect(cloud.living()).toHaveLength(1);
  cloud.switches.diskInUseBy = "http";
  expect((await to.launch("vm2", withDisk("d1"))).body.error.errors[0].reason).toBe("resourceInUseByAnotherResource");
  const removed = await to.del(`${DISKS}/d1`);
  expect([removed.status, removed.body.error.errors[0].reason]).toEqual([400, "resourceInUseByAnotherResource"]);
  await to.done("DELETE", `${VMS}/vm1`);
  expect(cloud.volumes()).toMatchObject([{ name: "d1", attachedTo: null }]);
  await to.done("DELETE", `${DISKS}/d1`);
  expect(await to.get(`${DISKS}/d1`)).toMatchObject({ status: 404 });
  await makeDisk("d1", {}, "us-central1-b");
  expect(await to.launch("vm2", withDisk("d1"))).toMatchObject({ status: 404 });
});

test("attach and detach: by the name of the device, which is persistent-disk-N unless told", async () => {
  await makeDisk("d1");
  await to.launch("vm1");
  await to.done("POST", `${VMS}/vm1/attachDisk`, { source: `${DISKS}/d1` });
  expect((await to.get(`${VMS}/vm1`)).body.disks[1]).toMatchObject({ deviceName: "persistent-disk-1", autoDelete: false, boot: false });
  expect(await to.post(`${VMS}/vm1/detachDisk?deviceName=d1`)).toMatchObject({ status: 400 });
  expect(await to.post(`${VMS}/vm1/detachDisk`)).toMatchObject({ status: 400 });
  await to.done("POST", `${VMS}/vm1/detachDisk?deviceName=persistent-disk-1`);
  expect((await to.get(`${VMS}/vm1`)).body.disks).toHaveLength(1);
  await to.done("POST", `${VMS}/vm1/attachDisk`, { source: `${DISKS}/d1`, deviceName: "data" });
  await to.done("POST", `${VMS}/vm1/setDiskAutoDelete?deviceName=data&autoDelete=true`);
  await to.done("DELETE", `${VMS}/vm1`);
  expect(await to.get(`${DISKS}/d1`)).toMatchObject({ status: 404 });
});

test("a snapshot is CREATING, UPLOADING, READY, belongs to no zone, and makes disks of at least its size", async () => {
  await makeDisk("d1");
  const snapshot = async () => (await to.get("global/snapshots/s1")).body;
  const begun = await to.post(`${DISKS}/d1/createSnapshot`, { name: "s1", labels: { a: "b" } });
  expect(begun.body).toMatchObject({ zone: expect.stringMatching(/us-central1-a$/), operationType: "createSnapshot" });
  expect(await snapshot()).toMatchObject({ status: "CREATING", diskSizeGb: "100", storageBytes: "0" });
  expect(await to.post(DISKS, { name: "d2", sourceSnapshot: "global/snapshots/s1" })).toMatchObject({ status: 400 });
  expect(await to.del("global/snapshots/s1")).toMatchObject({ status: 400 });
  clock.pass(15);
  expect((await snapshot()).status).toBe("UPLOADING");
  clock.pass(15);
  expect(await snapshot()).toMatchObject({ status: "READY", downloadBytes: "1048576", labels: { a: "b" } });
  const there = "europe-west4-b";
  expect(await makeDisk("d2", { sourceSnapshot: "global/snapshots/s1", sizeGb: "50" }, there)).toMatchObject({ status: 400 });
  const begun2 = await to.post(`zones/${there}/disks`, { name: "d2", sourceSnapshot: "global/snapshots/s1" });
  expect((await to.get(`zones/${there}/disks/d2`)).body).toMatchObject({ status: "RESTORING", sizeGb: "100" });
  await to.post(`zones/${there}/operations/${begun2.body.name}/wait`);
  await to.done("DELETE", `${DISKS}/d1`);
  expect((await snapshot()).status).toBe("READY");
  await to.done("DELETE", "global/snapshots/s1");
  expect([cloud.snapshots(), await to.get("global/snapshots/s1")]).toMatchObject([[], { status: 404 }]);
});

test("a snapshot can fail", async () => {
  await makeDisk("d1");
  cloud.switches.snapshotsFail = true;
  const { body } = await to.done("POST", "global/snapshots", { name: "s1", sourceDisk: `${DISKS}/d1` });
  expect(body).toMatchObject({
    status: "DONE",
    error: { errors: [{ code: "INTERNAL_ERROR" }] },
    targetLink: expect.stringMatching(/snapshots\/s1$/),
  });
  expect((await to.get("global/snapshots/s1")).body.status).toBe("FAILED");
});

test("labels, metadata and tags are changed with the newest fingerprint only, in either alphabet of base64", async () => {
  await to.launch("vm1");
  const before = (await to.get(`${VMS}/vm1`)).body;
  const other = before.labelFingerprint.replaceAll("+", "-").replaceAll("/", "_");
  await to.done("POST", `${VMS}/vm1/setLabels`, { labels: { a: "b" }, labelFingerprint: other });
  expect((await to.get(`${VMS}/vm1`)).body.labels).toEqual({ a: "b" });
  const stale = await to.post(`${VMS}/vm1/setLabels`, { labels: {}, labelFingerprint: before.labelFingerprint });
  expect([stale.status, stale.body.error.errors[0].reason]).toEqual([412, "conditionNotMet"]);
  await to.done("POST", `${VMS}/vm1/setMetadata`, { fingerprint: before.metadata.fingerprint, items: [{ key: "k", value: "v" }] });
  expect((await to.get(`${VMS}/vm1`)).body.metadata.items).toEqual([{ key: "k", value: "v" }]);
  expect(await to.post(`${VMS}/vm1/setMetadata`, { fingerprint: before.metadata.fingerprint })).toMatchObject({ status: 412 });
  await makeDisk("d1");
  const { labelFingerprint } = (await to.get(`${DISKS}/d1`)).body;
  await to.done("POST", `${DISKS}/d1/setLabels`, { labels: { c: "d" }, labelFingerprint });
  expect(await to.post(`${DISKS}/d1/setLabels`, { labels: {}, labelFingerprint })).toMatchObject({ status: 412 });
  expect(await to.post(`${DISKS}/d1/setLabels`, { labels: {}, labelFingerprint: "not base64!" })).toMatchObject({ status: 400 });
});
