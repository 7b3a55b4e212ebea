import { afterEach, beforeEach, expect, test } from "vitest";
import type { FakeRequest } from "../fake-server.ts";
import { type SteppedClock, steppedClock } from "./clock.ts";
import { type FakeGcp, fakeGcp } from "./fake.ts";
import { type Requests, requestsTo, spotVm, ZONE } from "./requests.ts";

let clock: SteppedClock;
let cloud: FakeGcp;
let to: Requests;

beforeEach(async () => {
  clock = steppedClock();
  cloud = await fakeGcp({ clock });
  to = requestsTo(cloud);
});

afterEach(() => cloud.close());

const PATH = `zones/${ZONE}/instances?requestId=5f0c2f8e-6f0a-4c1e-9a64-0d6b1a8f3c21`;
const match = ({ method, path }: FakeRequest) => method === "POST" && path.endsWith("/instances");

test("an insert whose connection breaks before its effect did nothing; after it, the repeat finds the first one", async () => {
  cloud.server.disturb({ what: { do: "reset-before" }, match });
  await expect(to.post(PATH, spotVm("vm1"))).rejects.toThrow();
  expect(cloud.living()).toEqual([]);
  cloud.server.disturb({ what: { do: "reset-after" }, match });
  await expect(to.post(PATH, spotVm("vm1"))).rejects.toThrow();
  expect(cloud.living()).toMatchObject([{ name: "vm1" }]);
  const repeated = await to.done("POST", PATH, spotVm("vm1"));
  expect(repeated.body).toMatchObject({ status: "DONE", operationType: "insert" });
  expect([repeated.body.targetId, cloud.living().length]).toEqual([cloud.vm(`${ZONE}/vm1`).id, 1]);
});

test("without a requestId a repeat is told that the name is taken, also while the first one goes", async () => {
  const plain = `zones/${ZONE}/instances`;
  cloud.server.disturb({ what: { do: "reset-after" }, match });
  await expect(to.post(plain, spotVm("vm1"))).rejects.toThrow();
  expect(await to.post(plain, spotVm("vm1"))).toMatchObject({ status: 409 });
  clock.pass(1_000);
  await to.del(`${plain}/vm1`);
  expect(await to.post(plain, spotVm("vm1"))).toMatchObject({ status: 409 });
  clock.pass(1_000);
  expect(await to.post(plain, spotVm("vm1"))).toMatchObject({ status: 200 });
});
