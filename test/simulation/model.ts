import fc from "fast-check";
import type { Fleet } from "../../src/fleet/fleet.ts";
import { reconcile } from "../../src/fleet/pass.ts";
import type { InstanceSpec } from "../../src/state/records.ts";
import { type FaultMode, type FaultPlan, Killed, NO_FAULT } from "./faulty-process.ts";
import { brokenWhenQuiet, unknownSpenders } from "./invariants.ts";
import { type PaperWorld, paperSpec, paperWorld, untilQuiet } from "./paper-world.ts";
import { down, hibernate, restore, up, watchAndAct } from "./scenarios.ts";

const MINUTE_MS = 60_000;

/** How an instance may be found once all is quiet; `none`: there is no record of that name. */
export type End = "running" | "hibernated" | "gone" | "none";

/** What a fleet may look like, whatever really happened: of each name, how it may end up. */
export interface Model {
  readonly may: Map<string, ReadonlySet<End>>;
}

/** Sums over all runs. */
export interface Lived {
  days: number;
  steps: number;
  kills: number;
  machines: number;
  /** How many times an invariant was asked. */
  checks: number;
}

export interface Real {
  readonly world: PaperWorld;
  readonly lived: Lived;
  readonly specs: ReadonlyMap<string, InstanceSpec>;
}

type Step = fc.AsyncCommand<Model, Real>;
const endsOf = (model: Model, name: string): ReadonlySet<End> => model.may.get(name) ?? new Set<End>(["none"]);

/** @throws Error with what does not hold. */
function require(lived: Lived, broken: readonly string[], count = 1): void {
  lived.checks += count;
  if (broken.length > 0) throw new Error(broken.join("\n"));
}

/** What holds after every single step, whatever is under way. */
async function always({ world, lived }: Real): Promise<void> {
  require(lived, await unknownSpenders(world));
  require(lived, world.trespasses);
  require(lived, world.cloud.unsealedEnds.map((id) => `${id} was ended without a checkpoint`));
  const volumes = await world.state.volumes();
  const lost = volumes.filter(
    ({ providerId, state }) => state === "available" && providerId !== null && !world.cloud.volumes.has(providerId),
  );
  require(lived, lost.map(({ name }) => `the volume ${name} is lost, and its checkpoints`));
}

/** A step under its name, with what holds after it. */
function stepOf(name: string, run: (model: Model, real: Real) => Promise<void>): Step {
  return {
    check: () => true,
    async run(model, real) {
      real.lived.steps++;
      await run(model, real);
      await always(real);
    },
    toString: () => name,
  };
}

/** One process that may be killed or hindered; false when it did not end well. */
async function runs({ world, lived }: Real, plan: FaultPlan, work: (fleet: Fleet) => Promise<unknown>): Promise<boolean> {
  const process = world.start(plan);
  try {
    await world.clock.run(work(process.fleet));
    return true;
  } catch (error) {
    if (!(error instanceof Killed) && (error instanceof TypeError || error instanceof RangeError)) throw error;
    return false;
  } finally {
    if (process.isDead()) lived.kills++;
    world.bury(process);
  }
}

const told = ({ at, mode }: FaultPlan) => (at === 0 ? "" : ` (effect ${at} ${mode})`);

/** Something has befallen its machine that nobody has answered yet: a command that ended well may still be overtaken by it. */
async function isTroubled({ world }: Real, name: string): Promise<boolean> {
  const record = await world.state.instanceByName(name);
  if (record?.providerId == null || record.state === "gone") return false;
  const machine = world.cloud.machine(record.providerId);
  return machine === undefined || machine.state === "gone" || machine.notice !== null;
}

/** A command that somebody types: its end is certain when it ended well, and one of two otherwise. */
function typed(verb: string, name: string, plan: FaultPlan, to: End, work: (fleet: Fleet, spec: InstanceSpec) => Promise<unknown>): Step {
  return stepOf(`${verb} ${name}${told(plan)}`, async (model, real) => {
    const spec = real.specs.get(name);
    if (spec === undefined) return;
    const before = endsOf(model, name);
    const well = await runs(real, plan, (fleet) => work(fleet, spec));
    const undone: readonly End[] = verb === "up" ? ["gone"] : verb === "restore" ? ["hibernated"] : [];
    const certain = well && !(await isTroubled(real, name));
    model.may.set(
      name,
      certain ? new Set([to, ...afterwards(spec)]) : new Set([...before, to, ...(well ? [] : undone), ...afterwards(spec)]),
    );
  });
}

/** Where a price above the limit may bring it by itself. */
function afterwards({ maxPrice, onReclaim }: InstanceSpec): readonly End[] {
  return maxPrice !== null && onReclaim !== "replace" ? ["hibernated"] : [];
}

/** The market or the cloud does something to the machine of that name. */
function befalls(
  what: string,
  name: string,
  adds: (spec: InstanceSpec) => readonly End[],
  act: (world: PaperWorld, id: string) => void,
): Step {
  return stepOf(`${what} ${name}`, async (model, real) => {
    const spec = real.specs.get(name);
    for (const machine of real.world.cloud.living().filter((one) => one.name === name)) {
      act(real.world, machine.id);
      if (spec !== undefined) model.may.set(name, new Set([...endsOf(model, name), ...adds(spec)]));
    }
  });
}

const afterReclaim = ({ onReclaim }: InstanceSpec): readonly End[] =>
  onReclaim === "let-go" ? ["gone"] : onReclaim === "replace" ? [] : ["hibernated"];

function healed({ cloud }: PaperWorld): void {
  for (const zone of cloud.zones) {
    zone.stock = Math.max(zone.stock, 6);
    zone.onDemandStock = Math.max(zone.onDemandStock, 6);
  }
  cloud.failingStarts = 0;
  cloud.outageUntil = 0;
}

/** All is well again: whoever waited out an hour has a machine by then, and everything must agree, with the model too. */
const SETTLE = stepOf("all is well", async (model, { world, lived }) => {
  healed(world);
  for (const [index, price] of [1_000_000n, 1_200_000n, 1_500_000n].entries()) {
    const zone = world.cloud.zones[index];
    if (zone !== undefined) zone.price = { micros: price, currency: "USD" };
  }
  // Offers that said no are passed over for minutes, burnt zones for an hour.
  await world.clock.pass(61 * MINUTE_MS);
  require(lived, await untilQuiet(world));
  require(lived, await brokenWhenQuiet(world), 9);
  const records = await world.state.instances({ includeGone: true });
  for (const [name, may] of model.may) {
    const record = records.find((one) => one.name === name && one.state !== "gone") ?? records.find((one) => one.name === name);
    const end = (record?.state === "reclaiming" ? "running" : (record?.state ?? "none")) as End;
    require(lived, may.has(end) ? [] : [`${name} is ${end} (${record?.reason}), and may be ${[...may].join(" or ")}`]);
    model.may.set(name, new Set([end]));
  }
});

const NAMES = ["train", "serve", "batch"] as const;
const MODES: readonly FaultMode[] = ["crash-before", "crash-after", "crash-late", "refused", "lost"];
const name = fc.constantFrom(...NAMES);
const plan: fc.Arbitrary<FaultPlan> = fc.oneof(
  { weight: 1, arbitrary: fc.constant(NO_FAULT) },
  { weight: 1, arbitrary: fc.record({ at: fc.integer({ min: 1, max: 60 }), mode: fc.constantFrom(...MODES) }) },
);

/** Every step there is: what people type, what runs beside them, what markets and clouds do, and time. */
export const STEPS: readonly fc.Arbitrary<Step>[] = [
  fc.tuple(name, plan).map(([one, fault]) => typed("up", one, fault, "running", up)),
  fc.tuple(name, plan).map(([one, fault]) => typed("down", one, fault, "gone", (fleet) => down(fleet, one))),
  fc.tuple(name, plan).map(([one, fault]) => typed("hibernate", one, fault, "hibernated", (fleet) => hibernate(fleet, one))),
  fc.tuple(name, plan).map(([one, fault]) => typed("restore", one, fault, "running", (fleet) => restore(fleet, one, 5 * MINUTE_MS))),
  fc.tuple(plan, fc.integer({ min: 1, max: 4 })).map(([fault, minutes]) =>
    stepOf(`watch --act for ${minutes} min${told(fault)}`, async (_model, real) => {
      await runs(real, fault, (fleet) => watchAndAct(fleet, minutes * MINUTE_MS));
    }),
  ),
  fc.tuple(plan, plan).map(([one, other]) =>
    stepOf(`two controllers${told(one)}${told(other)}`, async (_model, real) => {
      const beside = real.world.start(other);
      const second = watchAndAct(beside.fleet, 2 * MINUTE_MS).catch(() => undefined);
      await runs(real, one, (fleet) => watchAndAct(fleet, 2 * MINUTE_MS));
      await real.world.clock.run(second);
      if (beside.isDead()) real.lived.kills++;
      real.world.bury(beside);
    }),
  ),
  plan.map((fault) =>
    stepOf(`reconcile${told(fault)}`, async (_model, real) => {
      await runs(real, fault, (fleet) => reconcile(fleet, { signal: new AbortController().signal, limitMs: MINUTE_MS }));
    }),
  ),
  fc
    .tuple(name, fc.constantFrom(0, 500, 30_000, 2 * MINUTE_MS, 20 * MINUTE_MS))
    .map(([one, ms]) => befalls(`notice of ${ms} ms for`, one, afterReclaim, ({ cloud }, id) => cloud.reclaim(id, ms))),
  name.map((one) =>
    befalls(
      "notice withdrawn for",
      one,
      () => [],
      ({ cloud }, id) => cloud.withdraw(id),
    ),
  ),
  name.map((one) =>
    befalls(
      "ended at the console:",
      one,
      (spec) => ["gone", "running", ...afterReclaim(spec)],
      ({ cloud }, id) => cloud.console(id, "destroy"),
    ),
  ),
  fc.tuple(fc.nat({ max: 2 }), fc.constantFrom(0, 1, 3)).map(([index, stock]) =>
    stepOf(`spot stock ${stock} in zone ${index}`, async (_model, { world }) => {
      const zone = world.cloud.zones[index];
      if (zone !== undefined) zone.stock = stock;
    }),
  ),
  fc.tuple(fc.nat({ max: 2 }), fc.constantFrom(500_000, 1_000_000, 1_400_000, 2_900_000)).map(([index, micros]) =>
    stepOf(`spot price ${micros} in zone ${index}`, async (_model, { world }) => {
      const zone = world.cloud.zones[index];
      if (zone !== undefined) zone.price = { micros: BigInt(micros), currency: "USD" };
    }),
  ),
  fc.integer({ min: 1, max: 10 }).map((minutes) =>
    stepOf(`outage of ${minutes} min`, async (_model, { world }) => {
      world.cloud.outageUntil = world.clock.now() + minutes * MINUTE_MS;
    }),
  ),
  fc.integer({ min: 1, max: 3 }).map((count) =>
    stepOf(`the next ${count} starts fail`, async (_model, { world }) => {
      world.cloud.failingStarts = count;
    }),
  ),
  fc
    .integer({ min: 1, max: 2 * 1440 })
    .map((minutes) => stepOf(`${minutes} min pass`, async (_model, { world }) => world.clock.pass(minutes * MINUTE_MS))),
  fc.constant(SETTLE),
];

const policy = fc.record({
  onReclaim: fc.constantFrom("replace" as const, "replace" as const, "hibernate" as const, "checkpoint" as const, "let-go" as const),
  billing: fc.constantFrom("spot" as const, "spot" as const, "auto" as const),
  fallbackAfterMs: fc.constantFrom(null, 2 * MINUTE_MS, 20 * MINUTE_MS),
  returnToSpot: fc.boolean(),
  maxPrice: fc.constantFrom(null, null, "3.1"),
  fleet: fc.constantFrom(null, "together"),
});

/** One life: how the cloud is, what the instances' policies are, and what happens. */
export const LIFE = (most: number) =>
  fc.record({
    cloud: fc.record({
      hibernates: fc.constantFrom("native" as const, "park" as const),
      idempotent: fc.boolean(),
      listSettlesMs: fc.constantFrom(0, 3_000, 10_000),
      latencyMs: fc.constantFrom(5, 40, 400),
      attaches: fc.boolean(),
    }),
    policies: fc.tuple(policy, policy, policy),
    // People bring up more than they take down, and somebody watches most of the time.
    steps: fc.commands([...STEPS, ...[0, 0, 0, 4, 4, 7, 7, 14].flatMap((index) => STEPS[index] ?? [])], { maxCommands: most, size: "max" }),
  });

type Life = ReturnType<typeof LIFE> extends fc.Arbitrary<infer Value> ? Value : never;

/** Plays one life to its end, and settles it. @throws Error with what did not hold. */
export async function live({ cloud, policies, steps }: Life, lived: Lived): Promise<void> {
  const world = await paperWorld(cloud);
  const start = world.clock.now();
  const specs = new Map(
    NAMES.map((one, index) => [one, paperSpec({ name: one, volume: { name: one, sizeGb: 10, mount: "/data" }, ...policies[index] })]),
  );
  const real: Real = { world, lived, specs };
  const model: Model = { may: new Map() };
  try {
    await fc.asyncModelRun(() => ({ model, real }), steps);
    await SETTLE.run(model, real);
  } finally {
    lived.days += (world.clock.now() - start) / 86_400_000;
    lived.machines += world.cloud.machines.size;
    await world.state.close();
  }
}

export const nothingLived = (): Lived => ({ days: 0, steps: 0, kills: 0, machines: 0, checks: 0 });
