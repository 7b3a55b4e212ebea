import { TOOL_FAULTS, type ToolFault, type ToolPlan } from "./faulty-tools.ts";
import { makeStruckMachine, type StruckMachine } from "./struck-machine.ts";

/** What is walked through: one thing that an agent does, with a fault at each of its steps. */
export interface Scenario {
  readonly name: string;
  readonly settings?: Parameters<typeof makeStruckMachine>[0];
  /** Which faults it can be given; default is all of them. */
  readonly faults?: readonly ToolFault[];
  /** Plays it once on a machine that earlier points have left behind. */
  play(struck: StruckMachine, plan: ToolPlan): Promise<Played>;
}

interface Played {
  /** The call that was struck; undefined where it was never reached. */
  readonly call: string | undefined;
  readonly calls: readonly string[];
  readonly damage: readonly string[];
}

export interface Walked {
  readonly points: number;
  readonly damage: readonly string[];
}

interface Options {
  /** 1 takes every point; more take every so-manyth. */
  readonly stride: number;
  readonly machines?: number;
}

/** Calls come in another order now and then, where programs run side by side: some more are tried until none is reached. */
const BEYOND = 3;

/** The points to be walked, for several machines to take from: they end when the last of a fault is not reached any more. */
function* pointsOf(calls: number, faults: readonly ToolFault[], stride: number, reached: ReadonlySet<string>): Generator<ToolPlan> {
  let seen = 0;
  for (const fault of faults)
    for (let at = 1; at <= calls + BEYOND || reached.has(`${fault} ${at - 1}`); at++) if (seen++ % stride === 0) yield { at, fault };
}

/** Strikes every call of every program, in every way, until none is reached any more. */
export async function walk(scenario: Scenario, { stride, machines = 3 }: Options): Promise<Walked> {
  const reached = new Set<string>();
  const damage: string[] = [];
  let points = 0;
  const faults = scenario.faults ?? TOOL_FAULTS;
  const first = await makeStruckMachine(scenario.settings);
  try {
    const dry = await scenario.play(first, { at: 0, fault: "failed" });
    damage.push(...dry.damage.map((what) => `without a fault: ${what}`));
    if (damage.length > 0) return { points, damage };
    const plans = pointsOf(dry.calls.length, faults, stride, reached);
    const work = async (own: StruckMachine) => {
      for (const plan of plans) {
        const played = await scenario.play(own, plan);
        const where = `${scenario.name}, ${plan.fault} at call ${plan.at} (${(played.call ?? "").replace(/\s+/g, " ").slice(0, 70)})`;
        damage.push(...played.damage.map((what) => `${where}: ${what}`));
        if (played.call === undefined) continue;
        points++;
        reached.add(`${plan.fault} ${plan.at}`);
      }
    };
    const more = async () => {
      const own = await makeStruckMachine(scenario.settings);
      try {
        await work(own);
      } finally {
        await own.close();
      }
    };
    await Promise.all([work(first), ...Array.from({ length: machines - 1 }, more)]);
  } finally {
    await first.close();
  }
  return { points, damage };
}
