import { expect, test } from "vitest";
import { awsBench, PERSISTENT } from "./bench.ts";
import { costOfLine } from "./ledger.ts";
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

test.skipIf(!there)(
  "a reclaim is marked on the request, told in the queue, and comes at its time; the first hour is then free",
  async () => {
    const { clock, cloud, launch, ask, instance, requestOf, stateOf } = await awsBench();
    await cloud.queue();
    const id = await launch();
    await cloud.settle();
    clock.advance(1_800_000);
    await cloud.reclaim(`us-east-1/${id}`);
    const marked = await requestOf(id);
    expect([textAt(marked, "state"), textAt(marked, "status", "code")]).toEqual(["closed", "marked-for-termination"]);
    expect(Date.parse(textAt(marked, "status", "updateTime"))).toBe(clock.now());
    expect(await stateOf(id)).toBe("running");
    clock.advance(119_000);
    expect(await stateOf(id)).toBe("running");
    clock.advance(2_000);
    const over = await instance(id);
    expect(textAt(over, "instanceState", "name")).toBe("terminated");
    expect(textAt(over, "stateReason", "code")).toBe("Server.SpotInstanceTermination");
    expect(textAt(await requestOf(id), "status", "code")).toBe("instance-terminated-no-capacity");
    expect(cloud.bill().find(({ kind }) => kind === "compute")).toMatchObject({ resourceId: id, free: true });
    expect(cloud.living()).toEqual([]);
    // What the user ends is paid to the second.
    const other = await launch();
    await cloud.settle();
    await ask("TerminateInstances", { "InstanceId.1": other });
    expect(cloud.bill().find(({ resourceId }) => resourceId === other)).toMatchObject({ free: false, to: clock.now() });
  },
);

test.skipIf(!there)("a spot machine is paid at the price of the time, to the second", async () => {
  const { clock, cloud, launch } = await awsBench();
  const id = await launch();
  await cloud.settle();
  const [first, from] = [Number(cloud.price("g4dn.xlarge", "us-east-1a")), clock.now()];
  clock.advance(24 * 3_600_000);
  await cloud.settle();
  const [line] = cloud.bill().filter(({ resourceId }) => resourceId === id);
  const paid = Number(costOfLine(line ?? never(), clock.now()).micros) / 1e6;
  expect(paid).not.toBeCloseTo(first * 24, 4);
  expect(Math.abs(paid / (first * 24) - 1)).toBeLessThan(0.1);
  expect(clock.now() - from).toBe(24 * 3_600_000);
});

test.skipIf(!there)("a reclaim without a word marks nothing", async () => {
  const { cloud, launch, requestOf, stateOf } = await awsBench();
  const id = await launch();
  await cloud.settle();
  await cloud.reclaim(`us-east-1/${id}`, { noticeSeconds: 0 });
  expect(await stateOf(id)).toBe("shutting-down");
  expect(textAt(await requestOf(id), "status", "code")).toBe("fulfilled");
});

test.skipIf(!there)("what EC2 has stopped only EC2 starts again, when there is stock in that zone", async () => {
  const { clock, cloud, launch, ask, requestOf, stateOf, instance } = await awsBench({}, { restart: 60_000 });
  const id = await launch(PERSISTENT);
  await cloud.settle();
  await cloud.reclaim(`us-east-1/${id}`, { noticeSeconds: 120 });
  expect(textAt(await requestOf(id), "status", "code")).toBe("marked-for-stop");
  clock.advance(121_000);
  expect(textAt(await instance(id), "stateReason", "code")).toBe("Server.SpotInstanceShutdown");
  expect(await stateOf(id)).toBe("stopped");
  const request = await requestOf(id);
  expect([textAt(request, "state"), textAt(request, "status", "code")]).toEqual(["disabled", "instance-stopped-no-capacity"]);
  expect(await ask("StartInstances", { "InstanceId.1": id })).toMatchObject({ status: 400, code: "IncorrectInstanceState" });
  expect(cloud.living()).toMatchObject([{ state: "stopped" }]);
  cloud.setStock("g4dn.xlarge", 0);
  clock.advance(100_000);
  expect(await stateOf(id)).toBe("stopped");
  cloud.setStock("g4dn.xlarge", 1);
  expect(await stateOf(id)).toBe("pending");
  clock.advance(1000);
  expect(await stateOf(id)).toBe("running");
});

test.skipIf(!there)("what the user has stopped, the user starts; its request, cancelled while it is stopped, takes it along", async () => {
  const { clock, cloud, launch, ask, requestOf, stateOf } = await awsBench();
  const [id, oneTime] = [await launch(PERSISTENT), await launch()];
  await cloud.settle();
  expect(await ask("StopInstances", { "InstanceId.1": oneTime })).toMatchObject({ status: 400, code: "UnsupportedOperation" });
  const stop = async () => {
    expect((await ask("StopInstances", { "InstanceId.1": id })).status).toBe(200);
    expect(await stateOf(id)).toBe("stopping");
    clock.advance(1000);
    expect(await stateOf(id)).toBe("stopped");
  };
  await stop();
  const request = await requestOf(id);
  expect([textAt(request, "state"), textAt(request, "status", "code")]).toEqual(["disabled", "instance-stopped-by-user"]);
  expect((await ask("StartInstances", { "InstanceId.1": id })).status).toBe(200);
  clock.advance(1000);
  expect(await stateOf(id)).toBe("running");
  await stop();
  await ask("CancelSpotInstanceRequests", { "SpotInstanceRequestId.1": textAt(request, "spotInstanceRequestId") });
  clock.advance(1000);
  expect(await stateOf(id)).toBe("terminated");
});

test.skipIf(!there)("a machine that shuts itself down ends as its launch said", async () => {
  const { clock, cloud, launch, instance } = await awsBench();
  const ends = await launch({ InstanceInitiatedShutdownBehavior: "terminate" });
  const stays = await launch(PERSISTENT);
  await cloud.settle();
  for (const id of [ends, stays]) await cloud.shutDown(`us-east-1/${id}`);
  clock.advance(1000);
  const seen = await Promise.all([ends, stays].map(instance));
  expect(seen.map((one) => textAt(one, "instanceState", "name"))).toEqual(["terminated", "stopped"]);
  expect(seen.map((one) => textAt(one, "stateReason", "code"))).toEqual(Array(2).fill("Client.InstanceInitiatedShutdown"));
});

test.skipIf(!there)("no capacity is a server error with one of two sentences, or a machine that comes to nothing after a 200", async () => {
  const { clock, ask, order, cloud, launch, instance } = await awsBench();
  cloud.setStock("g4dn.xlarge", 0, "us-east-1a");
  const spot = await ask("RunInstances", order());
  expect(spot).toMatchObject({ status: 500, code: "InsufficientInstanceCapacity" });
  expect(spot.message).toBe("There is no Spot capacity available that matches your request.");
  const { "InstanceMarketOptions.MarketType": _, ...onDemand } = order();
  expect((await ask("RunInstances", onDemand)).message).toContain("We currently do not have sufficient g4dn.xlarge capacity");
  expect((await ask("RunInstances", order({ "Placement.AvailabilityZone": "us-east-1b" }))).status).toBe(200);
  cloud.switches.capacityRunsOutLater = true;
  const id = await launch({ "Placement.AvailabilityZone": "us-east-1c" });
  clock.advance(1000);
  const seen = await instance(id);
  expect(textAt(seen, "instanceState", "name")).toBe("terminated");
  expect(textAt(seen, "stateReason", "code")).toBe("Server.InsufficientInstanceCapacity");
  expect(cloud.bill().some(({ resourceId }) => resourceId === id)).toBe(false);
  expect(cloud.living()).toHaveLength(1);
});

test.skipIf(!there)("what a spot launch may not ask for is refused, and makes nothing", async () => {
  const { ask, order, cloud } = await awsBench({ spotVcpuQuota: 3 });
  const spot = (options: Record<string, string>) =>
    Object.fromEntries(Object.entries(options).map(([name, value]) => [`InstanceMarketOptions.SpotOptions.${name}`, value]));
  const refused: readonly (readonly [Record<string, string>, string])[] = [
    [spot({ InstanceInterruptionBehavior: "stop" }), "InvalidParameterCombination"],
    [spot({ SpotInstanceType: "persistent" }), "InvalidParameterCombination"],
    [spot({ SpotInstanceType: "persistent", InstanceInterruptionBehavior: "hibernate" }), "UnsupportedHibernationConfiguration"],
    [spot({ ValidUntil: "2027-01-01T00:00:00Z" }), "InvalidParameterCombination"],
    [spot({ MaxPrice: "0.001" }), "InvalidParameterValue"],
    [{}, "MaxSpotInstanceCountExceeded"],
    [{ InstanceType: "p5en.48xlarge" }, "Unsupported"],
    [{ InstanceType: "g9.huge" }, "InvalidInstanceType"],
    [{ "Placement.AvailabilityZone": "us-east-1z" }, "InvalidParameterValue"],
    [{ InstanceType: "p3dn.24xlarge" }, "Unsupported"],
    [{ ImageId: "ami-0123456789" }, "InvalidAMIID.NotFound"],
    [{ UserData: Buffer.alloc(16_385).toString("base64") }, "InvalidParameterValue"],
    [{ UserData: "not base64!" }, "InvalidUserData.Malformed"],
    [{ Colour: "blue" }, "UnknownParameter"],
  ];
  for (const [change, code] of refused) expect((await ask("RunInstances", order(change))).code, JSON.stringify(change)).toBe(code);
  cloud.switches.spotVcpuQuota = 100;
  expect((await ask("RunInstances", order({ KeyName: "nobody's" }))).code).toBe("InvalidKeyPair.NotFound");
  expect((await ask("RunInstances", order(spot({ MaxPrice: "0.01" })))).code).toBe("SpotMaxPriceTooLow");
  expect(cloud.living()).toEqual([]);
});

function never(): never {
  throw new Error("no bill");
}
