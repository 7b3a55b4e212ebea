import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { verifyCheckpoint } from "../../src/checkpoints/verify.ts";
import type { ToolFault } from "./faulty-tools.ts";
import { ON_A_FOLDER, requireSealed } from "./seal-scenarios.ts";
import {
  agentsView,
  bringVolumeBack,
  leftovers,
  liveContent,
  makeStruckMachine,
  type StruckMachine,
  volumeDamage,
} from "./struck-machine.ts";
import { foldersContent, writeFirst, writeNext } from "./trees.ts";
import type { Scenario } from "./walk.ts";

interface TwoSealed {
  readonly struck: StruckMachine;
  /** Ids and contents, the older one first. */
  readonly sealed: readonly (readonly [id: string, content: string])[];
  readonly states: ReadonlySet<string>;
}

/** A machine with two checkpoints on its volume. */
async function withTwoSealed(): Promise<TwoSealed> {
  const struck = await makeStruckMachine();
  await struck.boot();
  await struck.machine.kill();
  writeFirst(struck.machine.checkpointFolder, 1);
  const sealed: (readonly [string, string])[] = [];
  for (const step of [1, 2]) {
    writeNext(struck.machine.checkpointFolder, step);
    const content = liveContent(struck);
    const { checkpoint } = requireSealed(await struck.machine.verb("snapshot", "manual"));
    struck.promised.set(checkpoint.id, content);
    sealed.push([checkpoint.id, content]);
  }
  return { struck, sealed, states: new Set(sealed.map(([, content]) => content)) };
}

const inFolder = (folder: string) => (existsSync(folder) ? foldersContent(folder) : "");

/** What is wrong after a boot that was struck: a workload that began with anything but a sealed state. */
function beginningDamage({ struck, sealed, states }: TwoSealed, code: number | null, log: string): readonly string[] {
  const content = inFolder(struck.machine.checkpointFolder);
  const wrong: string[] = [];
  if (content !== "" && !states.has(content)) wrong.push(`its folder holds what was never sealed:\n${content}`);
  if (struck.hasBegun() && content === "") wrong.push("the workload began with nothing");
  const [newest = ""] = sealed.at(-1) ?? [];
  // What could not be read is passed over, and that is said: the older one is better than none.
  const passed = join(struck.machine.root, "run/spot/passed");
  if (struck.hasBegun() && content === sealed[0]?.[1] && !(existsSync(passed) && readFileSync(passed, "utf8").includes(newest)))
    wrong.push("the workload began with an older one, and nobody says so");
  const wasStarted = existsSync(join(struck.machine.root, "run/spot/started-at"));
  if (wasStarted && code !== null) wrong.push(`the agent has left its workload alone: ${log}`);
  if (!struck.hasBegun() && code === 0) wrong.push(`it ended well without a workload: ${log}`);
  return wrong;
}

/** Boots once more without a fault; a checkpoint that was put back stays, and nothing else than the newest one comes. */
async function bootAgain({ struck, sealed }: TwoSealed): Promise<readonly string[]> {
  const before = inFolder(struck.machine.checkpointFolder);
  await struck.boot();
  await struck.machine.kill();
  const wanted = before === "" ? sealed.at(-1)?.[1] : before;
  const now = liveContent(struck);
  return now === wanted ? [] : [`the next boot begins with something else:\n${now}`];
}

/** Removes what was sealed beside the two. */
function trim({ struck, sealed }: TwoSealed): void {
  const kept = new Set(sealed.map(([id]) => id));
  for (const id of readdirSync(struck.machine.sealedFolder).filter((name) => !kept.has(name))) {
    rmSync(join(struck.machine.sealedFolder, id), { recursive: true });
    struck.promised.delete(id);
  }
}

export const restoreAtBoot: Scenario<ToolFault> = {
  name: "a boot that puts a checkpoint back",
  faults: ON_A_FOLDER,
  async begin() {
    const two = await withTwoSealed();
    const { struck, states } = two;
    return {
      async play(plan) {
        struck.forgetAll();
        const { call, calls, code, stderr } = await struck.strike(["run"], plan, struck.isUp);
        bringVolumeBack(struck);
        const damage = [...beginningDamage(two, code, stderr), ...(await volumeDamage(struck, states)), ...(await bootAgain(two))];
        const again = await struck.machine.verb("snapshot", "manual");
        if (again.code !== 0) damage.push(`the next seal fails: ${again.stdout}${again.stderr}`);
        damage.push(...(await volumeDamage(struck, states)), ...leftovers(struck), ...(await agentsView(struck)));
        trim(two);
        return { step: call, steps: calls.length, damage };
      },
      end: () => struck.close(),
    };
  },
};

export const packed: Scenario<ToolFault> = {
  name: "a checkpoint that leaves its machine as a stream",
  faults: ["failed", "half-done", "done-but-failed", "volume-gone"],
  async begin() {
    const { struck, sealed, states } = await withTwoSealed();
    const [[id] = [""]] = sealed;
    return {
      async play(plan) {
        const { call, calls, code, bytes, stderr } = await struck.strike(["pack", id], plan);
        bringVolumeBack(struck);
        const damage = [...(await volumeDamage(struck, states))];
        if (code === 0) {
          const unpacked = join(struck.machine.root, "unpacked", id);
          mkdirSync(unpacked, { recursive: true });
          execFileSync("tar", ["-xf", "-", "-C", unpacked], { input: bytes, stdio: ["pipe", "ignore", "ignore"] });
          const { problems } = await verifyCheckpoint(unpacked);
          damage.push(...problems.map(({ path, what }) => `it ended well, and ${path} ${what}: ${stderr}`));
          rmSync(unpacked, { recursive: true });
        }
        return { step: call, steps: calls.length, damage };
      },
      end: () => struck.close(),
    };
  },
};
