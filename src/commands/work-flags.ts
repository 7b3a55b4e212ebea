import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import type { OwnPast } from "../fleet/own-past.ts";
import { parseDuration } from "../model/duration.ts";
import { usageProblem } from "../model/problem.ts";
import { USUAL_WORK, type WorkBasis, type WorkModel } from "../pricing/effective.ts";
import { parseRate, parseSeconds } from "../pricing/work-text.ts";
import type { State } from "../state/records.ts";
import type { CommandContext } from "./command.ts";
import { parsedFlag, textFlag } from "./price-flags.ts";

/** The flags of the effective price; `workFlags` reads them. */
export function addWorkFlags(command: Command): void {
  command
    .option("--checkpoint-every <duration>", "how often the workload saves its work, or auto: as often as pays at each rate; else 10m")
    .option("--checkpoint-time <duration>", "how long the work waits for one checkpoint; as measured, else 5s")
    .option("--restart-time <duration>", "what is paid of a replacement until it computes; as measured, else 5m")
    .option("--interruptions <rate>", "so many an hour for every offer: 0.05, or 1/20h")
    .option("--notice <duration>", "from the notice to the reclaim, for every offer; 0 for none")
    .option("--protection <duration>", "no reclaim in the first so long, for every offer; 0 for none");
}

/** For the help of a command that has these flags. */
export const EFFECTIVE_PRICE_HELP = `
The effective price is what a useful hour costs on spot:
  price × (1 + lost work + checkpoints + restarts), each as a share of the useful hours.
Machines are interrupted by chance, a times an hour once their protection is over. Without
protection and notice, for a checkpoint of d every t and a start of r, that is (Daly 2006)
  price × e^(a·r) × (e^(a·(t+d)) − 1) / (a·t)  ≈  price × (1 + a·(t/2 + r) + d/t)  (Young 1974).
A notice that is long enough (10 s and two checkpoints) is used for one more checkpoint, and no
work is lost; a shorter one is no help. Waiting for a machine is not paid. docs/prices.md has all.
How often: by the provider's data, else by our own machines of that type and region in 30 days,
weighed with 5 % an hour, else 5 % an hour, marked with ~. AWS's bands are shown and are no rate.`;

/** What may be said once for all, as settings of these names. */
const SETTINGS = {
  interruptions: { flag: "--interruptions", parse: parseRate },
  checkpointTime: { flag: "--checkpoint-time", parse: parseSeconds },
  restartTime: { flag: "--restart-time", parse: parseSeconds },
} as const;

/** @throws Problem (usage) that names the setting. */
export function workSetting(key: string, text: string): number {
  const known = Object.entries(SETTINGS).find(([name]) => name === key);
  if (known === undefined) throw usageProblem(`there is no setting ${JSON.stringify(key)}`);
  try {
    return known[1].parse(text);
  } catch (error) {
    throw usageProblem(`${key}: ${error instanceof Error ? error.message : String(error)}`, undefined, ["spot config show"]);
  }
}

/** What our own machines tell; nothing where there are none, and no reason to fail where that cannot be read. */
async function ownPast(context: CommandContext): Promise<OwnPast> {
  const { home, env, clock } = context.world;
  const isShared = (env["SPOT_STATE_URL"] ?? "") !== "";
  const nothing: OwnPast = { history: [], restarts: [], checkpointSeconds: null };
  if (!isShared && !existsSync(join(home, "state.db"))) return nothing;
  const now = clock.now();
  let state: State | undefined;
  try {
    const [{ openStateOf }, { ownPastOf, REMEMBERED_MS }] = await Promise.all([
      import("../state/open-place.ts"),
      import("../fleet/own-past.ts"),
    ]);
    // Opened for this alone: whatever is wrong with it must not be the end of the command.
    state = await openStateOf(context.world);
    return ownPastOf(await state.instances({ includeGone: true }), await state.ledger({ since: now - REMEMBERED_MS }), now);
  } catch (error) {
    context.world.signal.throwIfAborted();
    context.progress.warn(`our own history is left out: ${error instanceof Error ? error.message : String(error)}`);
    return nothing;
  } finally {
    await state?.close();
  }
}

/** How the effective price reckons: by the flags, else by settings, else by our own past, else by assumption. @throws Problem (usage). */
export async function workFlags(context: CommandContext): Promise<WorkModel> {
  const flag = <Value>(key: string, name: string, parse: (text: string) => Value): Value | undefined => {
    const text = textFlag(context, key);
    return text === undefined ? undefined : parsedFlag(name, () => parse(text));
  };
  const set = async (key: keyof typeof SETTINGS): Promise<number | undefined> => {
    const text = await context.setting(key);
    if (text === undefined) return undefined;
    return textFlag(context, key) === undefined ? workSetting(key, text) : parsedFlag(SETTINGS[key].flag, () => SETTINGS[key].parse(text));
  };
  const every = flag("checkpointEvery", "--checkpoint-every", (text) => (text.trim() === "auto" ? "auto" : parseDuration(text) / 1000));
  const noticeSeconds = flag("notice", "--notice", parseSeconds);
  const protectionSeconds = flag("protection", "--protection", parseSeconds);
  const interruptionsPerHour = await set("interruptions");
  const checkpoint = await set("checkpointTime");
  const restart = await set("restartTime");
  const past = await ownPast(context);
  const from = (given: number | undefined, measured: number | null): WorkBasis =>
    given !== undefined ? "given" : measured !== null ? "history" : "assumed";
  const given = {
    ...(interruptionsPerHour === undefined ? {} : { interruptionsPerHour }),
    ...(noticeSeconds === undefined ? {} : { noticeSeconds }),
    ...(protectionSeconds === undefined ? {} : { protectionSeconds }),
  };
  return {
    checkpointIntervalSeconds: typeof every === "number" ? every : USUAL_WORK.checkpointIntervalSeconds,
    checkpointSeconds: checkpoint ?? past.checkpointSeconds ?? USUAL_WORK.checkpointSeconds,
    restartSeconds: restart ?? USUAL_WORK.restartSeconds,
    assumedInterruptionsPerHour: USUAL_WORK.assumedInterruptionsPerHour,
    ...(every === "auto" ? { isDaly: true } : {}),
    ...(Object.keys(given).length === 0 ? {} : { given }),
    ...(past.history.length === 0 ? {} : { history: past.history }),
    ...(past.restarts.length === 0 ? {} : { restarts: past.restarts }),
    basis: {
      checkpointInterval: typeof every === "number" ? "given" : "assumed",
      checkpoint: from(checkpoint, past.checkpointSeconds),
      restart: from(restart, null),
    },
  };
}
