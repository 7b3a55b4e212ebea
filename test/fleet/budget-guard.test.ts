import { expect, onTestFinished, test } from "vitest";
import { heldAgainst, heldBy, launching, withinBudgets } from "../../src/fleet/budgets/budget-guard.ts";
import type { Fleet } from "../../src/fleet/fleet.ts";
import { claimName, newRecord } from "../../src/fleet/up.ts";
import { moneyFromDecimal } from "../../src/model/money.ts";
import { FRESH_OUTLOOK } from "../../src/model/outlook.ts";
import { paperSpec, paperWorld } from "../simulation/paper-world.ts";
import { NOW, offer, record } from "./samples.ts";

const usd = (text: string) => moneyFromDecimal(text, "USD");
const HOUR = 3_600_000;

test("two that look at the same moment do not both take the room that is there for one", async () => {
  const on = await paperWorld();
  onTestFinished(() => on.state.close());
  await on.state.commit({ budgets: [{ scope: "total", cap: usd("1.5"), atCap: "refuse", createdAt: 0, said: { percent: 0, at: 0 } }] });
  // Whoever reads, reads slowly: without the lease both would have looked before either wrote.
  const slow = (fleet: Fleet): Fleet => ({
    ...fleet,
    state: {
      ...fleet.state,
      async instances(filter) {
        const found = await fleet.state.instances(filter);
        await on.clock.sleep(500);
        return found;
      },
    },
  });
  const claim = (name: string) => {
    const fleet = slow(on.start().fleet);
    const wanted = newRecord(fleet, paperSpec({ name }), offer());
    const asked = [launching(wanted, wanted.price, wanted.createdAt)];
    return withinBudgets(fleet, asked, new AbortController().signal, (held) => claimName(held, wanted));
  };
  const settled = await on.clock.run(Promise.allSettled([claim("a"), claim("b")]));
  expect(settled.map(({ status }) => status)).toEqual(["fulfilled", "rejected"]);
  expect((await on.state.instances()).map(({ name }) => name)).toEqual(["a"]);
  expect((await on.state.ledger()).length).toBe(0);
});

test("without a budget nothing is locked", async () => {
  const on = await paperWorld();
  onTestFinished(() => on.state.close());
  const { fleet, trace } = on.start();
  const asked = [launching(record(), usd("1"), NOW)];
  expect(await withinBudgets(fleet, asked, new AbortController().signal, async () => "done")).toBe("done");
  expect(trace).toEqual([]);
});

test("an instance holds what it costs until its time is over, or for its first hour", () => {
  const until = (set: Parameters<typeof record>[0]) => heldBy([record(set)], NOW).map((one) => one.until - NOW);
  expect(until({ ttlEndsAt: NOW + 5 * HOUR })).toEqual([5 * HOUR]);
  expect(until({ readyAt: NOW - HOUR / 4 })).toEqual([0.75 * HOUR]);
  expect(until({ readyAt: null, state: "provisioning" })).toEqual([HOUR]);
  expect(until({ readyAt: null, state: "requested", spec: paperSpec({ ttlMs: 8 * HOUR }) })).toEqual([8 * HOUR]);
  for (const desired of ["gone", "hibernated"] as const) expect(until({ desired })).toEqual([]);
  expect(until({ state: "gone" })).toEqual([]);
});

test("who waits for a machine holds room against those that need theirs since later, and none once it was refused", () => {
  const needs = (id: string, since: number, set: Parameters<typeof record>[0] = {}) =>
    record({ id, state: "requested", providerId: null, readyAt: null, outlook: { ...FRESH_OUTLOOK, needsSince: since }, ...set });
  const first = needs("a", 1);
  const later = needs("b", 2);
  const against = (id: string, records: readonly ReturnType<typeof record>[], promised: readonly string[] = []) =>
    heldAgainst([{ id }], records, new Set(promised), NOW).map((one) => one.id);
  expect(against("a", [first, later])).toEqual([]);
  expect(against("b", [first, later])).toEqual(["a"]);
  // At the same moment one of the two is first, and only one.
  expect([against("a", [first, needs("b", 1)]), against("b", [first, needs("b", 1)])]).toEqual([[], ["a"]]);
  // Who asks for the first time comes last, and a machine that is there or on its way counts whoever asks.
  expect(against("new", [first, later])).toEqual(["a", "b"]);
  expect(against("a", [first, later], ["b"])).toEqual(["b"]);
  expect(against("a", [first, { ...later, providerId: "m-2" }])).toEqual(["b"]);
  expect(against("b", [{ ...first, reason: "there is no room for its machine in the budget" }, later])).toEqual([]);
});
