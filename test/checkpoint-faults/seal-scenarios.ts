import { existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { parseSnapshotResult, type SnapshotResult } from "../../src/guest/protocol.ts";
import { TOOL_FAULTS, type ToolPlan } from "./faulty-tools.ts";
import { agentsView, bringVolumeBack, leftovers, liveContent, type Struck, type StruckMachine, volumeDamage } from "./struck-machine.ts";
import { writeFirst, writeNext } from "./trees.ts";
import type { Scenario } from "./walk.ts";

/** What one machine has been through: what its folder held, and how often it was written. */
interface Past {
  readonly states: Set<string>;
  steps: number;
}

const pasts = new WeakMap<StruckMachine, Past>();

function pastOf(struck: StruckMachine): Past {
  const past = pasts.get(struck) ?? { states: new Set(), steps: 0 };
  pasts.set(struck, past);
  return past;
}

function clearVolume({ machine, promised }: StruckMachine): void {
  rmSync(machine.volume, { recursive: true });
  mkdirSync(machine.volume);
  promised.clear();
}

function parsed(struck: Pick<Struck, "stdout">): SnapshotResult | undefined {
  try {
    return parseSnapshotResult(struck.stdout);
  } catch {
    return undefined;
  }
}

/** Whether what the verb said is true. What it promises from now on must be there. */
function judgeSeal(struck: StruckMachine, { code, stdout, stderr }: Struck, live: string): readonly string[] {
  if (code === null) return [];
  const said = parsed({ stdout });
  if (code === 0) {
    if (said?.kind !== "sealed") return [`it ended well and said ${JSON.stringify(stdout)}, ${stderr}`];
    struck.promised.set(said.checkpoint.id, live);
    return [];
  }
  if (said?.kind === "sealed") return [`it failed and said ${JSON.stringify(stdout)}`];
  return stdout.startsWith('{"error":"') ? [] : [`it failed with code ${code} and said ${JSON.stringify(stdout)}, ${stderr}`];
}

/** After the fault: the machine goes on, or is begun anew, seals, and nothing is left of what went wrong. */
async function goOn(struck: StruckMachine, wasKilled: boolean, isNew: boolean, states: ReadonlySet<string>): Promise<readonly string[]> {
  const { machine } = struck;
  const wrong: string[] = [];
  if (wasKilled) {
    const live = liveContent(struck);
    if (isNew) machine.newRoot();
    await struck.boot();
    await machine.kill();
    const now = liveContent(struck);
    if (!isNew && now !== live) wrong.push("the folder of the workload was changed by a reboot");
    if (isNew && now !== "" && !states.has(now)) wrong.push(`what was put back is none of the sealed states:\n${now}`);
    if (isNew && now === "" && struck.promised.size > 0) wrong.push("the workload began with nothing");
    if (isNew && now === "") writeFirst(machine.checkpointFolder, 0);
  }
  const again = await machine.verb("snapshot", "manual");
  const result = parsed(again);
  if (again.code !== 0 || result?.kind !== "sealed") wrong.push(`the next seal fails: ${again.stdout}${again.stderr}`);
  else struck.promised.set(result.checkpoint.id, liveContent(struck));
  return wrong;
}

/** Keeps the newest two, so that a walk does not grow. */
function trim({ machine, promised }: StruckMachine): void {
  for (const id of readdirSync(machine.sealedFolder).sort().reverse().slice(2)) {
    rmSync(join(machine.sealedFolder, id), { recursive: true });
    promised.delete(id);
  }
}

async function playSeal(
  struck: StruckMachine,
  plan: ToolPlan,
  prepare: (states: Set<string>) => Promise<void>,
  verb: () => readonly string[],
) {
  const past = pastOf(struck);
  if (!existsSync(struck.machine.checkpointFolder)) {
    await struck.boot();
    await struck.machine.kill();
    writeFirst(struck.machine.checkpointFolder, past.steps);
  }
  await prepare(past.states);
  writeNext(struck.machine.checkpointFolder, ++past.steps);
  const live = liveContent(struck);
  past.states.add(live);
  const result = await struck.strike(verb(), plan);
  bringVolumeBack(struck);
  const damage = [...judgeSeal(struck, result, live), ...(await volumeDamage(struck, past.states))];
  damage.push(...(await goOn(struck, result.code === null, plan.at % 2 === 1, past.states)));
  past.states.add(liveContent(struck));
  damage.push(...(await volumeDamage(struck, past.states)), ...leftovers(struck), ...(await agentsView(struck)));
  trim(struck);
  return { call: result.call, calls: result.calls, damage };
}

/** The embedded cloud's volumes are folders: nobody unmounts them. */
const ON_A_FOLDER = TOOL_FAULTS.filter((fault) => fault !== "volume-bare");

export const firstSeal: Scenario = {
  name: "the first seal of a volume",
  faults: ON_A_FOLDER,
  play: (struck, plan) =>
    playSeal(
      struck,
      plan,
      async () => clearVolume(struck),
      () => ["snapshot", "manual"],
    ),
};

export const nextSeal: Scenario = {
  name: "a seal after one file has changed",
  faults: ON_A_FOLDER,
  play: (struck, plan) =>
    playSeal(
      struck,
      plan,
      async (states) => {
        if (struck.promised.size > 0) return;
        states.add(liveContent(struck));
        await struck.machine.verb("snapshot", "manual");
      },
      () => ["snapshot", "manual"],
    ),
};
