import { expect, test } from "vitest";
import { awsBench, PERSISTENT } from "./bench.ts";
import { motoAvailable } from "./moto.ts";
import { itemsAt, textAt } from "./xml.ts";

const there = motoAvailable();

test.skipIf(!there)("a machine passes through its states, has an address while it runs, and is forgotten after an hour", async () => {
  const { clock, ask, order, instance, stateOf } = await awsBench();
  const made = await ask("RunInstances", order());
  const [item] = itemsAt(made.document, "instancesSet");
  expect([textAt(item, "instanceState", "name"), textAt(item, "instanceLifecycle")]).toEqual(["pending", "spot"]);
  expect(textAt(item, "spotInstanceRequestId")).toMatch(/^sir-/);
  const id = textAt(item, "instanceId");
  clock.advance(1000);
  expect(textAt(await instance(id), "ipAddress")).toMatch(/^54\./);
  expect(await stateOf(id)).toBe("running");
  const ended = await ask("TerminateInstances", { "InstanceId.1": id });
  expect(textAt(itemsAt(ended.document, "instancesSet")[0], "currentState", "name")).toBe("shutting-down");
  clock.advance(1000);
  const over = await instance(id);
  expect(textAt(over, "instanceState", "name")).toBe("terminated");
  expect(textAt(over, "stateReason", "code")).toBe("Client.UserInitiatedShutdown");
  expect(textAt(over, "ipAddress")).toBe("");
  expect((await ask("TerminateInstances", { "InstanceId.1": id })).status).toBe(200);
  clock.advance(3_700_000);
  expect((await ask("DescribeInstances", { "InstanceId.1": id })).code).toBe("InvalidInstanceID.NotFound");
});

test.skipIf(!there)("the same token gives the same machine, and another order with it is refused", async () => {
  const { ask, order, cloud } = await awsBench();
  const ids = async (change = {}) => {
    const made = await ask("RunInstances", order({ ClientToken: "t-1", ...change }));
    return made.status === 200 ? itemsAt(made.document, "instancesSet").map((one) => textAt(one, "instanceId")) : made.code;
  };
  const first = await ids();
  expect(await ids()).toEqual(first);
  expect(await ids({ InstanceType: "g5.xlarge" })).toBe("IdempotentParameterMismatch");
  expect(await ids({ ClientToken: "t-2" })).not.toEqual(first);
  expect(cloud.living()).toHaveLength(2);
});

test.skipIf(!there)("a persistent request gets another machine when its own is terminated, until it is cancelled", async () => {
  const { clock, ask, launch, cloud, requestOf } = await awsBench();
  const id = await launch(PERSISTENT);
  const request = textAt(await requestOf(id), "spotInstanceRequestId");
  await ask("TerminateInstances", { "InstanceId.1": id });
  clock.advance(1000);
  await cloud.settle();
  clock.advance(1000);
  await cloud.settle();
  const [next] = cloud.living();
  expect(next?.providerId).not.toBe(`us-east-1/${id}`);
  await ask("CancelSpotInstanceRequests", { "SpotInstanceRequestId.1": request });
  expect(cloud.spotRequests()).toMatchObject([{ state: "cancelled", status: { code: "request-canceled-and-instance-running" } }]);
  await ask("TerminateInstances", { "InstanceId.1": next?.providerId.split("/")[1] ?? "" });
  clock.advance(100_000);
  await cloud.settle();
  expect(cloud.living()).toEqual([]);
});
