import type { Fleet } from "../../src/fleet/fleet.ts";
import { moneyFromDecimal } from "../../src/model/money.ts";
import type { BudgetRecord } from "../../src/state/records.ts";
import { type PaperWorld, paperSpec } from "./paper-world.ts";
import { restore, type Scenario, up, watchAndAct } from "./scenarios.ts";

const MINUTE_MS = 60_000;
const WATCHED_MS = 20_000;

function budget(cap: string, atCap: BudgetRecord["atCap"]): BudgetRecord {
  return { scope: "total", cap: moneyFromDecimal(cap, "USD"), atCap, createdAt: 0, said: { percent: 0, at: 0 } };
}

/** It has run for an hour, and a dollar is spent. */
async function spent(world: PaperWorld, fleet: Fleet, cap: string, atCap: BudgetRecord["atCap"] = "hibernate"): Promise<void> {
  await up(fleet, paperSpec());
  await fleet.clock.sleep(60 * MINUTE_MS);
  await world.state.commit({ budgets: [budget(cap, atCap)] });
}

/** Each level was told of once, whoever looked. */
async function toldOnce({ state }: PaperWorld): Promise<readonly string[]> {
  const levels = (await state.events({ limit: 100_000 })).filter(({ type }) => type === "budget").map(({ data }) => data["percent"]);
  return JSON.stringify(levels) === "[50,80,100]" ? [] : [`told of ${JSON.stringify(levels)}`];
}

/** What a cap brings about without anybody asking for it. */
export const BUDGET_SCENARIOS: readonly Scenario[] = [
  {
    name: "a cap that is reached",
    cloud: {},
    prepare: (world, fleet) => spent(world, fleet, "1"),
    act: (fleet) => watchAndAct(fleet, WATCHED_MS),
    ends: ["hibernated"],
    shows: toldOnce,
  },
  {
    name: "a cap that is reached where machines are parked",
    cloud: { hibernates: "park" },
    prepare: (world, fleet) => spent(world, fleet, "1"),
    act: (fleet) => watchAndAct(fleet, WATCHED_MS),
    ends: ["hibernated"],
    shows: toldOnce,
  },
  {
    name: "a reclaim at a cap",
    cloud: {},
    prepare: async (world, fleet) => {
      await spent(world, fleet, "1");
      for (const machine of world.cloud.living()) world.cloud.reclaim(machine.id, 100);
      await fleet.clock.sleep(1_000);
    },
    act: (fleet) => watchAndAct(fleet, WATCHED_MS),
    ends: ["hibernated"],
    shows: toldOnce,
  },
  {
    name: "a restore that a cap refuses",
    cloud: {},
    prepare: async (world, fleet) => {
      await spent(world, fleet, "1");
      await watchAndAct(fleet, WATCHED_MS);
    },
    act: (fleet) => restore(fleet),
    ends: ["hibernated"],
    shows: toldOnce,
  },
];
