import { expect, test } from "vitest";
import { preflight, type SleepFacts } from "../../src/fleet/sleeping/preflight.ts";
import { moneyFromDecimal, moneyToDecimal } from "../../src/model/money.ts";
import { asleepBlock, asleepLine } from "../../src/output/asleep-text.ts";
import { HYPERSTACK_ASLEEP } from "../../src/providers/hyperstack/sleep.ts";
import { VERDA_ASLEEP } from "../../src/providers/verda/sleep.ts";

const NOW = 1_800_000_000_000;
const VM = { kind: "vm", notices: "controller", endsItself: false, volumes: "device" } as const;
const VOLUME = { name: "train", sizeGb: 200, mount: "/data" };
const HYPERSTACK: SleepFacts = {
  now: NOW,
  spec: { name: "train", volume: VOLUME, providers: ["hyperstack"] },
  capabilities: { hibernate: "native", keepsRoot: false, zonalVolumes: false, machine: VM, asleep: HYPERSTACK_ASLEEP },
  hasSnapshots: false,
  hasBucketCopy: false,
  canHibernate: true,
  parked: null,
  volume: { sizeGb: 200, pricePerHour: null, isGone: false },
  root: null,
  sealedAt: NOW - 1000,
  ttlEndsAt: null,
  retainsAddress: false,
};
const VERDA: SleepFacts = {
  ...HYPERSTACK,
  capabilities: { hibernate: "park", keepsRoot: true, zonalVolumes: false, machine: VM, asleep: VERDA_ASLEEP },
  canHibernate: null,
};

const billed = (facts: SleepFacts) =>
  Object.fromEntries(
    preflight(facts).bills.map(({ item, value, rate }) => [item, rate === null ? value : `${value} ${moneyToDecimal(rate.hour)}`]),
  );

test("a machine that its cloud can hibernate: disks are billed, at the list price of their sizes", () => {
  expect(preflight(HYPERSTACK)).toMatchObject({ way: "native", isAssumed: false, back: "if-stock", refusals: [], warnings: [] });
  // The root disk's size is not known here, so nothing is reckoned for it.
  expect(billed(HYPERSTACK)).toEqual({ gpu: "not-billed", rootDisk: "billed", volume: "billed 0.019355", address: "if-kept" });
  expect(billed({ ...HYPERSTACK, retainsAddress: true })["address"]).toBe("billed 0.006720");
});

const words = (facts: SleepFacts) =>
  Object.fromEntries(asleepBlock(preflight(facts)).rows.map(({ label, value }) => [label, String(value)]));

test("whatever is billed says its price: of a disk of unknown size a GB's, and of an address what it would cost to keep it", () => {
  expect(words(HYPERSTACK)).toMatchObject({
    "root disk": expect.stringMatching(/^billed: \$0\.000097\/hour, \$0\.071\/month a GB by the list; /),
    volume: expect.stringMatching(/^billed \(200 GB\): \$0\.019\/hour, \$14\.13\/month by the list; /),
    address: expect.stringMatching(/^if kept: \$0\.0067\/hour, \$4\.91\/month by the list; with --retain-ip/),
  });
  expect(asleepLine(preflight(HYPERSTACK))).toContain("billed meanwhile: root disk $0.071/month a GB, volume $14.13/month; ");
  // Nobody's list has it.
  expect(words(VERDA)["root disk"]).toMatch(/^billed, at a price that is not known here; /);
  expect(asleepLine(preflight(VERDA))).toContain("billed meanwhile: root disk (price unknown), volume (price unknown); ");
});

test("once it sleeps, its address is kept and billed, or gone", () => {
  const address = (retainsAddress: boolean) => preflight({ ...HYPERSTACK, parked: "native", retainsAddress }).bills.at(-1);
  expect(address(true)).toMatchObject({ item: "address", value: "billed", rate: { hour: moneyFromDecimal("0.00672", "USD") } });
  expect(address(false)).toMatchObject({
    item: "address",
    value: "gone",
    rate: null,
    list: null,
    note: expect.stringContaining("given back"),
  });
});

test("the provider's own price of a disk goes before the list's", () => {
  const volume = { sizeGb: 200, pricePerHour: moneyFromDecimal("0.5", "USD"), isGone: false };
  const own = preflight({ ...HYPERSTACK, volume }).bills.find(({ item }) => item === "volume");
  expect(own).toMatchObject({ isLive: true, rate: { month: moneyFromDecimal("365", "USD") } });
});

test("the way: asked, not asked, and asleep already", () => {
  const way = (facts: Partial<SleepFacts>) => {
    const { way: how, isAssumed } = preflight({ ...HYPERSTACK, ...facts });
    return isAssumed ? `${how}?` : how;
  };
  expect(way({ canHibernate: false })).toBe("parked");
  expect(way({ canHibernate: null })).toBe("native?");
  expect(way({ canHibernate: null, parked: "native" })).toBe("native");
  expect(way({ parked: "recreate" })).toBe("parked");
  expect(preflight(VERDA).way).toBe("parked");
});

test("it is refused where nothing of it would outlive its machine, or what it needs is gone", () => {
  const none = { ...HYPERSTACK, spec: { ...HYPERSTACK.spec, volume: null }, volume: null };
  expect(preflight(none).refusals).toEqual([]);
  expect(preflight({ ...none, canHibernate: false })).toMatchObject({ back: "empty", refusals: [expect.stringContaining("no volume")] });
  expect(preflight({ ...none, canHibernate: null }).warnings).toEqual([expect.stringContaining("cannot be parked instead")]);
  // Where parking keeps the root disk, there is something to come back with.
  const bare = { ...VERDA, spec: none.spec, volume: null };
  expect(preflight(bare)).toMatchObject({ back: "if-stock", refusals: [], rungs: ["same-machine"] });
  expect(preflight({ ...bare, parked: "recreate" }).refusals).toHaveLength(1);
  const gone = { ...HYPERSTACK, volume: { sizeGb: 200, pricePerHour: null, isGone: true } };
  expect(preflight({ ...gone, canHibernate: false })).toMatchObject({ back: "no", refusals: [expect.stringContaining("is gone")] });
  expect(preflight(gone).refusals).toEqual([]);
});

test("the ways back are those that there are", () => {
  const rungs = (facts: SleepFacts) => preflight(facts).rungs.join(" ");
  expect(rungs(HYPERSTACK)).toBe("same-machine same-zone on-demand");
  expect(rungs({ ...HYPERSTACK, canHibernate: false })).toBe("same-zone on-demand");
  const zonal = { ...HYPERSTACK.capabilities, hibernate: "park", zonalVolumes: true } as const;
  expect(rungs({ ...HYPERSTACK, capabilities: zonal, hasSnapshots: true })).toBe("same-zone snapshot on-demand");
  expect(rungs({ ...HYPERSTACK, hasBucketCopy: true })).toContain("copy");
  // Where its volume can be read without a machine.
  const here = { ...HYPERSTACK.capabilities, machine: { ...VM, kind: "process" } } as const;
  expect(rungs({ ...HYPERSTACK, capabilities: here })).toBe("same-machine same-zone copy on-demand");
});

test("it is warned of what is not sealed, and of a time that runs out meanwhile", () => {
  const warnings = (facts: Partial<SleepFacts>) => preflight({ ...HYPERSTACK, ...facts }).warnings;
  expect(warnings({ sealedAt: null })).toEqual([expect.stringContaining("no checkpoint of it is sealed yet")]);
  // Of a plan nobody has looked.
  const { sealedAt: _, ...planned } = HYPERSTACK;
  expect(preflight(planned).warnings).toEqual([]);
  expect(warnings({ ttlEndsAt: NOW + 3_600_000 })).toEqual([expect.stringContaining("over in 1h")]);
  expect(warnings({ ttlEndsAt: NOW })).toEqual([expect.stringContaining("as soon as it comes back it ends")]);
});

test("a parked machine's root disk is there only where it was kept", () => {
  const root = { sizeGb: 50, pricePerHour: moneyFromDecimal("0.0068", "USD"), isGone: false };
  expect(billed({ ...VERDA, parked: "recreate", root })["rootDisk"]).toBe("billed 0.006800");
  expect(billed({ ...VERDA, parked: "recreate" })["rootDisk"]).toBe("gone");
  expect(billed(VERDA)["rootDisk"]).toBe("billed");
});
