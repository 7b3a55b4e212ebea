import { afterEach, expect, test } from "vitest";
import { systemClock } from "../../../src/platform/clock.ts";
import { startMetadata } from "./metadata.ts";
import type { MetadataKind, MetadataOptions, MetadataService } from "./service.ts";

const open: MetadataService[] = [];
afterEach(async () => {
  for (const service of open.splice(0)) await service.close();
});

async function start(kind: MetadataKind, options: Partial<MetadataOptions> = {}): Promise<MetadataService> {
  const service = await startMetadata(kind, { clock: systemClock, ...options });
  open.push(service);
  return service;
}

async function ask(service: MetadataService, path: string, headers: Record<string, string> = {}, method = "GET") {
  const response = await fetch(service.url + path, { method, headers });
  return { status: response.status, etag: response.headers.get("etag"), text: await response.text() };
}

const AWS = "/latest/meta-data/spot/instance-action";
const awsToken = async (service: MetadataService, seconds = "60") =>
  ask(service, "/latest/api/token", { "X-aws-ec2-metadata-token-ttl-seconds": seconds }, "PUT");

test("EC2: nothing without a token, a 404 page until there is a notice, and then a document with its time", async () => {
  const service = await start("aws");
  expect(await ask(service, AWS)).toMatchObject({ status: 401, text: expect.stringContaining("<title>401 - Unauthorized</title>") });
  expect((await awsToken(service, "0")).status).toBe(400);
  expect((await awsToken(service, "21601")).status).toBe(400);
  const headers = { "x-aws-ec2-metadata-token": (await awsToken(service)).text };
  expect(await ask(service, AWS, headers)).toMatchObject({ status: 404, text: expect.stringContaining("XHTML") });
  service.giveNotice(Date.UTC(2026, 10, 21, 8, 22, 0, 700));
  expect((await ask(service, AWS, headers)).text).toBe('{"action":"terminate","time":"2026-11-21T08:22:00Z"}');
  expect((await ask(service, "/latest/meta-data/instance-action", headers)).text).toBe("none");
  expect((await ask(service, "/latest/meta-data/events/recommendations/rebalance", headers)).status).toBe(404);
  service.giveRebalance();
  expect((await ask(service, "/latest/meta-data/events/recommendations/rebalance", headers)).text).toMatch(/^{"noticeTime":"\d{4}-.*Z"}$/);
  service.forgetTokens();
  expect((await ask(service, AWS, headers)).status).toBe(401);
  expect(service.requests.at(-1)).toMatchObject({ method: "GET", path: AWS, status: 401 });
});

test("a token ends when its time is over", async () => {
  let now = 1_000_000;
  const service = await start("aws", { clock: { ...systemClock, now: () => now } });
  const headers = { "x-aws-ec2-metadata-token": (await awsToken(service)).text };
  now += 59_000;
  expect((await ask(service, AWS, headers)).status).toBe(404);
  now += 1000;
  expect((await ask(service, AWS, headers)).status).toBe(401);
});

const GCP = "/computeMetadata/v1/instance/preempted";
const FLAVOUR = { "Metadata-Flavor": "Google" };

test("Compute Engine: a read that waits returns at the change, at once when it has another ETag, and at its time", async () => {
  const service = await start("gcp");
  expect((await ask(service, GCP)).status).toBe(403);
  const first = await ask(service, GCP, FLAVOUR);
  expect(first).toMatchObject({ status: 200, text: "FALSE" });
  const waiting = `${GCP}?wait_for_change=true&last_etag=${first.etag}`;
  const hanging = ask(service, `${waiting}&timeout_sec=20`, FLAVOUR);
  expect((await ask(service, `${waiting}&timeout_sec=0.05`, FLAVOUR)).text).toBe("FALSE");
  service.giveNotice(0);
  expect((await hanging).text).toBe("TRUE");
  expect((await ask(service, `${waiting}&timeout_sec=20`, FLAVOUR)).text).toBe("TRUE");
});

const ALIBABA = "/latest/meta-data/instance/spot/termination-time";

test("Alibaba: the hardened mode wants a token, the normal one does not", async () => {
  const hardened = await start("alibaba");
  const normal = await start("alibaba", { tokens: "none" });
  expect((await ask(hardened, ALIBABA)).status).toBe(403);
  const token = await ask(hardened, "/latest/api/token", { "X-aliyun-ecs-metadata-token-ttl-seconds": "60" }, "PUT");
  const headers = { "x-aliyun-ecs-metadata-token": token.text };
  expect((await ask(hardened, ALIBABA, headers)).status).toBe(404);
  expect((await ask(normal, "/latest/api/token", {}, "PUT")).status).toBe(404);
  expect((await ask(normal, ALIBABA)).status).toBe(404);
  for (const service of [hardened, normal]) service.giveNotice(Date.UTC(2015, 0, 5, 18, 2));
  expect((await ask(hardened, ALIBABA, headers)).text).toBe("2015-01-05T18:02:00Z");
  expect((await ask(normal, ALIBABA)).text).toBe("2015-01-05T18:02:00Z");
});
