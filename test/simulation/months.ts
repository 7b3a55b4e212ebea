import type { Fleet } from "../../src/fleet/fleet.ts";
import { reconcile } from "../../src/fleet/pass.ts";
import type { Rng } from "../../src/model/ids.ts";
import { seededRng } from "../../src/platform/rng.ts";
import type { InstanceSpec } from "../../src/state/records.ts";
import { type FaultMode, type FaultPlan, Killed, NO_FAULT, STOPS } from "./faulty-process.ts";
import { brokenWhenQuiet, unknownSpenders } from "./invariants.ts";
import { type PaperWorld, paperSpec, paperWorld, untilQuiet } from "./paper-world.ts";
import { down, hibernate, restore, up, watchAndAct } from "./scenarios.ts";

export interface Months {
  /** What did not hold, with what had just happened. */
  readonly broken: readonly string[];
  /** How much life there was. */
  readonly days: number;
  readonly machines: number;
  readonly kills: number;
  readonly commands: number;
  /** How often control changed hands. */
  readonly takeovers: number;
  /** How often a process was stopped for longer than its lease. */
  readonly stops: number;
}

const MINUTE_MS = 60_000;
const ALL_MODES: readonly FaultMode[] = ["crash-before", "crash-after", "crash-late", "refused", "lost", ...STOPS];

/** Three instances with the policies of this life. */
function specsOf(rng: Rng): readonly InstanceSpec[] {
  const policy = (onReclaim: InstanceSpec["onReclaim"]) => ({
    onReclaim,
    billing: pick(rng, ["spot", "spot", "auto"] as const),
    fallbackAfterMs: pick(rng, [null, 2 * MINUTE_MS, 20 * MINUTE_MS]),
    returnToSpot: rng.next() < 0.5,
    maxPrice: pick(rng, [null, null, "3.1"]),
    fleet: pick(rng, [null, "together"]),
  });
  const volume = (name: string) => ({ name, sizeGb: 10, mount: "/data" });
  return [
    paperSpec({ name: "train", volume: volume("train"), ...policy("replace") }),
    paperSpec({ name: "serve", volume: volume("serve"), ...policy(pick(rng, ["hibernate", "checkpoint"] as const)) }),
    paperSpec({ name: "batch", volume: null, ...policy(pick(rng, ["let-go", "replace"] as const)) }),
  ];
}

interface Play {
  readonly world: PaperWorld;
  readonly rng: Rng;
  readonly specs: readonly InstanceSpec[];
  readonly kills: { count: number; commands: number; stops: number };
  readonly broken: string[];
}

function pick<Item>(rng: Rng, items: readonly Item[]): Item {
  const item = items[Math.floor(rng.next() * items.length)];
  if (item === undefined) throw new RangeError("nothing to pick from");
  return item;
}

/** One user, market or controller act after the other for `steps` steps; every few of them the market heals and all must agree. */
export async function playMonths(seed: number, steps: number): Promise<Months> {
  const rng = seededRng(seed);
  const settings = {
    hibernates: rng.next() < 0.5 ? "native" : "park",
    idempotent: rng.next() < 0.3,
    listSettlesMs: pick(rng, [0, 3_000, 10_000]),
    provisionMs: pick(rng, [900, 5_000]),
    latencyMs: pick(rng, [5, 40, 400]),
    attaches: rng.next() < 0.4,
  } as const;
  const world = await paperWorld(settings, seed);
  const play: Play = { world, rng, specs: specsOf(rng), kills: { count: 0, commands: 0, stops: 0 }, broken: [] };
  const start = world.clock.now();
  try {
    for (let step = 1; step <= steps && play.broken.length === 0; step++) {
      const story = await act(play);
      const wrong = [...(await unknownSpenders(world)), ...world.trespasses];
      play.broken.push(...wrong.map((what) => `step ${step} (${story}): ${what}`));
      if (step % 5 === 0) await heal(play, `step ${step} (${story})`);
    }
    const days = Math.round((world.clock.now() - start) / 86_400_000);
    const { count: kills, commands: began, stops } = play.kills;
    const machines = world.cloud.machines.size;
    return { broken: play.broken, days, machines, kills, commands: began, stops, takeovers: await takeovers(world) };
  } finally {
    await world.state.close();
  }
}

async function takeovers({ state }: PaperWorld): Promise<number> {
  let count = 0;
  for (let afterSeq = 0; ; ) {
    const events = await state.events({ afterSeq });
    count += events.filter(({ data }) => data["action"] === "controller" && data["was"] !== null).length;
    const last = events.at(-1);
    if (last === undefined) return count;
    afterSeq = last.seq;
  }
}

/** The market has everything again, and after some passes everything must agree. */
async function heal({ world, broken }: Play, story: string): Promise<void> {
  const { cloud } = world;
  for (const zone of cloud.zones) {
    zone.stock = Math.max(zone.stock, 6);
    zone.onDemandStock = Math.max(zone.onDemandStock, 6);
    zone.price = { micros: 1_000_000n, currency: "USD" };
  }
  cloud.failingStarts = 0;
  cloud.outageUntil = 0;
  // Offers that said no are passed over for three minutes, and zones that took an instance back too often for an hour.
  await world.clock.pass(61 * MINUTE_MS);
  const damage = [...(await untilQuiet(world)), ...(await brokenWhenQuiet(world))];
  broken.push(...damage.map((what) => `${story}, then all is well again: ${what}`));
}

async function act(play: Play): Promise<string> {
  const { world, rng } = play;
  const dice = rng.next();
  if (dice < 0.12) {
    const minutes = 1 + Math.floor(rng.next() * 2_000);
    await world.clock.pass(minutes * MINUTE_MS);
    return `${minutes} min pass`;
  }
  if (dice < 0.4) return happening(play);
  return dice < 0.6 ? controllers(play) : commands(play);
}

/** What the market does, or somebody at the cloud's own console. */
async function happening({ world, rng }: Play): Promise<string> {
  const { cloud, clock } = world;
  const machine = cloud.living().length === 0 ? undefined : pick(rng, cloud.living());
  const dice = rng.next();
  if (dice < 0.35 && machine !== undefined) {
    const noticeMs = pick(rng, [0, 500, 3_000, 30_000, 120_000, 1_200_000]);
    cloud.reclaim(machine.id, noticeMs);
    return `${machine.id} is reclaimed in ${noticeMs} ms`;
  }
  if (dice < 0.45 && machine !== undefined) {
    cloud.withdraw(machine.id);
    return `a notice of ${machine.id} is withdrawn`;
  }
  if (dice < 0.6 && machine !== undefined) {
    const what = pick(rng, ["destroy", "hibernate", "restore"] as const);
    if (what === "hibernate" && cloud.settings.hibernates === "park") return "nothing";
    cloud.console(machine.id, what);
    return `${what} of ${machine.id} at the console`;
  }
  if (dice < 0.72) {
    const zone = pick(rng, cloud.zones);
    zone.stock = pick(rng, [0, 0, 1, 3]);
    return `stock of ${zone.zone} is ${zone.stock}`;
  }
  if (dice < 0.78) {
    const zone = pick(rng, cloud.zones);
    zone.price = { micros: BigInt(pick(rng, [500_000, 1_000_000, 2_900_000, 3_300_000])), currency: "USD" };
    return `the price of ${zone.zone} is ${zone.price.micros}`;
  }
  if (dice < 0.9) {
    cloud.failingStarts = 1 + Math.floor(rng.next() * 3);
    return `the next ${cloud.failingStarts} starts fail`;
  }
  const ms = Math.floor(rng.next() * 5 * MINUTE_MS);
  cloud.outageUntil = clock.now() + ms;
  return `the cloud is down for ${ms} ms`;
}

type Command = (fleet: Fleet) => Promise<unknown>;

function command({ rng, specs }: Play): readonly [string, Command] {
  const spec = pick(rng, specs);
  const dice = rng.next();
  if (dice < 0.3) return [`up ${spec.name}`, (fleet) => up(fleet, spec)];
  if (dice < 0.4) return [`down ${spec.name}`, (fleet) => down(fleet, spec.name)];
  if (dice < 0.55) return [`hibernate ${spec.name}`, (fleet) => hibernate(fleet, spec.name)];
  if (dice < 0.7) return [`restore ${spec.name}`, (fleet) => restore(fleet, spec.name, pick(rng, [1_000, 2 * MINUTE_MS]))];
  if (dice < 0.85) return ["reconcile", (fleet) => reconcile(fleet, { signal: new AbortController().signal, limitMs: MINUTE_MS })];
  return ["watch --act", (fleet) => watchAndAct(fleet, 2 * MINUTE_MS)];
}

/**
 * Two or three processes that would act, each of them stopped again and again for longer than its lease, or killed, while
 * machines are reclaimed and somebody types commands.
 */
async function controllers(play: Play): Promise<string> {
  const { world, rng } = play;
  const minutes = 3 + Math.floor(rng.next() * 5);
  const told: string[] = [];
  const works: Promise<void>[] = [];
  for (let index = rng.next() < 0.7 ? 2 : 3; index > 0; index--) {
    const plan: FaultPlan =
      rng.next() < 0.2
        ? { at: 1 + Math.floor(rng.next() * 60), mode: pick(rng, ALL_MODES) }
        : {
            at: 1 + Math.floor(rng.next() * 60),
            every: 10 + Math.floor(rng.next() * 60),
            mode: pick(rng, STOPS),
            aimed: rng.next() < 0.6,
            stopMs: 12_000 + rng.next() * 90_000,
          };
    works.push(
      runProcess(play, "watch --act", (fleet) => watchAndAct(fleet, minutes * MINUTE_MS), plan, Math.floor(rng.next() * 20_000), told),
    );
  }
  if (rng.next() < 0.5) works.push(runProcess(play, ...command(play), NO_FAULT, Math.floor(rng.next() * minutes * MINUTE_MS), told));
  const market = async () => {
    for (let count = 3; count > 0; count--) {
      await world.clock.sleep((rng.next() * minutes * MINUTE_MS) / 3);
      told.push(await happening(play));
    }
  };
  await world.clock.run(Promise.all([...works, market()]));
  return `for ${minutes} min: ${told.join("; ")}`;
}

/** One process from its beginning to its end, however it ends. */
async function runProcess(play: Play, name: string, run: Command, plan: FaultPlan, delayMs: number, told: string[]): Promise<void> {
  const { world, kills, broken } = play;
  const process = world.start(plan);
  const fault = plan.at === 0 ? "" : `, effect ${plan.at} ${plan.mode}${plan.every === undefined ? "" : ` and every ${plan.every}`}`;
  told.push(`${name} after ${delayMs} ms${fault}`);
  kills.commands++;
  try {
    await world.clock.sleep(delayMs);
    await run(process.fleet);
  } catch (error) {
    // A command may fail, but never by a mistake of its own.
    if (!(error instanceof Killed) && (error instanceof TypeError || error instanceof RangeError)) broken.push(`${name}: ${error.message}`);
  } finally {
    if (process.isDead()) kills.count++;
    kills.stops += process.stops();
    world.bury(process);
  }
}

/** One to three processes at once, each perhaps killed, or with a call that goes wrong. */
async function commands(play: Play): Promise<string> {
  const { world, rng } = play;
  const many = rng.next() < 0.5 ? 1 : rng.next() < 0.7 ? 2 : 3;
  const told: string[] = [];
  const works: Promise<void>[] = [];
  for (let index = 0; index < many; index++) {
    const [name, run] = command(play);
    const plan: FaultPlan = rng.next() < 0.6 ? { at: 1 + Math.floor(rng.next() ** 2 * 80), mode: pick(rng, ALL_MODES) } : NO_FAULT;
    works.push(runProcess(play, name, run, plan, Math.floor(rng.next() * 3_000), told));
  }
  await world.clock.run(Promise.all(works));
  return told.join("; ");
}
