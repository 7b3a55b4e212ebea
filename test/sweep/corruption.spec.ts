import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { restoreCheckpoint } from "../../src/checkpoints/restore.ts";
import { verifyCheckpoint } from "../../src/checkpoints/verify.ts";
import { seededRng } from "../../src/platform/rng.ts";
import { type Corruption, expectFound, sampleCorruptions, sealVaried } from "../checkpoints/corrupting.ts";
import { eventually, makeMachine } from "../guest/machine.ts";
import { temporaryFolder } from "../world.ts";

/** How many single bytes are changed. */
const POSITIONS = Number(process.env["SPOT_CORRUPTIONS"] ?? "1000");
/** Each so manieth is shown to a machine's agent as well, whose processes cost more than the reading. */
const AGENT_STRIDE = Number(process.env["SPOT_CORRUPTION_STRIDE"] ?? "5");
const SEED = Number(process.env["SPOT_SEED"] ?? String(Date.now() % 1_000_000));

const LONG_MS = 60 * 60_000;

test(
  `a single changed byte, at ${POSITIONS} places (SPOT_SEED=${SEED}), is found and named by verify, by restore and by the agent`,
  async () => {
    const machine = await makeMachine();
    onTestFinished(() => machine.close());
    machine.boot();
    await eventually("the agent runs", async () => ((await machine.verb("status")).code === 0 ? true : undefined));
    const rng = seededRng(SEED);
    const { id, folder, files } = sealVaried(machine.volume, rng);
    const shown: Corruption[] = [];
    for (const [index, corruption] of sampleCorruptions(folder, files, POSITIONS, rng).entries()) {
      await expectFound(machine.volume, id, corruption, async (path) => {
        // The agent names paths as the manifest writes them, and blames a changed manifest itself.
        if (index % AGENT_STRIDE !== 0) return;
        shown.push(corruption);
        const { code, stdout } = await machine.verb("verify", id);
        const name = path === "MANIFEST" ? "manifest is damaged" : nameSaid(path);
        expect([code, stdout]).toEqual([7, expect.stringContaining(name)]);
        const sealed = JSON.parse((await machine.verb("sealed")).stdout);
        expect(sealed.sealed).toHaveLength(path === "MANIFEST" ? 0 : 1);
        expect(sealed.damaged.map((row: { id: string }) => row.id)).toEqual(path === "MANIFEST" ? [id] : []);
      });
    }
    expect(shown).toHaveLength(Math.ceil(POSITIONS / AGENT_STRIDE));
    expect((await verifyCheckpoint(folder)).problems).toEqual([]);
    expect((await machine.verb("verify", id)).code).toBe(0);
    await restoreCheckpoint(folder, join(temporaryFolder(), "target"));
    process.stderr.write(`${POSITIONS} changed bytes found; ${shown.length} of them by the agent as well\n`);
  },
  LONG_MS,
);

/** What of a path survives in the agent's line of JSON. */
function nameSaid(path: string): string {
  const name = path.slice("data/".length);
  return name.includes("\n") ? "odd" : name;
}
