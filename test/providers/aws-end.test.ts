import { describe, expect } from "vitest";
import { eventually } from "../conformance/bench.ts";
import { awsOn, elsewhere, onMoto } from "./aws-bench.ts";

const idOf = (providerId: string) => providerId.split("/")[1] ?? "";
/** What ends things, in the order in which it was sent. */
const endings = (actions: readonly string[]) => actions.filter((action) => /^(?:Cancel|Terminate)/.test(action));

describe("ending a machine", () => {
  onMoto("a one-time request is over with its machine: nothing is cancelled", async () => {
    const { provider, context, running, changes } = await awsOn();
    const { providerId } = await running();
    expect(await provider.destroy(providerId, context)).toBe("accepted");
    expect(endings(changes())).toEqual(["TerminateInstances"]);
  });

  onMoto("a persistent request is cancelled before its machine is ended, and nothing comes back", async () => {
    const { provider, cloud, context, running, until, changes, sent } = await awsOn();
    const { providerId } = await running({ waitsForCapacity: true });
    expect(await provider.destroy(providerId, context)).toBe("accepted");
    expect(endings(changes())).toEqual(["CancelSpotInstanceRequests", "TerminateInstances"]);
    const [request] = cloud.spotRequests();
    expect(sent("CancelSpotInstanceRequests")[0]).toMatchObject({ "SpotInstanceRequestId.1": request?.id });
    await until(providerId, (one) => one?.state === "gone");
    await new Promise((resolve) => setTimeout(resolve, 150));
    await cloud.settle();
    expect(cloud.living()).toEqual([]);
  });

  onMoto("when the cancelling is refused, the machine is not ended: another one would come", async () => {
    const { provider, cloud, context, running, changes } = await awsOn();
    const { providerId } = await running({ waitsForCapacity: true });
    cloud.switches.deniedActions = ["CancelSpotInstanceRequests"];
    await expect(provider.destroy(providerId, context)).rejects.toMatchObject({ fault: { kind: "auth" } });
    cloud.switches.deniedActions = ["DescribeSpotInstanceRequests"];
    await expect(provider.destroy(providerId, context)).rejects.toMatchObject({ fault: { kind: "auth" } });
    expect(changes()).not.toContain("TerminateInstances");
    expect(cloud.living()).toHaveLength(1);
  });

  onMoto("a machine that somebody ended elsewhere, whose request is still open, is not gone before that is cancelled", async () => {
    const { provider, cloud, context, running, changes } = await awsOn({ delays: { relaunch: 3_600_000 } });
    const { providerId } = await running({ waitsForCapacity: true });
    const { awsCall } = await elsewhere(cloud);
    await awsCall("TerminateInstances", { "InstanceId.1": idOf(providerId) });
    const seen = await eventually(async () => {
      const one = await provider.get(providerId, context);
      return one?.rawState === "terminated" ? one : undefined;
    }, "the end");
    expect(seen).toMatchObject({ state: "stopped", endedBy: "user" });
    expect(cloud.spotRequests()[0]?.state).toBe("open");
    expect(await provider.destroy(providerId, context)).toBe("gone");
    expect(endings(changes())).toEqual(["TerminateInstances", "CancelSpotInstanceRequests"]);
    expect(cloud.spotRequests()[0]?.state).toBe("cancelled");
    expect(await provider.get(providerId, context)).toMatchObject({ state: "gone" });
  });

  onMoto("a machine that somebody stopped keeps its request: it is cancelled too", async () => {
    const { provider, cloud, context, running, until } = await awsOn();
    const { providerId } = await running({ waitsForCapacity: true });
    const { awsCall } = await elsewhere(cloud);
    await awsCall("StopInstances", { "InstanceId.1": idOf(providerId) });
    expect(await until(providerId, (one) => one?.state === "stopped")).toMatchObject({ endedBy: "user" });
    expect(cloud.spotRequests()[0]?.state).toBe("disabled");
    await provider.destroy(providerId, context);
    await until(providerId, (one) => one === undefined || one.state === "gone");
    expect(cloud.spotRequests()[0]?.state).toBe("cancelled");
  });

  onMoto("an open request whose machine nobody remembers is in the list with our token, and is ended like a machine", async () => {
    const { provider, cloud, context, running } = await awsOn({ delays: { relaunch: 3_600_000, remembered: 1 } });
    const { providerId } = await running({ waitsForCapacity: true });
    const { awsCall } = await elsewhere(cloud);
    await awsCall("TerminateInstances", { "InstanceId.1": idOf(providerId) });
    const waiting = await eventually(
      async () => (await provider.list(context)).find((one) => one.providerId.includes("/sir-")),
      "the request",
    );
    expect(waiting).toMatchObject({ token: "t-1", state: "provisioning", billing: "spot", reach: null });
    expect(await provider.get(waiting.providerId, context)).toMatchObject({ token: "t-1" });
    expect(await provider.destroy(waiting.providerId, context)).toBe("gone");
    expect(await provider.list(context)).toEqual([]);
    expect(await provider.get(waiting.providerId, context)).toBeUndefined();
  });

  onMoto("a reclaim by stop leaves a machine that only EC2 starts again; it is stopped by the provider, and can be ended", async () => {
    const { provider, cloud, context, running, until } = await awsOn();
    const { providerId } = await running({ waitsForCapacity: true });
    await cloud.reclaim(providerId, { noticeSeconds: 0 });
    expect(await until(providerId, (one) => one?.state === "stopped")).toMatchObject({
      endedBy: "provider",
      reason: expect.stringContaining("Server.SpotInstanceShutdown"),
    });
    await provider.destroy(providerId, context);
    await until(providerId, (one) => one === undefined || one.state === "gone");
    expect(cloud.living()).toEqual([]);
  });

  onMoto("with capacity again EC2 starts it by itself: the same machine, without its notice", async () => {
    const { provider, cloud, context, running, until } = await awsOn({ delays: { restart: 50 } });
    const { providerId } = await running({ waitsForCapacity: true });
    cloud.setStock("g4dn.xlarge", 0);
    await cloud.reclaim(providerId, { noticeSeconds: 0 });
    await until(providerId, (one) => one?.state === "stopped");
    cloud.setStock("g4dn.xlarge", 1);
    expect(await until(providerId, (one) => one?.state === "running")).toMatchObject({ token: "t-1", reason: null, endedBy: null });
    expect((await provider.list(context)).map(({ notice }) => notice)).toEqual([null]);
  });

  onMoto("who ended it: EC2, or the machine itself", async () => {
    const { cloud, running, until } = await awsOn();
    const [one, two] = [await running({ token: "t-1" }), await running({ token: "t-2" })];
    await cloud.reclaim(one.providerId, { noticeSeconds: 0 });
    await cloud.shutDown(two.providerId);
    const over = (id: string) => until(id, (found) => found?.state === "gone");
    expect(await over(one.providerId)).toMatchObject({ endedBy: "provider", reason: expect.stringContaining("SpotInstanceTermination") });
    expect(await over(two.providerId)).toMatchObject({ endedBy: "guest" });
  });

  onMoto.each([
    "i-0abcdef0123456789",
    "us-east-1/i-",
    "us-east-1/vol-0abcdef0123456789",
    "../i-0abcdef0123456789",
    "us-east-1/i-0abcdef01/x",
  ])("%s never was", async (id) => {
    const { provider, cloud, context } = await awsOn();
    expect(await provider.get(id, context)).toBeUndefined();
    expect(await provider.destroy(id, context)).toBe("gone");
    expect(cloud.server.requests).toEqual([]);
  });
});

describe("eventual consistency", () => {
  onMoto("not found, a moment after the launch, is no proof that it is gone", async () => {
    const { provider, cloud, context, spec } = await awsOn({ switches: { notFoundFirst: 50, listedAfterMs: 60_000 } });
    const { providerId } = await provider.launch(await spec(), context);
    expect(await provider.get(providerId, context)).toMatchObject({ token: "t-1", state: "provisioning" });
    await expect(provider.destroy(providerId, context)).rejects.toMatchObject({ fault: { kind: "unavailable" } });
    expect(cloud.living()).toHaveLength(1);
  });

  onMoto("another process looks twice, and the second time by another way", async () => {
    const { provider, again, context, spec, sent } = await awsOn({ switches: { notFoundFirst: 1 } });
    const { providerId } = await provider.launch(await spec(), context);
    const other = await again();
    expect(await other.get(providerId, context)).toMatchObject({ token: "t-1" });
    expect(sent("DescribeInstances").at(-1)).toMatchObject({ "Filter.1.Name": "instance-id", "Filter.1.Value.1": idOf(providerId) });
  });
});
