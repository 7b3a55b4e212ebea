import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect } from "vitest";
import { noticeShelf } from "../../src/providers/aws/notice-shelf.ts";
import type { FakeRequest } from "../clouds/fake-server.ts";
import { eventually } from "../conformance/bench.ts";
import { awsOn, onMoto } from "./aws-bench.ts";

const isSqs = ({ headers }: FakeRequest) => headers["x-amz-target"]?.startsWith("AmazonSQS") === true;
const VARIABLE = "SPOT_AWS_NOTICE_QUEUE_URL";

async function withQueue() {
  const bench = await awsOn();
  const url = await bench.cloud.queue();
  const again = () => bench.again({ [VARIABLE]: url });
  const provider = await again();
  const { providerId } = await bench.running();
  const [region = "", id = ""] = providerId.split("/");
  const noticed = async () => (await provider.list(bench.context)).find((one) => one.providerId === providerId)?.notice ?? undefined;
  return { ...bench, provider, providerId, machine: { region, id }, url, again, noticed };
}

describe("a machine that is asked for by itself", () => {
  onMoto("has the notice of its request: without it, it would count as withdrawn", async () => {
    const { cloud, provider, running, context } = await awsOn();
    const { providerId } = await running();
    await cloud.reclaim(providerId, { noticeSeconds: 120, tell: "status" });
    expect((await provider.get(providerId, context))?.notice).toMatchObject({ kind: "reclaim" });
  });

  onMoto("has the notice that another process took from the queue", async () => {
    const { cloud, provider, providerId, context, again, noticed } = await withQueue();
    await cloud.reclaim(providerId, { noticeSeconds: 120, tell: "queue" });
    const first = await eventually(noticed, "the notice");
    expect((await (await again()).get(providerId, context))?.notice).toMatchObject({ kind: "reclaim", deadline: first.deadline });
    expect((await provider.get(providerId, context))?.notice).toMatchObject({ kind: "reclaim" });
  });
});

describe("a queue in trouble", () => {
  onMoto("one that refuses costs no list, which is what ends machines; it is told before anything is rented", async () => {
    const { again, cloud, context, providerId, spec, sent } = await withQueue();
    const denied = { status: 403, body: '{"__type":"com.amazonaws.sqs#AccessDenied","message":"no"}' };
    cloud.server.disturb({ what: { do: "answer", answer: denied }, match: isSqs, times: Number.POSITIVE_INFINITY });
    const provider = await again();
    expect((await provider.list(context)).map((one) => one.providerId)).toEqual([providerId]);
    const before = sent("RunInstances").length;
    await expect(provider.launch(await spec({ token: "t-2" }), context)).rejects.toMatchObject({
      fault: { kind: "auth" },
      message: expect.stringContaining(VARIABLE),
    });
    expect(sent("RunInstances")).toHaveLength(before);
  });

  onMoto("one that hangs costs a list a few seconds and no more", async () => {
    const { provider, cloud, context, providerId } = await withQueue();
    // Longer than this test may take.
    cloud.server.disturb({ what: { do: "stall", ms: 600_000 }, match: isSqs, times: Number.POSITIVE_INFINITY });
    expect((await provider.list(context)).map((one) => one.providerId)).toEqual([providerId]);
    cloud.server.calm();
  });

  onMoto("a notice that cannot be put into its file is shown all the same, and its message stays", async () => {
    const { cloud, providerId, home, noticed } = await withQueue();
    rmSync(join(home, "aws-notices"), { recursive: true, force: true });
    writeFileSync(join(home, "aws-notices"), "in the way");
    await cloud.reclaim(providerId, { noticeSeconds: 120, tell: "queue" });
    expect(await eventually(noticed, "the notice")).toMatchObject({ kind: "reclaim" });
    expect(await noticed()).toMatchObject({ kind: "reclaim" });
    expect(cloud.server.requests.filter(({ headers }) => headers["x-amz-target"]?.endsWith("DeleteMessageBatch"))).toEqual([]);
  });
});

describe("a machine that was stopped, and that EC2 started again", () => {
  const SOON = 120_000;

  onMoto("its second notice is no repetition of the first", async () => {
    const { cloud, providerId, machine, home, noticed } = await withQueue();
    const deadline = Date.now() - 1_000;
    await noticeShelf(home).put(machine, { kind: "reclaim", source: "api", seenAt: deadline - SOON, deadline });
    await cloud.reclaim(providerId, { noticeSeconds: 120, tell: "queue" });
    const second = await eventually(async () => {
      const notice = await noticed();
      return notice !== undefined && notice.deadline > Date.now() ? notice : undefined;
    }, "the second notice");
    expect(Math.abs(second.deadline - Date.now() - SOON)).toBeLessThan(60_000);
  });

  onMoto("what was told before it was started does not count any more", async () => {
    const { machine, home, noticed } = await withQueue();
    const deadline = Date.now() - 300_000;
    await noticeShelf(home).put(machine, { kind: "reclaim", source: "api", seenAt: deadline - SOON, deadline });
    expect(await noticed()).toBeUndefined();
  });
});
