import fc from "fast-check";
import { expect, test } from "vitest";
import { backOffMs } from "../../src/fleet/deciding/back-off.ts";
import { type BucketSource, type HomeVolume, type LadderInput, ladder, type Rung } from "../../src/fleet/deciding/ladder.ts";
import { NO_PREFERENCES, offerKey } from "../../src/fleet/deciding/offer-choice.ts";
import { RUNGS, type RungName, USUAL_RUNGS } from "../../src/model/comeback.ts";
import type { Offer } from "../../src/model/offer.ts";
import { BUNDLED_RATE } from "../../src/pricing/currency.ts";
import { sampleInstance, sampleSpec, usd } from "../state/sample-records.ts";

const offer = (zone: string, set: Partial<Offer> = {}): Offer => ({
  provider: "paper",
  region: zone.slice(0, -2),
  zone,
  type: "h100.1",
  gpu: { model: "H100", count: 1, vramGb: 80 },
  vcpus: 8,
  memoryGb: 64,
  billing: "spot",
  price: usd(1_000_000),
  onDemandPrice: usd(3_000_000),
  stock: 1,
  noticeSeconds: 120,
  protectionSeconds: 0,
  interruptionsPerHour: null,
  source: "live",
  observedAt: 0,
  ...set,
});

const HOME: HomeVolume = {
  name: "work",
  provider: "paper",
  region: "north",
  zone: "north-a",
  isZonal: true,
  sizeGb: 100,
  pricePerHour: usd(10_000),
};

const MARKET: readonly Offer[] = ["north-a", "north-b", "south-a"].flatMap((zone) => [
  offer(zone),
  offer(zone, { billing: "on-demand", price: usd(3_000_000) }),
]);

function input(set: Partial<LadderInput> = {}): LadderInput {
  return {
    record: sampleInstance("train", {
      spec: sampleSpec("train", { maxPrice: null, volume: { name: "work", sizeGb: 100, mount: "/data" } }),
      state: "hibernated",
      parked: "recreate",
      provider: "paper",
      zone: "north-a",
      sealedAsleep: true,
    }),
    home: HOME,
    root: null,
    market: MARKET,
    blocked: new Map(),
    rate: BUNDLED_RATE,
    prefer: NO_PREFERENCES,
    allow: RUNGS,
    ceiling: null,
    snapshots: { fresh: false, pending: false },
    twins: [],
    source: { from: "a bucket", bytes: 5, to: ["paper"] },
    took: {},
    ...set,
  };
}

const of = (rungs: readonly Rung[], rung: RungName): Rung => {
  const found = rungs.find((one) => one.rung === rung);
  if (found === undefined) throw new Error(`no ${rung}`);
  return found;
};
const open = (rungs: readonly Rung[]) => rungs.filter(({ isOpen }) => isOpen).map(({ rung }) => rung);
const record = (set: Partial<LadderInput["record"]>): Pick<LadderInput, "record"> => ({ record: { ...input().record, ...set } });

test("the order is always the same, whatever is open", () => {
  expect(ladder(input()).map(({ rung }) => rung)).toEqual([...RUNGS]);
  expect(open(ladder(input()))).toEqual(["same-zone", "snapshot", "copy", "on-demand"]);
  expect(open(ladder(input(record({ parked: "native" }))))).toEqual(["same-machine", "same-zone", "snapshot", "copy", "on-demand"]);
});

test("each rung offers only what is where it leads", () => {
  const rungs = ladder(input());
  const places = (rung: RungName) => of(rungs, rung).offers.map(({ zone, billing }) => `${zone} ${billing}`);
  expect(places("same-zone")).toEqual(["north-a spot"]);
  expect(places("snapshot")).toEqual(["north-b spot"]);
  expect(places("copy")).toEqual(["south-a spot"]);
  expect(places("on-demand")).toEqual(["north-a on-demand"]);
  expect(of(rungs, "snapshot")).toMatchObject({ price: usd(1_000_000), besides: usd(10_000) });
  expect(of(rungs, "snapshot").needs[0]).toContain("which is made first");
});

test("a snapshot that is fresh, or a copy that is there, is no work and no cost again", () => {
  expect(of(ladder(input({ snapshots: { fresh: true, pending: false } })), "snapshot").needs[0]).toContain("as fresh as");
  const twin = of(ladder(input({ twins: [{ provider: "paper", region: "north", zone: "north-b" }] })), "snapshot");
  expect(twin).toMatchObject({ isOpen: true, besides: null, needs: ["the copy of work that is there already"] });
});

test("why a rung is closed is said", () => {
  const closed = (rung: RungName, set: Partial<LadderInput>) => {
    const found = of(ladder(input(set)), rung);
    expect([found.isOpen, found.offers]).toEqual([false, []]);
    return found.why;
  };
  expect(closed("snapshot", { snapshots: null })).toContain("makes no snapshots");
  expect(closed("snapshot", { home: { ...HOME, isZonal: false } })).toContain("no sister zone");
  expect(closed("copy", { source: { why: "it lies on work alone" } })).toBe("it lies on work alone");
  expect(closed("copy", { source: { from: "work", bytes: 1, to: ["other"] } })).toContain("elsewhere");
  expect(closed("same-zone", { home: null })).toContain("no volume");
  expect(closed("same-machine", {})).toContain("nothing of its last machine");
  expect(closed("same-zone", record({ parked: "native", sealedAsleep: false }))).toContain("lies on its sleeping machine alone");
});

test("on demand is for whoever allows it, and for whoever agreed to it before", () => {
  expect(open(ladder(input({ allow: USUAL_RUNGS })))).not.toContain("on-demand");
  expect(of(ladder(input({ allow: USUAL_RUNGS })), "on-demand").why).toContain("--allow on-demand");
  const auto = record({ spec: { ...input().record.spec, billing: "auto" } });
  const rungs = ladder(input({ ...auto, allow: USUAL_RUNGS, ceiling: usd(1_000_000) }));
  expect(open(rungs)).toContain("on-demand");
  expect(of(rungs, "same-zone").offers.map(({ billing }) => billing)).toEqual(["spot"]);
});

test("what costs more than was agreed is dear and not open, and its own zone asks nothing", () => {
  const rungs = ladder(input({ ceiling: usd(999_999) }));
  expect(open(rungs)).toEqual(["same-zone"]);
  expect(rungs.filter(({ isDear }) => isDear).map(({ rung }) => rung)).toEqual(["snapshot", "copy", "on-demand"]);
  expect(of(rungs, "snapshot").price).toEqual(usd(1_000_000));
});

test("whatever the market is: no open rung above its ceiling, above its limit, without stock, blocked, or in the wrong place", () => {
  const someOffer = fc.record({
    zone: fc.constantFrom("north-a", "north-b", "south-a"),
    micros: fc.integer({ min: 0, max: 4_000_000 }),
    stock: fc.constantFrom<number | "unknown">(0, 1, "unknown"),
    billing: fc.constantFrom<"spot" | "on-demand">("spot", "on-demand"),
  });
  fc.assert(
    fc.property(
      fc.array(someOffer, { maxLength: 12 }),
      fc.subarray([...RUNGS]),
      fc.option(fc.integer({ min: 1, max: 4_000_000 })),
      fc.boolean(),
      (offers, allow, ceiling, blocks) => {
        const market = offers.map(({ zone, micros, stock, billing }) => offer(zone, { price: usd(micros), stock, billing }));
        const [first] = market;
        const blocked = new Map(blocks && first !== undefined ? [[offerKey(first), "no capacity"]] : []);
        const most = ceiling === null ? null : usd(ceiling);
        for (const { rung, isOpen, offers: taken, price } of ladder(input({ market, allow, ceiling: most, blocked }))) {
          if (!isOpen) continue;
          expect(allow).toContain(rung);
          expect(price).toEqual(taken[0]?.price);
          for (const one of taken) {
            expect(one.stock).not.toBe(0);
            expect(blocked.has(offerKey(one))).toBe(false);
            expect(one.price.micros).toBeGreaterThan(0n);
            if (most !== null && rung !== "same-zone") expect(one.price.micros).toBeLessThanOrEqual(most.micros);
            expect(one.billing).toBe(rung === "on-demand" ? "on-demand" : "spot");
            if (rung === "same-zone" || rung === "on-demand") expect(one.zone).toBe("north-a");
            if (rung === "snapshot") expect(one.zone).toBe("north-b");
            if (rung === "copy") expect(one.zone).toBe("south-a");
          }
        }
      },
    ),
  );
});

test("pauses between tries grow, stay within their bounds, and keep to the provider's pace", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 1_000 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.integer({ min: 0, max: 10_000_000 }),
      (tries, chance, least) => {
        const pause = backOffMs(tries, chance, least);
        expect(pause).toBeGreaterThanOrEqual(least);
        expect(pause).toBeLessThanOrEqual(Math.max(least, 15 * 60_000 * 1.25));
        expect(pause).toBeGreaterThanOrEqual(30_000 * 0.75);
        expect(backOffMs(tries + 1, chance, least)).toBeGreaterThanOrEqual(pause);
      },
    ),
  );
  expect([1, 2, 3, 20].map((tries) => backOffMs(tries, 0.5, 0))).toEqual([30_000, 60_000, 120_000, 900_000]);
});

const BUCKET: BucketSource = {
  checkpoint: "c-2",
  sha256: "aa",
  place: "s3://b/p",
  bytes: 7,
  sealedAt: 1_000,
  ageMs: 3_600_000,
  behindMs: 0,
  to: ["paper"],
};
const copyOf = (set: Partial<LadderInput>) => ladder(input(set)).find(({ rung }) => rung === "copy");
const fromBucket = (set: Partial<BucketSource> = {}) => ({ from: BUCKET.place, bytes: 7, to: [], bucket: { ...BUCKET, ...set } });

test("a copy in a bucket goes to a machine anywhere but where the volume is, and says which one it is, from where and how old", () => {
  const rung = copyOf({ source: fromBucket() });
  expect(rung).toMatchObject({ isOpen: true, copy: BUCKET });
  expect(rung?.offers.map(({ zone }) => zone)).toEqual(["north-b", "south-a"]);
  expect(rung?.why).toContain("the copy of c-2 in s3://b/p, sealed 1h ago");
  expect(rung?.needs.join()).toContain("held back");
  expect(copyOf({ source: fromBucket(), home: { ...HOME, isZonal: false } })?.offers.map(({ zone }) => zone)).toEqual(["south-a"]);
  expect(copyOf({ source: fromBucket({ to: ["other"] }) })).toMatchObject({ isOpen: false, isDear: false });
});

test("where an empty volume for it was made before, that place is taken first, and no other volume is said to be needed", () => {
  const vessels = [{ provider: "paper", region: "south", zone: "south-a" }];
  expect(copyOf({ source: fromBucket(), vessels })).toMatchObject({ besides: null, offers: [{ zone: "south-a" }, { zone: "north-b" }] });
});

test("older work is a question whatever it costs, and a yes to one copy is none to an older one", () => {
  const source = fromBucket({ behindMs: 60_000 });
  for (const oldest of [null, 1_001]) {
    const rung = copyOf({ source, oldest });
    expect(rung).toMatchObject({ isOpen: false, isDear: true });
    expect(rung?.why).toMatch(/1m older than its newest.*to be agreed to: --yes/);
  }
  for (const oldest of [0, 1_000]) expect(copyOf({ source, oldest })).toMatchObject({ isOpen: true, isDear: false });
  // Where the newest one can be put on a volume as well, that is done instead of asking.
  const both = { ...source, to: ["paper"] };
  expect(copyOf({ source: both })).toMatchObject({ isOpen: true, offers: [{ zone: "south-a" }] });
  expect(copyOf({ source: both })?.copy).toBeUndefined();
});
