import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect } from "vitest";
import { eventually } from "../conformance/bench.ts";
import { type AwsProviderBench, awsOn, onMoto } from "./aws-bench.ts";

const NOTICE_MS = 120_000;

async function noticed({ provider, context }: AwsProviderBench, providerId: string, from = provider) {
  const found = await eventually(
    async () => (await from.list(context)).find((one) => one.providerId === providerId && one.notice !== null),
    "the notice",
  );
  return found.notice;
}

/** Messages that are still there, seen or not. */
async function left(cloud: AwsProviderBench["cloud"]): Promise<number> {
  return cloud.server.requests.filter(({ headers }) => (headers["x-amz-target"] ?? "").endsWith("DeleteMessageBatch")).length;
}

describe("the spot request's own word", () => {
  onMoto("marked for termination: two minutes from the mark, and the deadline is ours", async () => {
    const bench = await awsOn();
    const [one, other] = [await bench.running({ token: "t-1" }), await bench.running({ token: "t-2" })];
    await bench.cloud.reclaim(one.providerId, { noticeSeconds: 120, tell: "status" });
    const notice = await noticed(bench, one.providerId);
    expect(notice).toMatchObject({ kind: "reclaim", source: "api", assumed: true });
    expect(Math.abs((notice?.deadline ?? 0) - Date.now() - NOTICE_MS)).toBeLessThan(60_000);
    const rest = (await bench.provider.list(bench.context)).find(({ providerId }) => providerId === other.providerId);
    expect(rest?.notice).toBeNull();
  });

  onMoto("marked for stop is a reclaim, too", async () => {
    const bench = await awsOn();
    const { providerId } = await bench.running({ waitsForCapacity: true });
    await bench.cloud.reclaim(providerId, { noticeSeconds: 120, tell: "status" });
    expect(await noticed(bench, providerId)).toMatchObject({ kind: "reclaim" });
  });

  onMoto("without a queue nobody asks SQS", async () => {
    const { provider, cloud, context, running } = await awsOn();
    await running();
    await provider.list(context);
    expect(cloud.server.requests.filter(({ headers }) => headers["x-amz-target"]?.startsWith("AmazonSQS"))).toEqual([]);
  });
});

describe("a queue that EventBridge fills", () => {
  async function withQueue(tell: "queue" | "both" = "queue") {
    const bench = await awsOn();
    const SPOT_AWS_NOTICE_QUEUE_URL = await bench.cloud.queue();
    const provider = await bench.again({ SPOT_AWS_NOTICE_QUEUE_URL });
    const { providerId } = await bench.running();
    return { ...bench, provider, providerId, tell, another: () => bench.again({ SPOT_AWS_NOTICE_QUEUE_URL }) };
  }

  onMoto("an interruption warning is a notice with the event's own time, in its file before its message is deleted", async () => {
    const bench = await withQueue();
    await bench.cloud.reclaim(bench.providerId, { noticeSeconds: 120, tell: "queue" });
    const notice = await noticed(bench, bench.providerId);
    expect(notice).toMatchObject({ kind: "reclaim", source: "api" });
    expect(notice).not.toHaveProperty("assumed");
    expect(Math.abs((notice?.deadline ?? 0) - Date.now() - NOTICE_MS)).toBeLessThan(60_000);
    expect(readdirSync(join(bench.home, "aws-notices"))).toHaveLength(1);
    expect(await left(bench.cloud)).toBe(1);
  });

  onMoto("another process still knows it: a notice that is missing would count as withdrawn", async () => {
    const bench = await withQueue();
    await bench.cloud.reclaim(bench.providerId, { noticeSeconds: 120, tell: "queue" });
    const first = await noticed(bench, bench.providerId);
    const second = await noticed(bench, bench.providerId, await bench.another());
    expect(second?.deadline).toBe(first?.deadline);
  });

  onMoto("a rebalance recommendation is one, and gives way to a notice", async () => {
    const bench = await withQueue();
    await bench.cloud.rebalance(bench.providerId);
    expect(await noticed(bench, bench.providerId)).toMatchObject({ kind: "rebalance" });
    await bench.cloud.reclaim(bench.providerId, { noticeSeconds: 120, tell: "queue" });
    await eventually(
      async () => ((await noticed(bench, bench.providerId))?.kind === "reclaim" ? true : undefined),
      "the reclaim in the place of the recommendation",
    );
  });

  onMoto("the events of states are taken from the queue, and are no notices", async () => {
    const bench = await withQueue();
    const { providerId, cloud, provider, context } = bench;
    await cloud.shutDown(providerId);
    await provider.list(context);
    const found = (await provider.list(context)).find((one) => one.providerId === providerId);
    expect(found?.notice ?? null).toBeNull();
  });

  onMoto("a queue that is not there is told with its variable by a launch; neither it nor a silent one costs a list", async () => {
    const bench = await withQueue();
    const SPOT_AWS_NOTICE_QUEUE_URL = `${await bench.cloud.queue()}-elsewhere`;
    const wrong = await bench.again({ SPOT_AWS_NOTICE_QUEUE_URL });
    const launched = wrong.launch(await bench.spec({ token: "t-9" }), bench.context);
    await expect(launched).rejects.toMatchObject({
      fault: { kind: "invalid-request" },
      message: expect.stringContaining("SPOT_AWS_NOTICE_QUEUE_URL"),
    });
    expect((await wrong.list(bench.context)).map(({ providerId }) => providerId)).toEqual([bench.providerId]);
    const isSqs = ({ headers }: { readonly headers: Readonly<Record<string, string>> }) =>
      headers["x-amz-target"]?.startsWith("AmazonSQS") === true;
    bench.cloud.server.disturb({ what: { do: "reset-before" }, match: isSqs, times: Number.POSITIVE_INFINITY });
    expect((await bench.provider.list(bench.context)).map(({ providerId }) => providerId)).toEqual([bench.providerId]);
  });
});
