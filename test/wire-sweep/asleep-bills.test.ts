import { expect, onTestFinished, test } from "vitest";
import { putToSleep } from "../../src/fleet/park.ts";
import { preflightOf } from "../../src/fleet/sleeping/facts.ts";
import type { AsleepItem } from "../../src/model/asleep.ts";
import { alibabaProvider } from "../../src/providers/alibaba/provider.ts";
import { awsProvider } from "../../src/providers/aws/provider.ts";
import { gcpProvider } from "../../src/providers/gcp/provider.ts";
import { fakeAlibaba } from "../clouds/alibaba/alibaba.ts";
import { fakeAws } from "../clouds/aws/aws.ts";
import { motoAvailable } from "../clouds/aws/moto.ts";
import { fakeGcp } from "../clouds/gcp/fake.ts";
import { handClock } from "../local-cloud/hand-clock.ts";
import { context, launchSpec, reached, runningCloud } from "../local-cloud/running-cloud.ts";
import { up } from "../simulation/scenarios.ts";
import { onHyperstack, onNovita, onVerda } from "./one-cloud.ts";
import { type CloudOnTheWire, type WireWorld, wireWorld } from "./wire-world.ts";

const signal = new AbortController().signal;
/** No path at all: the virtual clock need not wait for a disk. */
const NO_DISK = "/nowhere\0";

/** A cloud with its books open: what it bills now, by what it is. */
interface Books {
  readonly world: WireWorld;
  open(): readonly AsleepItem[];
}

type OnlyFake = Pick<CloudOnTheWire, "server" | "living" | "volumes" | "close">;

async function worldOf<Fake extends OnlyFake>(
  make: (clock: WireWorld["clock"]) => Promise<{ readonly fake: Fake; readonly provider: CloudOnTheWire["provider"] }>,
): Promise<{ readonly world: WireWorld; readonly cloud: Fake }> {
  let cloud: Fake | undefined;
  const world = await wireWorld(async (clock) => {
    const { fake, provider } = await make(clock);
    cloud = fake;
    return { provider, server: fake.server, living: fake.living, volumes: fake.volumes, giveNotice: async () => false, close: fake.close };
  });
  if (cloud === undefined) throw new Error("no cloud");
  return { world, cloud };
}

async function hyperstack(refuseHibernate: string | null): Promise<Books> {
  const { world, cloud } = await onHyperstack({ refuseHibernate });
  const items = { machine: "gpu", "root-disk": "rootDisk", volume: "volume", address: "address" } as const;
  return { world, open: () => cloud.site.ledger.charges.filter(({ to }) => to === null).map(({ kind }) => items[kind]) };
}

async function verda(): Promise<Books> {
  const { world, cloud } = await onVerda();
  const isRoot = (id: string) => cloud.volumes().some((one) => one.providerId === id && one.isRoot);
  const open = () => cloud.bill().filter(({ to }) => to === null);
  return {
    world,
    open: () => open().map(({ kind, resourceId }) => (kind === "instance" ? "gpu" : isRoot(resourceId) ? "rootDisk" : "volume")),
  };
}

async function novita(): Promise<Books> {
  const { world, cloud } = await onNovita();
  const known = new Set<string>();
  return {
    world,
    open() {
      for (const { providerId } of cloud.living()) known.add(providerId);
      const spans = [...known].flatMap((id) => cloud.bills(id)).filter(({ to }) => to === null);
      // Its imitation keeps no books about network volumes: that one is there is all that can be said.
      return [
        ...spans.map(({ kind }) => (kind === "gpu" ? "gpu" : "rootDisk") as AsleepItem),
        ...cloud.volumes().map(() => "volume" as const),
      ];
    },
  };
}

async function aws(): Promise<Books> {
  const { world, cloud } = await worldOf(async (clock) => {
    const fake = await fakeAws({ clock, switches: { regions: ["us-east-1"] } });
    const { AWS_ENDPOINT_URL_PRICING: _, SPOT_AWS_ADVISOR_URL: __, ...env } = fake.env;
    return { fake, provider: await awsProvider({ env: { ...env, SPOT_AWS_REGIONS: "us-east-1" }, home: NO_DISK, clock }) };
  });
  const isOurs = (id: string) => cloud.volumes().some(({ providerId }) => providerId.endsWith(id));
  const open = () => cloud.bill().filter(({ to }) => to === null);
  return {
    world,
    open: () => open().map(({ kind, resourceId }) => (kind === "compute" ? "gpu" : isOurs(resourceId) ? "volume" : "rootDisk")),
  };
}

async function gcp(): Promise<Books> {
  const { world, cloud } = await worldOf(async (clock) => {
    const fake = await fakeGcp({ clock });
    await import("../../src/providers/gcp/google-library.ts");
    return { fake, provider: await gcpProvider({ env: fake.env, home: NO_DISK, clock }) };
  });
  const isOurs = (id: string) => cloud.volumes().some(({ providerId }) => providerId === id);
  const open = () => cloud.site.ledger.charges.filter(({ to }) => to === null);
  return { world, open: () => open().map(({ kind, resource }) => (kind === "machine" ? "gpu" : isOurs(resource) ? "volume" : "rootDisk")) };
}

async function alibaba(): Promise<Books> {
  const { world, cloud } = await worldOf(async (clock) => {
    const fake = await fakeAlibaba({ clock });
    const env = { ...fake.env, SPOT_ALIBABA_REGIONS: "cn-hangzhou" };
    return { fake, provider: await alibabaProvider({ env, home: NO_DISK, clock }) };
  });
  const machines = new Set<string>();
  const disks = new Set<string>();
  const isCharged = (id: string) => cloud.site.ledger.isCharged(id);
  return {
    world,
    open() {
      for (const id of cloud.site.instances.keys()) machines.add(id);
      for (const id of cloud.site.disks.keys()) disks.add(id);
      const isOurs = (id: string) => cloud.volumes().some((one) => one.id === id);
      return [
        ...[...machines].filter(isCharged).map(() => "gpu" as const),
        ...[...disks].filter(isCharged).map((id) => (isOurs(id) ? "volume" : "rootDisk") as AsleepItem),
      ];
    },
  };
}

const CLOUDS: readonly (readonly [string, () => Promise<Books>])[] = [
  ["hyperstack", () => hyperstack(null)],
  ["hyperstack, parked", () => hyperstack("Hibernation is not supported for this flavor.")],
  ["verda", verda],
  ["novita", novita],
  ["gcp", gcp],
  ["alibaba", alibaba],
  ...(motoAvailable() ? ([["aws", aws]] as const) : []),
];

test.each(CLOUDS)("what the imitation of %s bills asleep is what the preflight says", async (name, make) => {
  const { world, open } = await make();
  onTestFinished(() => world.close());
  const fleet = world.start();
  const record = await world.clock.run(up(fleet, world.spec));
  // Else an empty book would prove nothing.
  expect(open()).toContain("gpu");
  expect(open()).toContain("volume");
  const asleep = await world.clock.run(putToSleep(fleet, record, { signal, limitMs: 3_600_000, snapshot: true }));
  await world.clock.run(world.clock.sleep(600_000));
  await world.clock.run(world.cloud.refresh?.() ?? Promise.resolve());
  const { way, bills } = await preflightOf(fleet, asleep, { retainsAddress: false });
  expect(way).toBe(name === "hyperstack" ? "native" : "parked");
  expect([...new Set(open())].toSorted()).toEqual(
    bills
      .filter(({ value }) => value === "billed")
      .map(({ item }) => item)
      .toSorted(),
  );
});

test("what the embedded cloud bills asleep is what the preflight says, to the millionth", async () => {
  const clock = handClock(Date.UTC(2026, 4, 1));
  const { provider, close } = await runningCloud({ clock });
  onTestFinished(close);
  const spec = await launchSpec(provider, "t-1");
  const place = { region: spec.offer.region, zone: spec.offer.zone };
  const disk = await provider.volumes?.create({ name: "disk", token: "v-1", sizeGb: 100, ...place }, context);
  const mount = { providerVolumeId: disk?.providerId ?? "", mount: "/data" };
  const { providerId } = await provider.launch({ ...spec, volumes: [mount] }, context);
  clock.advance(1000);
  await reached(provider, providerId, "running");
  await provider.hibernation?.hibernate(providerId, context);
  clock.advance(1000);
  await reached(provider, providerId, "hibernated");
  const costs = async () =>
    new Map((await provider.billing?.billed(0, context))?.map((item) => [`${item.resourceId} ${item.kind}`, item.amount.micros]));
  const before = await costs();
  clock.advance(3_600_000);
  const after = await costs();
  const grown = [...after].map(([what, micros]) => [what, micros - (before.get(what) ?? 0n)] as const).filter(([, micros]) => micros > 0n);
  const { preflight } = await import("../../src/fleet/sleeping/preflight.ts");
  const { bills } = preflight({
    now: clock.now(),
    spec: { name: "job", volume: { name: "disk", sizeGb: 100, mount: "/data" }, providers: ["local"] },
    capabilities: provider.capabilities,
    hasSnapshots: false,
    hasBucketCopy: false,
    canHibernate: true,
    parked: "native",
    volume: null,
    root: null,
    ttlEndsAt: null,
    retainsAddress: false,
  });
  const said = bills.flatMap(({ item, rate }) =>
    rate === null ? [] : [[item === "volume" ? `${disk?.providerId} disk` : `${providerId} disk`, rate.hour.micros] as const],
  );
  expect(Object.fromEntries(grown)).toEqual(Object.fromEntries(said));
});
