import type { Fleet } from "../../src/fleet/fleet.ts";
import { type PaperWorld, paperSpec } from "./paper-world.ts";
import type { Scenario } from "./scenarios.ts";
import { down, up, watchAndAct } from "./scenarios.ts";

const MINUTE_MS = 60_000;
const FALLBACK = paperSpec({ fallbackAfterMs: 20_000, returnToSpot: true });

function sellOut({ cloud }: PaperWorld): void {
  for (const zone of cloud.zones) zone.stock = 0;
}

function restock({ cloud }: PaperWorld): void {
  for (const zone of cloud.zones) zone.stock = 3;
}

/** Events of a kind of action, for what must have been shown. */
export async function acted({ state }: PaperWorld, action: string): Promise<number> {
  return (await state.events({ limit: 100_000 })).filter(({ data }) => data["action"] === action).length;
}

async function billings({ cloud }: PaperWorld): Promise<string> {
  return cloud
    .living()
    .map(({ billing }) => billing)
    .join();
}

async function onDemand(world: PaperWorld, fleet: Fleet): Promise<void> {
  sellOut(world);
  await up(fleet, FALLBACK);
  restock(world);
  await fleet.clock.sleep(40 * MINUTE_MS);
}

/** It runs where volumes are attached to machines that run, and its notice leaves it 50 s. */
async function goesSoon(world: PaperWorld, fleet: Fleet): Promise<void> {
  await up(fleet, paperSpec());
  await fleet.clock.sleep(2 * MINUTE_MS);
  for (const machine of world.cloud.living()) world.cloud.reclaim(machine.id, 50_000);
  await fleet.clock.sleep(15_000);
}

/** It is to sleep, and its notice leaves it eight minutes. */
async function goesLate(world: PaperWorld, fleet: Fleet): Promise<void> {
  await up(fleet, paperSpec({ onReclaim: "hibernate" }));
  await fleet.clock.sleep(2 * MINUTE_MS);
  for (const machine of world.cloud.living()) world.cloud.reclaim(machine.id, 8 * MINUTE_MS);
}

const happened = async (world: PaperWorld, ...actions: readonly string[]) => {
  const missing: string[] = [];
  for (const action of actions) if ((await acted(world, action)) !== 1) missing.push(`${action} ${await acted(world, action)} times`);
  return missing;
};

/** Scenarios of the policies: what happens without anybody asking for it. */
export const POLICY_SCENARIOS: readonly Scenario[] = [
  {
    name: "fallback to on-demand after a reclaim",
    cloud: {},
    prepare: async (world, fleet) => {
      await up(fleet, FALLBACK);
      await fleet.clock.sleep(2 * MINUTE_MS);
      sellOut(world);
      for (const machine of world.cloud.living()) world.cloud.reclaim(machine.id, 100);
      for (const zone of world.cloud.zones) zone.stock = -1;
    },
    act: (fleet) => watchAndAct(fleet, 40_000),
    ends: ["running"],
    shows: async (world) => ((await billings(world)) === "on-demand" ? [] : [`it runs on ${await billings(world)}`]),
  },
  {
    name: "up with a fallback where there is no spot",
    cloud: {},
    prepare: async (world) => sellOut(world),
    act: async (fleet) => void (await up(fleet, FALLBACK)),
    ends: ["running", "gone", "nothing"],
    shows: async (world) => ((await billings(world)) === "on-demand" ? [] : [`it runs on ${await billings(world)}`]),
  },
  {
    name: "return to spot",
    cloud: {},
    prepare: onDemand,
    act: (fleet) => watchAndAct(fleet, 10_000),
    ends: ["running"],
    shows: async (world) => ((await billings(world)) === "spot" ? [] : [`it runs on ${await billings(world)}`]),
  },
  {
    name: "return to spot that is refused after all",
    cloud: {},
    prepare: async (world, fleet) => {
      await onDemand(world, fleet);
      sellOut(world);
    },
    act: (fleet) => watchAndAct(fleet, 10_000),
    ends: ["running"],
    shows: async (world) => ((await billings(world)) === "on-demand" ? [] : [`it runs on ${await billings(world)}`]),
  },
  {
    name: "a neighbour's notice",
    cloud: {},
    records: 2,
    prepare: async (world, fleet) => {
      await up(fleet, paperSpec());
      await up(fleet, paperSpec({ name: "other", volume: { name: "other", sizeGb: 10, mount: "/data" } }));
      await fleet.clock.sleep(2 * MINUTE_MS);
      const other = world.cloud.living().find(({ name }) => name === "other");
      if (other !== undefined) world.cloud.reclaim(other.id, 2 * MINUTE_MS);
    },
    act: (fleet) => watchAndAct(fleet, 10_000),
    ends: ["running"],
    shows: async (world) => ((await acted(world, "precaution")) === 1 ? [] : [`${await acted(world, "precaution")} precautions`]),
  },
  {
    name: "a price above the limit, another pool below it",
    cloud: {},
    prepare: async (world, fleet) => {
      await up(fleet, paperSpec({ maxPrice: "1.3" }));
      await watchAndAct(fleet, 1_000);
      for (const zone of world.cloud.zones) if (zone.zone === "north-a") zone.price = { micros: 1_400_000n, currency: "USD" };
      await watchAndAct(fleet, 1_000);
      await fleet.clock.sleep(11 * MINUTE_MS);
    },
    act: (fleet) => watchAndAct(fleet, 10_000),
    ends: ["running"],
    shows: async ({ cloud }) => (cloud.living().every(({ zone }) => zone.zone === "north-b") ? [] : ["it did not move"]),
  },
  {
    name: "a price above the limit, to hibernate",
    cloud: { hibernates: "park" },
    prepare: async (world, fleet) => {
      await up(fleet, paperSpec({ maxPrice: "1.3", onReclaim: "hibernate" }));
      for (const zone of world.cloud.zones) zone.price = { micros: 1_400_000n, currency: "USD" };
      await watchAndAct(fleet, 1_000);
      await fleet.clock.sleep(11 * MINUTE_MS);
    },
    act: (fleet) => watchAndAct(fleet, 10_000),
    ends: ["hibernated"],
  },
  {
    name: "a machine rented ahead takes over",
    cloud: { attaches: true },
    prepare: goesSoon,
    act: (fleet) => watchAndAct(fleet, 50_000),
    ends: ["running"],
    shows: (world) => happened(world, "launch-ahead", "take-over"),
  },
  {
    name: "a machine rented ahead, and the notice is withdrawn",
    cloud: { attaches: true },
    prepare: async (world, fleet) => {
      await goesSoon(world, fleet);
      void world.clock.sleep(20_000).then(() => {
        for (const { id } of world.cloud.living()) world.cloud.withdraw(id);
      });
    },
    act: (fleet) => watchAndAct(fleet, 30_000),
    ends: ["running"],
    shows: (world) => happened(world, "launch-ahead", "end-successor"),
  },
  {
    name: "a machine rented ahead, and down meanwhile",
    cloud: { attaches: true },
    prepare: goesSoon,
    act: async (fleet, other) => {
      await Promise.allSettled([watchAndAct(fleet, 20_000), other.clock.sleep(14_000).then(() => down(other))]);
    },
    ends: ["gone", "running"],
    shows: (world) => happened(world, "launch-ahead", "end-successor"),
  },
  {
    name: "a machine rented ahead that never comes up",
    cloud: { attaches: true },
    prepare: async (world, fleet) => {
      await goesSoon(world, fleet);
      world.cloud.failingStarts = 1;
    },
    act: (fleet) => watchAndAct(fleet, 55_000),
    ends: ["running"],
    shows: (world) => happened(world, "take-over"),
  },
  {
    name: "a machine rented ahead, and the one before it is ended at the console",
    cloud: { attaches: true },
    prepare: async (world, fleet) => {
      await goesSoon(world, fleet);
      const [machine] = world.cloud.living();
      void world.clock.sleep(20_000).then(() => world.cloud.console(machine?.id ?? "", "destroy"));
    },
    act: (fleet) => watchAndAct(fleet, 30_000),
    ends: ["gone"],
    shows: (world) => happened(world, "launch-ahead", "end-successor"),
  },
  {
    name: "a long notice for one that is to sleep",
    cloud: {},
    prepare: goesLate,
    act: (fleet) => watchAndAct(fleet, 10_000),
    ends: ["hibernated"],
    shows: (world) => happened(world, "seal-early", "work-on"),
  },
  {
    name: "the last moment of a long notice",
    cloud: { hibernates: "park" },
    prepare: async (world, fleet) => {
      await goesLate(world, fleet);
      await watchAndAct(fleet, 10_000);
      const [record] = await world.state.instances();
      await fleet.clock.sleep((record?.outlook.early?.worksUntil ?? 0) - fleet.clock.now() - 5_000);
    },
    act: (fleet) => watchAndAct(fleet, 15_000),
    ends: ["hibernated"],
    shows: (world) => happened(world, "work-on", "sleep"),
  },
  {
    name: "a long notice that is withdrawn",
    cloud: {},
    prepare: async (world, fleet) => {
      await goesLate(world, fleet);
      void world.clock.sleep(7_000).then(() => {
        for (const { id } of world.cloud.living()) world.cloud.withdraw(id);
      });
    },
    act: (fleet) => watchAndAct(fleet, 15_000),
    ends: ["running"],
    shows: (world) => happened(world, "seal-early", "work-on"),
  },
];
