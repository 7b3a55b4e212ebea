import { afterEach, beforeEach, expect, test } from "vitest";
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
  cloud = await fakeGcp({ clock, delays: { shutdownMs: 30_000 }, ...(document === undefined ? {} : { document }) });
  to = requestsTo(cloud);
});

afterEach(async () => {
  const { complaints } = cloud;
  await cloud.close();
  expect(complaints).toEqual([]);
});

const VM = `zones/${ZONE}/instances/vm1`;
const ID = `${ZONE}/vm1`;
const status = async () => (await to.get(VM)).body.status;
const PREEMPTED = encodeURIComponent('operationType eq ".*\\bcompute\\.instances\\.preempted\\b.*"');
const events = async () => (await to.get(`zones/${ZONE}/operations?filter=${PREEMPTED}`)).body.items ?? [];

test("a reclaim without a notice: STOPPING at once, TERMINATED after the best effort, and an operation of the system's", async () => {
  await to.launch("vm1");
  expect(await events()).toEqual([]);
  await cloud.reclaim(ID);
  expect([await status(), cloud.vm(ID).preempted]).toEqual(["STOPPING", true]);
  clock.pass(29_000);
  expect(await status()).toBe("STOPPING");
  clock.pass(2_000);
  expect(await status()).toBe("TERMINATED");
  expect(await events()).toMatchObject([
    {
      name: expect.stringMatching(/^systemevent-/),
      operationType: "compute.instances.preempted",
      user: "system",
      status: "DONE",
      statusMessage: "Instance was preempted.",
      targetLink: expect.stringMatching(/instances\/vm1$/),
    },
  ]);
  // The disk stays, and costs.
  expect(cloud.living()).toMatchObject([{ providerId: ID, status: "TERMINATED" }]);
  await to.done("POST", `${VM}/start`);
  expect([await status(), cloud.vm(ID).preempted]).toEqual(["RUNNING", false]);
});

test("with DELETE nothing is left but the operation", async () => {
  await to.launch("vm1", { scheduling: { ...SPOT, instanceTerminationAction: "DELETE" } });
  await cloud.reclaim(ID);
  clock.pass(31_000);
  expect(await to.get(VM)).toMatchObject({ status: 404 });
  expect([cloud.living(), cloud.volumes(), (await events()).length]).toEqual([[], [], 1]);
});

test("a notice of 120 s is told inside alone: outside it runs until the soft-off", async () => {
  const body = spotVm("vm1", { scheduling: { ...SPOT, preemptionNoticeDuration: { seconds: 120 } } });
  await to.done("POST", `/compute/beta/projects/${cloud.project}/zones/${ZONE}/instances`, body);
  await cloud.reclaim(ID);
  expect([await status(), cloud.vm(ID).preempted, await events()]).toEqual(["RUNNING", true, []]);
  clock.pass(119_000);
  expect(await status()).toBe("RUNNING");
  clock.pass(2_000);
  expect([await status(), (await events()).length]).toEqual(["STOPPING", 1]);
  clock.pass(30_000);
  expect(await status()).toBe("TERMINATED");
});

test("it can come before the machine ever ran: the operation that makes it ends with UNSUPPORTED_OPERATION", async () => {
  for (const ms of [0, 15]) {
    const { body } = await to.post(`zones/${ZONE}/instances`, spotVm("vm1"));
    clock.pass(ms);
    await cloud.reclaim(ID);
    clock.pass(31_000);
    const operation = (await to.get(`zones/${ZONE}/operations/${body.name}`)).body;
    expect(operation).toMatchObject({ status: "DONE", error: { errors: [{ code: "UNSUPPORTED_OPERATION" }] } });
    expect(await status()).toBe("TERMINATED");
    expect(cloud.site.ledger.charges.filter(({ kind }) => kind === "machine")).toEqual([]);
    await to.done("DELETE", VM);
    expect(cloud.volumes()).toEqual([]);
  }
});

test("a simulated maintenance event is a real preemption", async () => {
  await to.launch("vm1");
  expect((await to.done("POST", `${VM}/simulateMaintenanceEvent`)).body).toMatchObject({ operationType: "simulateMaintenanceEvent" });
  expect([await status(), (await events()).length]).toEqual(["STOPPING", 1]);
});

test("the operation can be missing; a machine on demand cannot be preempted", async () => {
  cloud.switches.forgetsPreemptions = true;
  await to.launch("vm1");
  await cloud.reclaim(ID);
  clock.pass(31_000);
  expect([await status(), await events()]).toEqual(["TERMINATED", []]);
  await to.launch("vm2", { scheduling: { onHostMaintenance: "TERMINATE" } });
  await expect(cloud.reclaim(`${ZONE}/vm2`)).rejects.toThrow("cannot be preempted");
});

test("it can come without a word inside", async () => {
  cloud.switches.silentPreemptions = true;
  await to.launch("vm1");
  await cloud.reclaim(ID, 60);
  clock.pass(61_000);
  expect([await status(), cloud.vm(ID).preempted]).toEqual(["STOPPING", false]);
});

test("others can end it too: the guest, the host, a user; each leaves its own word", async () => {
  const types = async () =>
    (await to.get(`zones/${ZONE}/operations`)).body.items.map((one: { operationType: string }) => one.operationType);
  await to.launch("vm1");
  await cloud.shutDown(ID);
  clock.pass(1_000);
  expect([await status(), await types()]).toEqual(["TERMINATED", expect.arrayContaining(["compute.instances.guestTerminate"])]);
  await to.done("POST", `${VM}/start`);
  await cloud.hostError(ID);
  expect([await status(), await types()]).toEqual(["TERMINATED", expect.arrayContaining(["compute.instances.hostError"])]);
  await to.launch("vm2", { scheduling: { onHostMaintenance: "TERMINATE" } });
  await cloud.hostError(`${ZONE}/vm2`);
  clock.pass(1_000);
  expect((await to.get(`zones/${ZONE}/instances/vm2`)).body.status).toBe("RUNNING");
  expect(await types()).toContain("compute.instances.automaticRestart");
});
