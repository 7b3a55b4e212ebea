/** A fault at the n-th step, from 1; at 0 nothing is struck, and steps are only counted. */
export interface Plan<Fault extends string> {
  readonly at: number;
  readonly fault: Fault;
  /** Only steps that fit this pattern of the shell count, e.g. `mv *`; where steps are calls of programs. */
  readonly only?: string;
}

/** What is walked through: one thing that is done with checkpoints, with a fault at each of its steps. */
export interface Scenario<Fault extends string> {
  readonly name: string;
  readonly faults: readonly Fault[];
  /** A place of its own to play it in; several are played side by side. */
  begin(): Promise<Player<Fault>>;
}

export interface Player<Fault extends string> {
  /** Plays it once, in what earlier points have left behind. */
  play(plan: Plan<Fault>): Promise<Played>;
  end(): Promise<void>;
}

export interface Played {
  /** The step that was struck; undefined where it was never reached, or has no such fault. */
  readonly step: string | undefined;
  /** How many there were. */
  readonly steps: number;
  readonly damage: readonly string[];
}

export interface Walked {
  readonly points: number;
  readonly damage: readonly string[];
}

/** Steps come in another order now and then, where some are done side by side: a few more are tried beyond the last one. */
const BEYOND = 3;

/** The points to be walked: those of a fault end when its last one is not reached any more. */
function* pointsOf<Fault extends string>(
  steps: number,
  faults: readonly Fault[],
  stride: number,
  reached: ReadonlySet<string>,
): Generator<Plan<Fault>> {
  let seen = 0;
  for (const fault of faults)
    for (let at = 1; at <= steps + BEYOND || reached.has(`${fault} ${at - 1}`); at++) if (seen++ % stride === 0) yield { at, fault };
}

/**
 * Strikes every step in every way, until none is reached any more.
 * @param stride 1 takes every point; more take every so-manyth.
 */
export async function walk<Fault extends string>(scenario: Scenario<Fault>, stride: number, sideBySide = 3): Promise<Walked> {
  const { name, faults } = scenario;
  const reached = new Set<string>();
  const damage: string[] = [];
  let points = 0;
  let plans: Iterable<Plan<Fault>> = [];
  const player = async (work: (own: Player<Fault>) => Promise<void>) => {
    const own = await scenario.begin();
    try {
      await work(own);
    } finally {
      await own.end();
    }
  };
  const strikeAll = (own: Player<Fault>) => async () => {
    for (const plan of plans) {
      const played = await own.play(plan);
      const step = (played.step ?? "").replaceAll(/\s+/g, " ").slice(0, 90);
      damage.push(...new Set(played.damage.map((what) => `${name}, ${plan.fault} at step ${plan.at} (${step}): ${what}`)));
      if (played.step === undefined) continue;
      points++;
      reached.add(`${plan.fault} ${plan.at}`);
    }
  };
  await player(async (own) => {
    const [fault] = faults;
    if (fault === undefined) return;
    const dry = await own.play({ at: 0, fault });
    damage.push(...dry.damage.map((what) => `${name}, without a fault: ${what}`));
    if (damage.length > 0) return;
    plans = pointsOf(dry.steps, faults, stride, reached);
    const others = Array.from({ length: sideBySide - 1 }, () => player((other) => strikeAll(other)()));
    await Promise.all([strikeAll(own)(), ...others]);
  });
  return { points, damage };
}
