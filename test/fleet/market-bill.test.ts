import { expect, onTestFinished, test } from "vitest";
import { closedIntervals, dueToBeSeen, freeOfCharge, priceNow } from "../../src/fleet/ledger.ts";
import { lossEvents, lossesOf } from "../../src/fleet/lost-time.ts";
import { followLedger, observe } from "../../src/fleet/observe.ts";
import { reconcile } from "../../src/fleet/pass.ts";
import { costOf, type Money } from "../../src/model/money.ts";
import type { Clock } from "../../src/platform/clock.ts";
import { lossBook } from "../../src/pricing/losses.ts";
import { summarize } from "../../src/pricing/summary.ts";
import type { Provider, ProviderInstance } from "../../src/providers/provider.ts";
import { paperSpec, paperWorld, untilQuiet } from "../simulation/paper-world.ts";
import { down, up } from "../simulation/scenarios.ts";
import { sampleLedger } from "../state/sample-records.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const usd = (micros: bigint) => ({ micros, currency: "USD" });
const { signal } = new AbortController();

/** A world with one machine in its cheapest zone, without a volume. */
async function renting(settings: Parameters<typeof paperWorld>[0] = {}) {
  const world = await paperWorld(settings);
  onTestFinished(() => world.state.close());
  const { fleet } = world.start();
  const record = await world.clock.run(up(fleet, paperSpec({ volume: null, onReclaim: "let-go" })));
  return {
    ...world,
    record,
    look: async (fleet = world.start().fleet) => {
      const now = (await world.state.instance(record.id)) ?? record;
      await world.clock.run(observe(fleet, now, signal).then((seen) => followLedger(fleet, now, seen)));
    },
    pass: () => world.clock.run(reconcile(fleet, { signal, limitMs: MINUTE })),
    end: () => world.clock.run(down(fleet)),
    gpus: async () => (await world.state.ledger()).filter(({ kind }) => kind === "gpu"),
    spent: async () => summarize(await world.state.ledger(), "provider", { since: 0, now: world.clock.now() }).totals[0],
  };
}

test("where the market's price is billed, a machine counts at the price of each time, from when it is seen to move", async () => {
  const world = await renting();
  await world.clock.pass(2 * HOUR);
  const [zone] = world.cloud.zones;
  if (zone === undefined) throw new Error("no zone");
  zone.price = usd(2_000_000n);
  await world.pass();
  const movedAt = world.clock.now();
  expect((await world.state.instance(world.record.id))?.price).toEqual(usd(2_000_000n));
  await world.clock.pass(HOUR);
  await world.pass();
  await world.end();
  const [first, second, ...more] = await world.gpus();
  expect(more).toEqual([]);
  expect([first?.rate, second?.rate]).toEqual([usd(1_000_000n), usd(2_000_000n)]);
  expect(first?.to).toBe(second?.from);
  expect(Math.abs((first?.to ?? 0) - movedAt)).toBeLessThan(MINUTE);
  // It was found when its price was seen to move: the hours of our own machines count until then.
  expect((first?.to ?? 0) - (first?.seenAt ?? 0)).toBeLessThan(MINUTE);
  expect([second?.providerId, second?.onDemandRate]).toEqual([first?.providerId, first?.onDemandRate]);
  const amounts = [first, second].map((entry) => (entry?.to == null ? 0n : costOf(entry.rate, entry.to - entry.from).micros));
  expect((await world.spent())?.paid).toEqual(usd(amounts.reduce((sum, amount) => sum + amount, 0n)));
});

test.each([
  ["moves once it may", {}, 0, usd(7n)],
  ["stays under protection", { protectedUntil: HOUR }, HOUR - 1, usd(5n)],
  ["moves from the end of its protection on", { protectedUntil: HOUR }, HOUR, usd(7n)],
  ["is fixed on demand", { billing: "on-demand" as const }, HOUR, usd(5n)],
  ["is not what was told before it", { pricedAt: -1 }, HOUR, usd(5n)],
  ["is what was told since", { pricedAt: 0 }, HOUR, usd(7n)],
  ["is what is known where nobody says it", { price: null }, HOUR, usd(5n)],
])("the price of a machine %s", (_, more, now, expected) => {
  const told = { price: usd(7n), billing: "spot", protectedUntil: null, ...more } as const;
  expect(priceNow({ price: usd(5n) }, told, { billsMarketPrice: true }, now, -1)).toEqual(expected);
  expect(priceNow({ price: usd(5n) }, told, { billsMarketPrice: false }, now, -1)).toEqual(usd(5n));
  expect(priceNow({ price: null }, told, { billsMarketPrice: false }, now, -1)).toEqual(told.price);
});

test("a price that has not moved is the very same: nothing is written down for it", () => {
  const price = usd(5n);
  const told = { price: usd(5n), billing: "spot", protectedUntil: null } as const;
  expect(priceNow({ price }, told, { billsMarketPrice: true }, 0, -1)).toBe(price);
});

/** The provider of a process that asks for prices no more often than that, and else says what it remembers. */
function remembering(provider: Provider, clock: Clock, forMs: number): Provider {
  const heard = new Map<string, { readonly price: Money | null; readonly pricedAt: number }>();
  const shown = (instance: ProviderInstance): ProviderInstance => {
    const before = heard.get(instance.providerId);
    const isFresh = before !== undefined && clock.now() - before.pricedAt < forMs;
    const known = isFresh ? before : { price: instance.price, pricedAt: clock.now() };
    heard.set(instance.providerId, known);
    return { ...instance, ...known };
  };
  return {
    ...provider,
    list: async (context) => (await provider.list(context)).map(shown),
    async get(id, context) {
      const found = await provider.get(id, context);
      return found === undefined ? undefined : shown(found);
    },
  };
}

test("two processes that remember different prices write a move down once, and the younger price holds", async () => {
  const world = await renting();
  const [zone] = world.cloud.zones;
  if (zone === undefined) throw new Error("no zone");
  const fleets = [40, 60].map((minutes) => {
    const known = remembering(world.cloud.provider, world.clock, minutes * MINUTE);
    return { ...world.start().fleet, provider: async () => known };
  });
  const prices = [2_000_000n, 1_500_000n, 2_500_000n];
  for (const [index, micros] of prices.entries()) {
    zone.price = usd(micros);
    for (let look = 0; look < 40; look++) {
      const fleet = fleets[look % 2];
      if (fleet !== undefined) await world.clock.run(reconcile(fleet, { signal, limitMs: MINUTE }));
      await world.clock.pass((3 + index) * MINUTE);
    }
  }
  expect((await world.gpus()).map(({ rate }) => rate.micros)).toEqual([1_000_000n, ...prices]);
});

test("a machine that sleeps follows no price: nobody pays it", async () => {
  const { cloud, clock, state, record, gpus, look } = await renting();
  const machine = cloud.machine(record.providerId ?? "");
  if (machine !== undefined) machine.state = "hibernated";
  for (const zone of cloud.zones) zone.price = usd(2_000_000n);
  await look();
  expect((await state.instance(record.id))?.price).toEqual(usd(1_000_000n));
  expect(await gpus()).toMatchObject([{ to: clock.now(), rate: usd(1_000_000n) }]);
});

test.each([
  [-1, 1_000_000n],
  [1, 2_000_000n],
])("a machine that begins to be paid for, with a price that was told %i ms after it was made", async (ms, rate) => {
  const { cloud, clock, state, start, gpus, look } = await renting();
  await state.commit({ ledger: closedIntervals(await gpus(), clock.now()) });
  await clock.pass(MINUTE);
  const { fleet } = start();
  const get: Provider["get"] = async (id, context) => {
    const found = await cloud.provider.get(id, context);
    return found === undefined ? undefined : { ...found, price: usd(2_000_000n), pricedAt: (found.createdAt ?? 0) + ms };
  };
  await look({ ...fleet, provider: async () => ({ ...cloud.provider, get }) });
  expect((await gpus()).map(({ rate: { micros } }) => micros)).toEqual([1_000_000n, rate]);
});

test("that a machine was found is written down once in half an hour, whatever the clocks of two computers say", () => {
  const due = (seenAt?: number) => dueToBeSeen([sampleLedger("one", seenAt === undefined ? {} : { seenAt })], 100 * HOUR).length === 1;
  expect([due(), due(99 * HOUR), due(99.6 * HOUR)]).toEqual([true, true, false]);
  // One is ahead by an hour; another one was, by years.
  expect([due(101 * HOUR), due(200 * HOUR)]).toEqual([false, true]);
});

test.each([
  ["after 40 minutes", 40, "provider", true],
  ["after 61 minutes", 61, "provider", false],
  ["by somebody at the console after 40 minutes", 40, "user", false],
] as const)("a machine that is ended %s, where what is reclaimed in its first hour is free", async (_, minutes, by, isFree) => {
  const world = await renting({ freeIfReclaimedWithinMs: HOUR });
  await world.clock.pass(20 * MINUTE);
  const [zone] = world.cloud.zones;
  if (zone !== undefined) zone.price = usd(2_000_000n);
  await world.pass();
  await world.clock.pass((minutes - 20) * MINUTE);
  const id = world.record.providerId ?? "";
  if (by === "provider") world.cloud.reclaim(id, 0);
  else world.cloud.console(id, "destroy");
  await world.pass();
  expect(await untilQuiet(world)).toEqual([]);
  const gpus = await world.gpus();
  expect(gpus.map(({ to, rate }) => [to === null, rate.micros > 0n])).toEqual([
    [false, !isFree],
    [false, !isFree],
  ]);
  const [total, now] = [await world.spent(), world.clock.now()];
  expect(total?.paid.micros === 0n).toBe(isFree);
  // What it would have cost on demand it would have cost all the same.
  expect(total?.onDemand?.micros).toBeGreaterThan(1_500_000n);
  const ledger = await world.state.ledger();
  const losses = lossBook(lossesOf(await lossEvents(world.state, 0), ledger, now));
  const [row] = summarize(ledger, "provider", { since: 0, now }, { losses }).totals;
  expect(row?.mayBeLost).toEqual({
    machines: by === "provider" ? 1 : 0,
    paid: isFree || by === "user" ? usd(0n) : expect.objectContaining({ currency: "USD" }),
  });
});

test("only what is certain is free: who ended it, how old it was, on spot, and not billed otherwise", () => {
  const one = sampleLedger("one", { providerId: "m-1", from: HOUR, to: 1.5 * HOUR, rate: usd(9n) });
  const machine = { providerId: "m-1", billing: "spot", endedBy: "provider", createdAt: HOUR } as const;
  const first = { freeIfReclaimedWithinMs: HOUR };
  const free = (more: Partial<Parameters<typeof freeOfCharge>[2]> = {}, known = [one], changed: typeof known = []) =>
    freeOfCharge(known, changed, { ...machine, ...more }, first).map(({ id, rate }) => `${id} ${rate.micros}`);
  expect(free()).toEqual(["one 0"]);
  expect(free({}, [{ ...one, to: null }], [one])).toEqual(["one 0"]);
  // It runs again, or did: its first hour was another one.
  expect(free({}, [{ ...one, to: null }])).toEqual([]);
  expect(free({}, [one, { ...one, id: "again", from: 5 * HOUR, to: 5.1 * HOUR }])).toEqual([]);
  expect(free({ createdAt: 0.5 * HOUR })).toEqual([]);
  expect(free({ endedBy: null })).toEqual([]);
  expect(free({ billing: "on-demand" })).toEqual([]);
  expect(free({ providerId: "m-2" })).toEqual([]);
  expect(free({}, [{ ...one, billed: usd(3n) }])).toEqual([]);
  expect(free({}, [{ ...one, kind: "disk" }])).toEqual([]);
});
