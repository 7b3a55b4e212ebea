import { expect, test } from "vitest";
import { awsBench, IMAGE, PERSISTENT, REGION, START, ZONE } from "./bench.ts";
import { motoAvailable } from "./moto.ts";
import { signedHeaders } from "./sigv4.ts";
import { itemsAt, textAt } from "./xml.ts";

const there = motoAvailable();
const MINUTE_MS = 60_000;

test.skipIf(!there)("who is not known, signs with another secret, at another time or not at all is refused", async () => {
  const { ask, keys, clock } = await awsBench();
  const wrong = { ...keys, secretAccessKey: "canary-another" };
  expect(await ask("DescribeInstances", {}, { keys: wrong })).toMatchObject({ status: 401, code: "AuthFailure" });
  expect(await ask("DescribeInstances", {}, { keys: { ...keys, accessKeyId: "AKIAIOSFODNN7EXAMPLE" } })).toMatchObject({ status: 401 });
  expect(await ask("DescribeInstances", {}, { at: clock.now() - 6 * MINUTE_MS })).toMatchObject({ status: 400, code: "RequestExpired" });
  expect(await ask("DescribeInstances", {}, { at: clock.now() + 6 * MINUTE_MS })).toMatchObject({ code: "RequestExpired" });
  expect(await ask("DescribeInstances", {}, { at: clock.now() + 4 * MINUTE_MS })).toMatchObject({ status: 200 });
  const unsigned = { "content-type": "application/x-www-form-urlencoded" };
  expect(await ask("DescribeInstances", {}, { headers: unsigned })).toMatchObject({ status: 403, code: "MissingAuthenticationToken" });
  expect(await ask("DescribeInstances", {}, { region: "me-south-1" })).toMatchObject({ status: 401, code: "AuthFailure" });
});

test.skipIf(!there)("temporary credentials count with their token alone, for the proxy and for moto, until they expire", async () => {
  const { ask, order, clock, cloud, launch } = await awsBench();
  const env = await cloud.temporary();
  const temporary = { accessKeyId: env["AWS_ACCESS_KEY_ID"] ?? "", secretAccessKey: env["AWS_SECRET_ACCESS_KEY"] ?? "" };
  const token = env["AWS_SESSION_TOKEN"] ?? "";
  expect(await ask("RunInstances", order(), { keys: temporary, token })).toMatchObject({ status: 200 });
  expect(await ask("RunInstances", order(), { keys: temporary })).toMatchObject({ status: 401, code: "AuthFailure" });
  expect(await ask("RunInstances", order(), { keys: temporary, token: `${token}x` })).toMatchObject({ status: 401 });
  cloud.switches.credentialsExpireAt = clock.now();
  expect(await ask("DescribeInstances", {}, { keys: temporary, token })).toMatchObject({ status: 400, code: "RequestExpired" });
  await launch();
  expect(cloud.living()).toHaveLength(2);
});

test.skipIf(!there)("a clock that is ahead shows in the Date header, and wants requests of its own time", async () => {
  const { ask, clock, cloud } = await awsBench({ skewMs: 7_200_000 });
  expect(await ask("DescribeInstances")).toMatchObject({ code: "RequestExpired" });
  expect(await ask("DescribeInstances", {}, { at: clock.now() + 7_200_000 })).toMatchObject({ status: 200 });
  const { headers } = await fetch(`${cloud.url}/spot-advisor-data.json`);
  expect(Date.parse(headers.get("date") ?? "")).toBeCloseTo(START + 7_200_000, -4);
});

test.skipIf(!there)("actions that are not allowed, not known or too many are refused in EC2's words", async () => {
  const { ask, clock, cloud } = await awsBench({ deniedActions: ["RunInstances"] });
  expect(await ask("RunInstances")).toMatchObject({ status: 403, code: "UnauthorizedOperation" });
  expect(await ask("MakeCoffee")).toMatchObject({ status: 400, code: "InvalidAction" });
  cloud.switches.requestsPerSecond = 2;
  clock.advance(5_000);
  expect((await ask("DescribeInstances")).status).toBe(200);
  expect((await ask("DescribeInstances")).status).toBe(200);
  expect(await ask("DescribeInstances")).toMatchObject({ status: 503, code: "RequestLimitExceeded" });
  clock.advance(1_001);
  expect((await ask("DescribeInstances")).status).toBe(200);
});

test.skipIf(!there)("new ids are not found at first, and missing from lists, where that is asked for", async () => {
  const { ask, launch, clock, instance, cloud } = await awsBench({ notFoundFirst: 2, listedAfterMs: 10_000 });
  const id = await launch();
  for (let times = 0; times < 2; times++)
    expect((await ask("DescribeInstances", { "InstanceId.1": id })).code).toBe("InvalidInstanceID.NotFound");
  expect(textAt(await instance(id), "instanceId")).toBe(id);
  expect((await ask("DescribeInstances")).text).not.toContain(id);
  clock.advance(10_000);
  expect((await ask("DescribeInstances")).text).toContain(id);
  expect((await ask("DescribeInstances", { "InstanceId.1": "i-nonsense" })).code).toBe("InvalidInstanceID.Malformed");
  expect(cloud.living()).toHaveLength(1);
});

test.skipIf(!there)("lists come in small pages, and a first page may be empty and carry a token", async () => {
  const { ask, launch, pages, cloud } = await awsBench({ pageSize: 2 });
  const ids = [];
  for (let count = 0; count < 5; count++) ids.push(await launch());
  expect(await pages("DescribeInstances", "reservationSet", "instanceId")).toEqual([ids.slice(0, 2), ids.slice(2, 4), ids.slice(4)]);
  cloud.switches.emptyFirstPage = true;
  const seen = await pages("DescribeInstances", "reservationSet", "instanceId");
  expect(seen.map((page) => page.length)).toEqual([0, 2, 2, 1]);
  cloud.switches.emptyFirstPage = false;
  expect((await pages("DescribeSpotInstanceRequests", "spotInstanceRequestSet", "instanceId")).flat()).toEqual(ids);
  for (const [parameters, code] of [
    [{ MaxResults: "2" }, "InvalidParameterValue"],
    [{ MaxResults: "5", "InstanceId.1": ids[0] ?? "" }, "InvalidParameterCombination"],
    [{ NextToken: "bm9uc2Vuc2U=" }, "InvalidNextToken"],
    [{ "Filter.1.Name": "colour", "Filter.1.Value.1": "blue" }, "InvalidParameterValue"],
  ] as const)
    expect((await ask("DescribeInstances", parameters)).code).toBe(code);
});

test.skipIf(!there)("filters look at tags, states and the life cycle", async () => {
  const { launch, pages, ask } = await awsBench();
  const tag = {
    "TagSpecification.1.ResourceType": "instance",
    "TagSpecification.1.Tag.1.Key": "job",
    "TagSpecification.1.Tag.1.Value": "a<b",
  };
  const [tagged] = [await launch(tag), await launch()];
  const found = (name: string, value: string) =>
    pages("DescribeInstances", "reservationSet", "instanceId", { "Filter.1.Name": name, "Filter.1.Value.1": value });
  expect(await found("tag:job", "a*")).toEqual([[tagged]]);
  expect(await found("tag-key", "job")).toEqual([[tagged]]);
  expect((await found("instance-lifecycle", "spot")).flat()).toHaveLength(2);
  expect(await found("instance-state-name", "stopped")).toEqual([[]]);
  await ask("CreateTags", { "ResourceId.1": tagged, "Tag.1.Key": "job", "Tag.1.Value": "c" });
  expect(await found("tag:job", "c")).toEqual([[tagged]]);
});

test.skipIf(!there)("prices move, differ by zone, and the one in force at the start is among them", async () => {
  const { ask, clock, cloud } = await awsBench();
  const history = async (from: number, change = {}) => {
    const parameters = {
      "InstanceType.1": "g5.xlarge",
      "ProductDescription.1": "Linux/UNIX",
      StartTime: new Date(from).toISOString(),
      ...change,
    };
    const { document } = await ask("DescribeSpotPriceHistory", parameters);
    return itemsAt(document, "spotPriceHistorySet").map((item) => [
      textAt(item, "availabilityZone"),
      textAt(item, "spotPrice"),
      Date.parse(textAt(item, "timestamp")),
    ]);
  };
  const now = await history(clock.now());
  expect(now.map(([zone]) => zone).toSorted()).toEqual(["us-east-1a", "us-east-1b", "us-east-1c"]);
  expect(new Set(now.map(([, price]) => price)).size).toBe(3);
  for (const [, price, at] of now) expect([String(price), Number(at) <= clock.now()]).toEqual([expect.stringMatching(/^0\.\d{6}$/), true]);
  expect(now.find(([zone]) => zone === ZONE)?.[1]).toBe(cloud.price("g5.xlarge", ZONE));
  const day = await history(clock.now() - 86_400_000, { AvailabilityZone: ZONE });
  expect(day.length).toBeGreaterThanOrEqual(5);
  expect(day.at(-1)?.[2]).toBeLessThanOrEqual(clock.now() - 86_400_000);
  expect(new Set(day.map(([, price]) => price)).size).toBeGreaterThan(3);
});

test.skipIf(!there)("types are the real ones; a sold-out pool scores 1, and few types score low", async () => {
  const { ask, cloud, pages } = await awsBench();
  const types = (
    await pages("DescribeInstanceTypes", "instanceTypeSet", "instanceType", { "Filter.1.Name": "instance-type", "Filter.1.Value.1": "g6*" })
  ).flat();
  expect(types.toSorted()).toEqual(["g6.12xlarge", "g6.xlarge", "g6e.xlarge", "g6f.large"]);
  const { document } = await ask("DescribeInstanceTypes", { "InstanceType.1": "g6f.large" });
  const gpu = itemsAt(itemsAt(document, "instanceTypeSet")[0], "gpuInfo", "gpus")[0];
  expect([textAt(gpu, "name"), textAt(gpu, "count"), textAt(gpu, "gpuPartitionSize")]).toEqual(["L4", "0", "0.125"]);
  const scores = async (...names: readonly string[]) => {
    const named = Object.fromEntries(names.map((name, index) => [`InstanceType.${index + 1}`, name]));
    const answer = await ask("GetSpotPlacementScores", {
      ...named,
      TargetCapacity: "1",
      SingleAvailabilityZone: "true",
      "RegionName.1": REGION,
    });
    return itemsAt(answer.document, "spotPlacementScoreSet").map((item) => textAt(item, "score"));
  };
  expect(await scores("g5.xlarge", "g6.xlarge", "g4dn.xlarge")).toEqual(["9", "9", "9"]);
  expect(await scores("g5.xlarge")).toEqual(["3", "3", "3"]);
  cloud.setStock("g5.xlarge", 0, ZONE);
  expect(await scores("g5.xlarge")).toEqual(["1", "3", "3"]);
});

test.skipIf(!there)("volumes belong to a zone and one machine, outlive it, and go only when they are free", async () => {
  const { ask, clock, cloud, launch } = await awsBench();
  const create = (change = {}) =>
    ask("CreateVolume", { AvailabilityZone: ZONE, Size: "10", VolumeType: "gp3", ClientToken: "v-1", ...change });
  const volume = textAt((await create()).document, "volumeId");
  expect(textAt((await create()).document, "volumeId")).toBe(volume);
  expect((await create({ Size: "11" })).code).toBe("IdempotentParameterMismatch");
  const [here, elsewhere] = [await launch(), await launch({ "Placement.AvailabilityZone": "us-east-1b" })];
  await cloud.settle();
  const attach = (id: string) => ask("AttachVolume", { VolumeId: volume, InstanceId: id, Device: "/dev/sdf" });
  expect((await attach(elsewhere)).code).toBe("InvalidVolume.ZoneMismatch");
  expect(textAt((await attach(here)).document, "status")).toBe("attaching");
  expect((await attach(here)).code).toBe("VolumeInUse");
  clock.advance(1000);
  expect((await ask("DescribeInstances", { "InstanceId.1": here })).text).toContain(volume);
  expect((await ask("DeleteVolume", { VolumeId: volume })).code).toBe("VolumeInUse");
  await ask("TerminateInstances", { "InstanceId.1": here });
  clock.advance(1000);
  await cloud.settle();
  expect(cloud.volumes()).toMatchObject([{ providerId: `us-east-1/${volume}`, attachedTo: null }]);
  const snapshot = textAt((await ask("CreateSnapshot", { VolumeId: volume })).document, "snapshotId");
  const status = async () => {
    const [item] = itemsAt((await ask("DescribeSnapshots", { "Owner.1": "self" })).document, "snapshotSet");
    return [textAt(item, "status"), textAt(item, "progress")];
  };
  clock.advance(15);
  expect(await status()).toEqual(["pending", "50%"]);
  expect((await create({ ClientToken: "v-2", SnapshotId: snapshot })).code).toBe("IncorrectState");
  clock.advance(15);
  expect(await status()).toEqual(["completed", "100%"]);
  expect((await ask("DeleteVolume", { VolumeId: volume })).status).toBe(200);
  expect((await ask("DeleteVolume", { VolumeId: volume })).code).toBe("InvalidVolume.NotFound");
  expect((await create({ ClientToken: "v-3", SnapshotId: snapshot })).status).toBe(200);
});

test.skipIf(!there)("the queue is filled with the envelope of EventBridge, and read and emptied over SQS's own protocol", async () => {
  const { cloud, clock, keys, launch } = await awsBench();
  const queue = await cloud.queue();
  const id = await launch();
  await cloud.settle();
  await cloud.reclaim(`us-east-1/${id}`, { noticeSeconds: 90, tell: "queue" });
  await cloud.rebalance(`us-east-1/${id}`);
  const sqs = async (action: string, body: object) => {
    const text = JSON.stringify(body);
    const headers = { host: new URL(cloud.url).host, "content-type": "application/x-amz-json-1.0", "x-amz-target": `AmazonSQS.${action}` };
    const signed = signedHeaders({ path: "/", headers, body: text }, { region: REGION, service: "sqs" }, keys, clock.now());
    const answer = await fetch(cloud.url, { method: "POST", headers: signed, body: text });
    expect(answer.status).toBe(200);
    // biome-ignore lint/suspicious/noExplicitAny: answers of many shapes; a wrong path fails the assertion.
    return (await answer.json()) as any;
  };
  const { Messages } = await sqs("ReceiveMessage", { QueueUrl: queue, MaxNumberOfMessages: 10 });
  const bodies = Messages.map(({ Body }: { readonly Body: string }) => JSON.parse(Body));
  expect(bodies).toMatchObject([
    {
      source: "aws.ec2",
      "detail-type": "EC2 Spot Instance Interruption Warning",
      time: new Date(clock.now() - 30_000).toISOString().replace(".000", ""),
      resources: [`arn:aws:ec2:us-east-1a:instance/${id}`],
      detail: { "instance-id": id, "instance-action": "terminate" },
    },
    { "detail-type": "EC2 Instance Rebalance Recommendation", detail: { "instance-id": id } },
  ]);
  const entries = Messages.map(({ ReceiptHandle }: { readonly ReceiptHandle: string }, index: number) => ({
    Id: String(index),
    ReceiptHandle,
  }));
  const deleted = await sqs("DeleteMessageBatch", { QueueUrl: queue, Entries: entries });
  expect(deleted.Successful).toHaveLength(2);
});

test.skipIf(!there)("two clouds of one process do not see each other, and the next one finds nothing left", async () => {
  const [one, other] = [await awsBench(), await awsBench()];
  await one.launch();
  const group = { GroupName: "spot-fleet", GroupDescription: "ours" };
  expect((await one.ask("CreateSecurityGroup", group)).status).toBe(200);
  expect((await other.ask("CreateSecurityGroup", group)).status).toBe(200);
  expect(await other.pages("DescribeInstances", "reservationSet", "instanceId")).toEqual([[]]);
  await one.cloud.close();
  const next = await awsBench();
  expect(
    (await next.ask("DescribeSecurityGroups", { "Filter.1.Name": "group-name", "Filter.1.Value.1": "spot-fleet" })).text,
  ).not.toContain("sg-");
  expect(await next.pages("DescribeInstances", "reservationSet", "instanceId")).toEqual([[]]);
  expect(IMAGE).toMatch(/^ami-/);
});

test.skipIf(!there)("the price list and the advisor speak of the same types, and only of regions that the account has", async () => {
  const { cloud, clock, keys } = await awsBench();
  const products = async (filters: Readonly<Record<string, string>>, token?: string) => {
    const Filters = Object.entries(filters).map(([Field, Value]) => ({ Type: "TERM_MATCH", Field, Value }));
    const body = JSON.stringify({ ServiceCode: "AmazonEC2", Filters, ...(token === undefined ? {} : { NextToken: token }) });
    const headers = {
      host: new URL(cloud.url).host,
      "content-type": "application/x-amz-json-1.1",
      "x-amz-target": "AWSPriceListService.GetProducts",
    };
    const signed = signedHeaders({ path: "/", headers, body }, { region: REGION, service: "pricing" }, keys, clock.now());
    const answer = await fetch(cloud.url, { method: "POST", headers: signed, body });
    // biome-ignore lint/suspicious/noExplicitAny: answers of many shapes; a wrong path fails the assertion.
    return { status: answer.status, body: (await answer.json()) as any };
  };
  const { body } = await products({ instanceType: "g5.xlarge", operatingSystem: "Linux", regionCode: REGION });
  expect(body.PriceList).toHaveLength(1);
  const item = JSON.parse(body.PriceList[0]);
  expect(item.product.attributes).toMatchObject({ instanceType: "g5.xlarge", regionCode: REGION, tenancy: "Shared" });
  const [term] = Object.values<{ priceDimensions: object }>(item.terms.OnDemand);
  expect(Object.values(term?.priceDimensions ?? {})).toMatchObject([{ unit: "Hrs", pricePerUnit: { USD: "1.0060000000" } }]);
  const first = await products({ operatingSystem: "Linux" });
  expect(first.body.PriceList).toHaveLength(10);
  expect((await products({ operatingSystem: "Linux" }, first.body.NextToken)).body.PriceList[0]).not.toEqual(first.body.PriceList[0]);
  // biome-ignore lint/suspicious/noExplicitAny: a wrong path fails the assertion.
  const advice = (await (await fetch(cloud.env["SPOT_AWS_ADVISOR_URL"] ?? "")).json()) as any;
  expect(Object.keys(advice.spot_advisor)).toEqual(["us-east-1", "eu-west-1"]);
  expect(advice.spot_advisor["us-east-1"].Linux["g5.xlarge"]).toEqual({ s: 59, r: expect.any(Number) });
  expect(advice.ranges).toHaveLength(5);
});

test.skipIf(!there)(
  "a region may be silent, a zone without a subnet, a request named later, and an end come anew with its tags",
  async () => {
    const tags = {
      "TagSpecification.1.ResourceType": "instance",
      "TagSpecification.1.Tag.1.Key": "a",
      "TagSpecification.1.Tag.1.Value": "b",
    };
    const switches = { silentRegions: ["eu-west-1"], zonesWithoutSubnet: ["us-east-1b"], requestIdLater: true, relaunchKeepsTags: true };
    const { ask, order, cloud, clock, instance, launch } = await awsBench(switches);
    const silent = await ask("DescribeInstances", {}, { region: "eu-west-1" });
    expect([silent.status, silent.document]).toEqual([503, undefined]);
    expect((await ask("RunInstances", order({ "Placement.AvailabilityZone": "us-east-1b" }))).code).toBe("MissingInput");
    const made = await ask("RunInstances", order());
    const id = textAt(itemsAt(made.document, "instancesSet")[0], "instanceId");
    expect(textAt(itemsAt(made.document, "instancesSet")[0], "spotInstanceRequestId")).toBe("");
    expect(textAt(await instance(id), "spotInstanceRequestId")).toMatch(/^sir-/);
    const lasting = await launch({ ...PERSISTENT, ...tags });
    await ask("TerminateInstances", { "InstanceId.1": lasting });
    for (let times = 0; times < 2; times++) {
      clock.advance(1000);
      await cloud.settle();
    }
    const next = cloud.living().find(({ providerId }) => providerId !== `us-east-1/${id}`);
    expect((await instance(next?.providerId.split("/")[1] ?? ""))?.children.some(({ name }) => name === "tagSet")).toBe(true);
  },
);
