import { expect, onTestFinished, test } from "vitest";
import { reconcile } from "../../src/fleet/pass.ts";
import { summarize } from "../../src/pricing/summary.ts";
import { alibabaProvider } from "../../src/providers/alibaba/provider.ts";
import { awsProvider } from "../../src/providers/aws/provider.ts";
import type { InstanceRecord } from "../../src/state/records.ts";
import { type FakeAlibaba, fakeAlibaba } from "../clouds/alibaba/alibaba.ts";
import { type FakeAws, fakeAws } from "../clouds/aws/aws.ts";
import { costOfLine } from "../clouds/aws/ledger.ts";
import { motoAvailable } from "../clouds/aws/moto.ts";
import { up } from "../simulation/scenarios.ts";
import { type WireWorld, wireWorld } from "./wire-world.ts";

const MINUTE = 60_000;
/** No path at all: the virtual clock need not wait for a disk. */
const NO_DISK = "/nowhere\0";
const { signal } = new AbortController();

/** One spot machine, and what the imitation's own books say that it cost until now. */
interface Rent {
  readonly world: WireWorld;
  readonly record: InstanceRecord;
  billed(): number;
  /** What the ledger says of its machines. */
  counted(): Promise<number>;
  /** So many minutes, with a look after each `every`. */
  watched(minutes: number, every: number): Promise<void>;
}

async function rentOf(world: WireWorld, billed: (record: InstanceRecord) => number): Promise<Rent> {
  onTestFinished(() => world.close());
  const fleet = world.start();
  const record = await world.clock.run(up(fleet, { ...world.spec, name: "bare", volume: null, onReclaim: "let-go" }));
  return {
    world,
    record,
    billed: () => billed(record),
    async counted() {
      const gpus = (await world.state.ledger()).filter(({ kind }) => kind === "gpu");
      return Number(summarize(gpus, "provider", { since: 0, now: world.clock.now() }).totals[0]?.paid.micros ?? 0n) / 1e6;
    },
    async watched(minutes, every) {
      for (let past = 0; past < minutes; past += every) {
        await world.clock.run(world.leap(every * MINUTE));
        await world.clock.run(reconcile(fleet, { signal, limitMs: 10 * MINUTE }));
      }
    },
  };
}

async function atAws(): Promise<Rent & { readonly cloud: FakeAws }> {
  let cloud: FakeAws | undefined;
  const world = await wireWorld(async (clock) => {
    const fake = await fakeAws({ clock, switches: { regions: ["us-east-1"] } });
    cloud = fake;
    const { AWS_ENDPOINT_URL_PRICING: _, SPOT_AWS_ADVISOR_URL: __, ...env } = fake.env;
    const provider = await awsProvider({ env: { ...env, SPOT_AWS_REGIONS: "us-east-1" }, home: NO_DISK, clock });
    return { provider, server: fake.server, living: fake.living, volumes: fake.volumes, giveNotice: async () => false, close: fake.close };
  });
  if (cloud === undefined) throw new Error("no cloud");
  const lines = cloud.bill;
  const billed = ({ providerId }: InstanceRecord) =>
    lines()
      .filter(({ kind, resourceId }) => kind === "compute" && providerId?.endsWith(resourceId) === true)
      .reduce((sum, line) => sum + Number(costOfLine(line, world.clock.now()).micros) / 1e6, 0);
  return { ...(await rentOf(world, billed)), cloud };
}

async function atAlibaba(): Promise<Rent & { readonly cloud: FakeAlibaba }> {
  let cloud: FakeAlibaba | undefined;
  const world = await wireWorld(async (clock) => {
    const fake = await fakeAlibaba({ clock });
    cloud = fake;
    const provider = await alibabaProvider({ env: { ...fake.env, SPOT_ALIBABA_REGIONS: "cn-hangzhou" }, home: NO_DISK, clock });
    return { provider, server: fake.server, living: fake.living, volumes: fake.volumes, giveNotice: async () => false, close: fake.close };
  });
  if (cloud === undefined) throw new Error("no cloud");
  const { cost } = cloud;
  return { ...(await rentOf(world, ({ providerId }) => cost(providerId ?? ""))), cloud };
}

const onMoto = test.skipIf(!motoAvailable());

onMoto("AWS: a day at a price that moves is counted as the imitation bills it", async () => {
  const { watched, billed, counted, record } = await atAws();
  await watched(24 * 60, 120);
  const atLaunch = 24 * (Number(record.price?.micros ?? 0n) / 1e6);
  expect(Math.abs(atLaunch / billed() - 1)).toBeGreaterThan(0.005);
  expect(Math.abs((await counted()) / billed() - 1)).toBeLessThan(0.001);
});

onMoto.each([
  [40, true],
  [70, false],
])("AWS: a machine that is reclaimed after %i minutes is counted as the imitation bills it", async (minutes, isFree) => {
  const { watched, billed, counted, cloud, record, world } = await atAws();
  await watched(minutes, 10);
  expect(await counted()).toBeGreaterThan(0);
  await world.clock.run(cloud.reclaim(record.providerId ?? "", { noticeSeconds: 120 }));
  await watched(10, 5);
  expect(cloud.living()).toEqual([]);
  expect([billed() === 0, (await counted()) === 0]).toEqual([isFree, isFree]);
});

test("Alibaba: an hour at the price of the order, and then at the market's, is counted as the imitation bills it", async () => {
  const { watched, billed, counted, cloud, record } = await atAlibaba();
  const shares: number[] = [];
  for (const [before, fraction] of [
    [20, 0.9],
    [40, 0.3],
    [40, 0.6],
  ] as const) {
    await watched(before, 20);
    // The imitation bills each hour at the price with which it began.
    cloud.movePrice(record.type, fraction);
    // In the first hour a price that is seen to move is nothing to it.
    await watched(60 - before, 20);
    shares.push((await counted()) / billed());
    await watched(120, 60);
    shares.push((await counted()) / billed());
  }
  for (const share of shares) expect(Math.abs(share - 1)).toBeLessThan(0.01);
});
