import { describe, expect } from "vitest";
import { eventually } from "../conformance/bench.ts";
import { type AwsProviderBench, awsOn, elsewhere, onMoto } from "./aws-bench.ts";

const idOf = (providerId: string) => providerId.split("/")[1] ?? "";

/** The machine of a persistent request is ended elsewhere, and EC2 makes another one, which has no tags. */
async function madeAnew({ provider, cloud, context, running }: AwsProviderBench) {
  const first = await running({ waitsForCapacity: true });
  const { awsCall } = await elsewhere(cloud);
  await awsCall("TerminateInstances", { "InstanceId.1": idOf(first.providerId) });
  const second = await eventually(
    async () =>
      (await provider.list(context)).find(({ providerId, state }) => providerId !== first.providerId && ["running"].includes(state)),
    "another machine",
  );
  return { first, second };
}

describe("a machine that EC2 made for a request of ours by itself", () => {
  onMoto("has our token, though it has no tag: nobody would end it otherwise", async () => {
    const bench = await awsOn();
    const { second } = await madeAnew(bench);
    expect(second).toMatchObject({ token: "t-1", name: "job" });
    expect(await bench.provider.get(second.providerId, bench.context)).toMatchObject({ token: "t-1" });
  });

  onMoto("is ended with the one that it came after", async () => {
    const bench = await awsOn();
    const { first } = await madeAnew(bench);
    expect(await bench.provider.destroy(first.providerId, bench.context)).toBe("accepted");
    await eventually(async () => {
      await bench.cloud.settle();
      return bench.cloud.living().length === 0 ? true : undefined;
    }, "the end of both");
    expect(bench.cloud.spotRequests()[0]?.state).toBe("cancelled");
    await eventually(async () => {
      await bench.cloud.settle();
      return (await bench.provider.destroy(first.providerId, bench.context)) === "gone" ? true : undefined;
    }, "the end of both, by their words");
  });
});

describe("a persistent request that is not to be seen yet", () => {
  onMoto("keeps its machine from being ended: it would be made anew", async () => {
    const { provider, cloud, context, spec, changes } = await awsOn({ switches: { listedAfterMs: 60_000, requestIdLater: true } });
    const { providerId } = await provider.launch(await spec({ waitsForCapacity: true }), context);
    await expect(provider.destroy(providerId, context)).rejects.toMatchObject({ fault: { kind: "unavailable" } });
    expect(changes()).not.toContain("TerminateInstances");
    cloud.switches.listedAfterMs = 0;
    expect(await provider.destroy(providerId, context)).toBe("accepted");
    expect(cloud.spotRequests()[0]?.state).toBe("cancelled");
  });
});
