import { appendFileSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseSnapshotResult, type SnapshotResult } from "../../src/guest/protocol.ts";
import { systemClock } from "../../src/platform/clock.ts";
import { TOOL_FAULTS, type ToolFault, type ToolPlan } from "./faulty-tools.ts";
import {
  agentsView,
  bringVolumeBack,
  leftovers,
  liveContent,
  makeStruckMachine,
  type Struck,
  type StruckMachine,
  volumeDamage,
} from "./struck-machine.ts";
import { writeFirst, writeNext } from "./trees.ts";
import type { Played, Scenario } from "./walk.ts";

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

export function requireSealed(result: { readonly stdout: string; readonly stderr: string }): Extract<SnapshotResult, { kind: "sealed" }> {
  const said = parsed(result);
  if (said?.kind !== "sealed") throw new Error(`not sealed: ${result.stdout}${result.stderr}`);
  return said;
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

/** A machine, and all that its folder has held. */
interface Sealing {
  readonly struck: StruckMachine;
  readonly states: Set<string>;
  steps: number;
}

async function playSeal(sealing: Sealing, plan: ToolPlan, verb: () => readonly string[]): Promise<Played> {
  const { struck, states } = sealing;
  writeNext(struck.machine.checkpointFolder, ++sealing.steps);
  const live = liveContent(struck);
  states.add(live);
  const result = await struck.strike(verb(), plan);
  bringVolumeBack(struck);
  // A hook may have written something more.
  const due = liveContent(struck);
  states.add(due);
  const damage = [...judgeSeal(struck, result, due), ...(await volumeDamage(struck, states))];
  damage.push(...(await goOn(struck, result.code === null, plan.at % 2 === 1, states)));
  states.add(liveContent(struck));
  damage.push(...(await volumeDamage(struck, states)), ...leftovers(struck), ...(await agentsView(struck)));
  if (damage.length > 0) clearVolume(struck);
  else trim(struck);
  return { step: result.call, steps: result.calls.length, damage };
}

interface SealOptions {
  readonly name: string;
  readonly faults?: readonly ToolFault[];
  readonly settings?: Parameters<typeof makeStruckMachine>[0];
  /** Before each point. */
  prepare(sealing: Sealing): Promise<void>;
  verb(): readonly string[];
}

function sealScenario({ name, faults = ON_A_FOLDER, settings, prepare, verb }: SealOptions): Scenario<ToolFault> {
  return {
    name,
    faults,
    async begin() {
      const struck = await makeStruckMachine(settings);
      await struck.boot();
      await struck.machine.kill();
      writeFirst(struck.machine.checkpointFolder, 0);
      const sealing: Sealing = { struck, states: new Set(), steps: 0 };
      return {
        async play(plan) {
          await prepare(sealing);
          return playSeal(sealing, plan, verb);
        },
        end: () => struck.close(),
      };
    },
  };
}

/** The embedded cloud's volumes are folders: nobody unmounts them. */
export const ON_A_FOLDER = TOOL_FAULTS.filter((fault) => fault !== "volume-bare");

export const firstSeal = sealScenario({
  name: "the first seal of a volume",
  prepare: async ({ struck }) => clearVolume(struck),
  verb: () => ["snapshot", "manual"],
});

async function sealOnce({ struck, states }: Sealing): Promise<void> {
  if (struck.promised.size > 0) return;
  const { checkpoint } = requireSealed(await struck.machine.verb("snapshot", "manual"));
  const live = liveContent(struck);
  states.add(live);
  struck.promised.set(checkpoint.id, live);
}

export const nextSeal = sealScenario({
  name: "a seal after one file has changed",
  prepare: sealOnce,
  verb: () => ["snapshot", "manual"],
});

export const noticeSeal = sealScenario({
  name: "the hook and the seal that answer a notice",
  settings: { checkpointHook: 'cd "$SPOT_CHECKPOINT_DIR" && date >.hooked && mv .hooked hooked' },
  prepare: sealOnce,
  verb: () => ["snapshot", "notice", String(Math.floor(systemClock.now() / 1000) + 120)],
});

/** A machine whose volume is a disk: below the mount point lies a folder of the machine's own, when it is unmounted. */
export const diskSeal = sealScenario({
  name: "a seal on a disk that somebody unmounts",
  faults: ["volume-gone", "volume-bare"],
  async prepare(sealing) {
    const { machine } = sealing.struck;
    appendFileSync(join(machine.root, "var/lib/spot/settings.env"), "SPOT_SET_MACHINE=vm SPOT_SET_VOLUME_COMES=device\n");
    mkdirSync(join(machine.volume, "spot"), { recursive: true });
    for (const mark of [join(machine.root, "run/spot/volume"), join(machine.volume, "spot/volume")]) writeFileSync(mark, "1-2-3\n");
    await sealOnce(sealing);
  },
  verb: () => ["snapshot", "manual"],
});
