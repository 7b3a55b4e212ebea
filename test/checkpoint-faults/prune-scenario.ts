import { readdirSync } from "node:fs";
import { readCatalogue } from "../../src/checkpoints/catalogue.ts";
import { parsePruned } from "../../src/guest/protocol.ts";
import type { ToolFault } from "./faulty-tools.ts";
import { ON_A_FOLDER, requireSealed } from "./seal-scenarios.ts";
import { agentsView, bringVolumeBack, leftovers, liveContent, makeStruckMachine, type Struck, volumeDamage } from "./struck-machine.ts";
import { writeFirst, writeNext } from "./trees.ts";
import type { Scenario } from "./walk.ts";

export const prunedInside: Scenario<ToolFault> = {
  name: "a pruning of two out of four inside their machine",
  faults: ON_A_FOLDER,
  async begin() {
    const struck = await makeStruckMachine();
    await struck.boot();
    await struck.machine.kill();
    writeFirst(struck.machine.checkpointFolder, 0);
    const states = new Set<string>();
    let steps = 0;
    const sealNext = async () => {
      writeNext(struck.machine.checkpointFolder, ++steps);
      const content = liveContent(struck);
      states.add(content);
      const { checkpoint } = requireSealed(await struck.machine.verb("snapshot", "manual"));
      struck.promised.set(checkpoint.id, content);
    };
    return {
      async play(plan) {
        while (struck.promised.size < 4) await sealNext();
        const [first = "", , third = ""] = [...struck.promised.keys()];
        const due = [first, third];
        const result = await struck.strike(["prune", ...due], plan);
        bringVolumeBack(struck);
        for (const id of due) struck.promised.delete(id);
        const listed = new Set((await readCatalogue(struck.machine.volume)).sealed.map(({ id }) => id));
        const damage = [...(await volumeDamage(struck, states)), ...judgePrune(result, due, listed)];
        const again = await struck.machine.verb("prune", ...due);
        if (again.code !== 0) damage.push(`once more: ${again.stdout}${again.stderr}`);
        // What lies there without a name is deleted by the next seal, or the next pruning that has something to do.
        await sealNext();
        damage.push(...(await volumeDamage(struck, states)), ...leftovers(struck), ...(await agentsView(struck)));
        const left = readdirSync(struck.machine.sealedFolder).length;
        if (left !== 3) damage.push(`${left} are left, not three`);
        return { step: result.call, steps: result.calls.length, damage };
      },
      end: () => struck.close(),
    };
  },
};

/** Whether what it said is true: what it says went is gone, and a failure is told in words. */
function judgePrune({ code, stdout, stderr }: Struck, due: readonly string[], listed: ReadonlySet<string>): readonly string[] {
  if (code === null) return [];
  if (code !== 0)
    return stdout.startsWith('{"error":"') ? [] : [`it failed with code ${code} and said ${JSON.stringify(stdout)}, ${stderr}`];
  try {
    const { pruned } = parsePruned(stdout);
    const all = due.every((id) => pruned.includes(id));
    return all && !pruned.some((id) => listed.has(id)) ? [] : [`it said ${stdout}, and there is ${[...listed]}`];
  } catch {
    return [`it ended well and said ${JSON.stringify(stdout)}, ${stderr}`];
  }
}
