import { afterEach, beforeEach, expect, test } from "vitest";
import { type SteppedClock, steppedClock } from "./clock.ts";
import { discovery } from "./discovery.ts";
import { type FakeGcp, fakeGcp } from "./fake.ts";
import { type Requests, requestsTo, spotVm, ZONE } from "./requests.ts";

const document = discovery();
let clock: SteppedClock;
let cloud: FakeGcp;
let to: Requests;

beforeEach(async () => {
  clock = steppedClock();
  cloud = await fakeGcp({ clock, ...(document === undefined ? {} : { document }) });
  to = requestsTo(cloud);
});

afterEach(async () => {
  const { complaints } = cloud;
  await cloud.close();
  expect(complaints).toEqual([]);
});

const ELSEWHERE = "europe-west4-b";
const names = (items: Readonly<Record<string, { readonly instances?: readonly { readonly name: string }[] }>>) =>
  Object.values(items).flatMap(({ instances = [] }) => instances.map(({ name }) => name));
const everything = (query = "") => to.get(`aggregated/instances?returnPartialSuccess=true${query}`);
const filtered = async (filter: string) => names((await everything(`&filter=${encodeURIComponent(filter)}`)).body.items);

test("a list of everything is a map of zones, with a warning where there is nothing, page by page", async () => {
  for (const name of ["a", "b", "c"]) await to.launch(name);
  await to.launch("d", {}, ELSEWHERE);
  const { body } = await everything();
  expect(names(body.items).toSorted()).toEqual(["a", "b", "c", "d"]);
  expect(body.items[`zones/${ELSEWHERE}`]).toMatchObject({ instances: [{ name: "d" }] });
  expect(body.items["zones/us-west1-a"]).toMatchObject({ warning: { code: "NO_RESULTS_ON_PAGE", data: [{ value: "zones/us-west1-a" }] } });
  expect(body).not.toHaveProperty("nextPageToken");
  cloud.switches.largestPage = 3;
  const first = await everything();
  const second = await everything(`&pageToken=${first.body.nextPageToken}`);
  expect([names(first.body.items), names(second.body.items)].map(({ length }) => length)).toEqual([3, 1]);
  expect(second.body).not.toHaveProperty("nextPageToken");
  expect((await everything("&maxResults=2")).body.nextPageToken).toBeDefined();
  for (const wrong of ["&maxResults=501", "&pageToken=x", "&orderBy=status", "&page=2"])
    expect(await everything(wrong)).toMatchObject({ status: 400 });
  expect((await to.get("zones/us-west1-a/instances")).body).not.toHaveProperty("items");
  expect((await to.get(`zones/${ZONE}/instances?maxResults=1`)).body).toMatchObject({
    items: [{ name: "a" }],
    nextPageToken: expect.any(String),
  });
});

test("a page begins at a place, which moves when somebody goes, or after a name", async () => {
  for (const name of ["a", "b", "c", "d"]) await to.launch(name);
  const restAfterOneWent = async () => {
    const { nextPageToken } = (await everything("&maxResults=2")).body;
    await to.done("DELETE", `zones/${ZONE}/instances/a`);
    return names((await everything(`&maxResults=2&pageToken=${nextPageToken}`)).body.items);
  };
  expect(await restAfterOneWent()).toEqual(["d"]);
  await to.launch("a");
  cloud.switches.pageTokensBy = "name";
  expect(await restAfterOneWent()).toEqual(["c", "d"]);
  const newest = (await to.get("aggregated/instances?orderBy=creationTimestamp%20desc&maxResults=1")).body;
  expect([names(newest.items), newest.nextPageToken]).toEqual([["d"], expect.any(String)]);
});

test("a zone that does not answer is missing with 200, and named; without consent to that it is an error", async () => {
  await to.launch("a");
  await to.launch("b", {}, ELSEWHERE);
  cloud.switches.unreachableZones = [ZONE];
  const { status, body } = await everything();
  expect([status, names(body.items), body.unreachables]).toEqual([200, ["b"], [`projects/${cloud.project}/zones/${ZONE}`]]);
  expect(body.items).not.toHaveProperty(`zones/${ZONE}`);
  cloud.switches.unreachableBy = "warning";
  const other = (await everything()).body;
  expect([other.unreachables, other.items[`zones/${ZONE}`].warning.code]).toEqual([undefined, "UNREACHABLE"]);
  expect(await to.get("aggregated/instances")).toMatchObject({ status: 503 });
  expect((await to.get(`zones/${ZONE}`)).body.status).toBe("DOWN");
});

test("filters: comparisons and their combinations, or regular expressions, and never both", async () => {
  await to.launch("a1", { labels: { owner: "x" } });
  await to.launch("a2", { labels: { owner: "y", team: "z" } });
  await to.launch("b1");
  expect(await filtered("labels.owner=x")).toEqual(["a1"]);
  expect(await filtered("labels.owner:*")).toEqual(["a1", "a2"]);
  expect(await filtered('(labels.owner = "y") (name != b1)')).toEqual(["a2"]);
  expect(await filtered("labels.owner=x OR name=b1")).toEqual(["a1", "b1"]);
  expect(await filtered("name=a*  AND NOT labels.team:*")).toEqual(["a1"]);
  expect(await filtered("scheduling.preemptible=true")).toHaveLength(3);
  expect(await filtered("name eq a.*")).toEqual(["a1", "a2"]);
  expect(await filtered('name eq "a"')).toEqual([]);
  expect(await filtered("(name ne a1) (status eq RUNNING)")).toEqual(["a2", "b1"]);
  expect(await filtered('machineType eq ".*/g2-standard-4"')).toHaveLength(3);
  for (const wrong of ["name eq a AND labels.owner=x", "name", "=x", "name == a", "name eq ["])
    expect([wrong, (await everything(`&filter=${encodeURIComponent(wrong)}`)).status]).toEqual([wrong, 400]);
});

test("a machine can be listed later than it is there, and with a status that nobody knows", async () => {
  await cloud.close();
  cloud = await fakeGcp({ clock, delays: { listedMs: 5_000 } });
  to = requestsTo(cloud);
  await to.post(`zones/${ZONE}/instances`, spotVm("late"));
  expect((await to.get(`zones/${ZONE}/instances/late`)).status).toBe(200);
  expect(names((await everything()).body.items)).toEqual([]);
  clock.pass(6_000);
  cloud.switches.shownStatus = "QUIESCING";
  expect((await everything()).body.items[`zones/${ZONE}`].instances).toMatchObject([{ name: "late", status: "QUIESCING" }]);
});

test("thousands of machines, page by page", async () => {
  const ids = await cloud.populate(2_000, (number) => ({ name: `m${number}`, token: number % 2 === 0 ? `t-${number}` : null }));
  expect([new Set(ids).size, cloud.living().filter(({ token }) => token !== null).length]).toEqual([2_000, 1_000]);
  const listed: string[] = [];
  let page = await everything();
  for (;;) {
    listed.push(...names(page.body.items));
    if (page.body.nextPageToken === undefined) break;
    page = await everything(`&pageToken=${page.body.nextPageToken}`);
  }
  expect(new Set(listed).size).toBe(2_000);
});

test("a partial response has what was asked for; a wrong selection is refused", async () => {
  await to.launch("a");
  const { body } = await everything("&fields=kind,items/*/instances(name,scheduling/preemptible)");
  expect(body).toEqual({
    kind: "compute#instanceAggregatedList",
    items: expect.objectContaining({ [`zones/${ZONE}`]: { instances: [{ name: "a", scheduling: { preemptible: true } }] } }),
  });
  expect(await everything("&fields=items(")).toMatchObject({ status: 400 });
});

test("the catalogue: types with their GPUs, zone by zone, images of Google's projects, firewalls", async () => {
  const { body } = await to.get(`aggregated/machineTypes?filter=${encodeURIComponent('name eq "a2-ultragpu.*"')}`);
  expect(body.items["zones/us-central1-a"].machineTypes).toContainEqual(
    expect.objectContaining({
      name: "a2-ultragpu-2g",
      guestCpus: 24,
      memoryMb: 348_160,
      zone: "us-central1-a",
      accelerators: [{ guestAcceleratorType: "nvidia-a100-80gb", guestAcceleratorCount: 2 }],
    }),
  );
  expect(body.items["zones/us-central1-b"].warning.code).toBe("NO_RESULTS_ON_PAGE");
  const accelerators = (await to.get("zones/us-central1-a/acceleratorTypes")).body.items.map(({ name }: { name: string }) => name);
  expect(accelerators).toEqual(expect.arrayContaining(["nvidia-l4", "nvidia-l4-vws", "ct5lp"]));
  const image = await to.get("/compute/v1/projects/deeplearning-platform-release/global/images/family/common-cu129-ubuntu-2204-nvidia-580");
  expect(image.body).toMatchObject({ family: "common-cu129-ubuntu-2204-nvidia-580", status: "READY", diskSizeGb: "50" });
  expect(await to.get("/compute/v1/projects/debian-cloud/global/images/family/debian-5")).toMatchObject({ status: 404 });
  expect(await to.get("/compute/v1/projects/other/zones")).toMatchObject({ status: 403 });
  await to.done("POST", "global/firewalls", { name: "f1", allowed: [{ IPProtocol: "tcp", ports: ["8080"] }], targetTags: ["x"] });
  expect((await to.get("global/firewalls/f1")).body).toMatchObject({ allowed: [{ ports: ["8080"] }], direction: "INGRESS" });
  expect(await to.post("global/firewalls", { name: "f1", allowed: [{ IPProtocol: "tcp" }] })).toMatchObject({ status: 409 });
  expect(await to.post("global/firewalls", { name: "f2", allowed: [{ IPProtocol: "tcp", ports: [8080] }] })).toMatchObject({ status: 400 });
});

test("prices are those of parts: Spot and on demand, by region, with rows beside them that are something else", async () => {
  const all = async (query: string) => {
    const rows = [];
    let token: string | undefined = "";
    let pages = 0;
    for (; token !== undefined; pages++) {
      const page = await to.get(`/v1/services/6F81-5844-456A/skus?${query}&pageToken=${encodeURIComponent(token)}`);
      rows.push(...page.body.skus);
      token = page.body.nextPageToken === "" ? undefined : page.body.nextPageToken;
    }
    return { rows, pages };
  };
  const { rows, pages } = await all("currencyCode=USD&pageSize=50");
  expect([pages > 2, rows.length]).toEqual([true, (await all("")).rows.length]);
  const row = rows.find(({ description }) => description === "Nvidia H100 80GB GPU attached to Spot Preemptible VMs running in Americas");
  expect(row).toMatchObject({
    category: { resourceFamily: "Compute", resourceGroup: "GPU", usageType: "Preemptible" },
    serviceRegions: ["us-central1", "us-east1", "us-west1"],
    pricingInfo: [{ pricingExpression: { usageUnit: "h", tieredRates: [{ unitPrice: { units: "2", nanos: 449_137_600 } }] } }],
  });
  const ids = rows.map(({ skuId }) => skuId);
  expect(new Set(ids).size).toBe(ids.length);
  expect(await to.get("/v1/services/6F81-5844-456A/skus?pageSize=5001")).toMatchObject({ status: 400 });
});
