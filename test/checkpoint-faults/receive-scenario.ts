import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readCatalogue } from "../../src/checkpoints/catalogue.ts";
import { verifyCheckpoint } from "../../src/checkpoints/verify.ts";
import { idAt, sealSample } from "../checkpoints/sealing.ts";
import type { ToolFault, ToolPlan } from "./faulty-tools.ts";
import { ON_A_FOLDER, requireSealed } from "./seal-scenarios.ts";
import { agentsView, bringVolumeBack, leftovers, liveContent, makeStruckMachine, type Struck, volumeDamage } from "./struck-machine.ts";
import { manifestsContent, writeFirst } from "./trees.ts";
import type { Scenario } from "./walk.ts";

const PARTS = ["begin", "files", "seal"] as const;
type Part = (typeof PARTS)[number];
const NOT_STRUCK: ToolPlan = { at: 0, fault: "failed" };
/** Older than anything that a machine seals now: what arrives is never its newest. */
const ID = idAt(1);

/** A checkpoint as it travels: what each part of `receive` reads, and what it must hold in the end. */
async function travelling(folder: string) {
  const files = { a: "a".repeat(3000), "sub/new\nline": "n".repeat(9000), "-dash": "-" };
  const sealed = sealSample(folder, { id: ID, files, folders: ["empty"], links: { link: "a" } });
  for (const name of Object.keys(files)) utimesSync(join(sealed, "data", name), 1000, 1000);
  const { manifest } = await verifyCheckpoint(sealed);
  const input: Readonly<Record<Part, Buffer>> = {
    begin: readFileSync(join(sealed, "MANIFEST")),
    files: execFileSync("tar", ["-cf", "-", "-C", join(sealed, "data"), "."]),
    seal: Buffer.alloc(0),
  };
  return { input, content: manifest === null ? "" : manifestsContent(manifest) };
}

/** What `begin` says of the files that are there is a stream: whatever of it was sent before the end failed, the code is what counts. */
const IS_BEGUN = /^\{"sealed":false,"present":\d+\}\n/;

const failsInWords = ({ code, stdout, stderr }: Struck): readonly string[] =>
  code === null || code === 0 || stdout.startsWith('{"error":"') || IS_BEGUN.test(stdout)
    ? []
    : [`it failed with code ${code} and said ${JSON.stringify(stdout)}, ${stderr}`];

/** The arrival of a checkpoint on a machine's volume, with a fault in one of its parts; then all of it once more. */
export function receivedInside(struckPart: Part): Scenario<ToolFault> {
  return {
    name: `the arrival of a checkpoint (${struckPart})`,
    faults: ON_A_FOLDER,
    async begin() {
      const from = mkdtempSync(join(tmpdir(), "spot-travelling-"));
      const { input, content } = await travelling(from);
      const struck = await makeStruckMachine();
      await struck.boot();
      await struck.machine.kill();
      const { machine, promised } = struck;
      writeFirst(machine.checkpointFolder, 0);
      const live = liveContent(struck);
      const states = new Set([live, content]);
      promised.set(requireSealed(await machine.verb("snapshot", "manual")).checkpoint.id, live);
      const arrive = (part: Part, plan: ToolPlan) => struck.strike(["receive", ID, part], plan, undefined, input[part]);
      return {
        async play(plan) {
          for (const name of readdirSync(machine.sealedFolder))
            if (name.includes(ID)) rmSync(join(machine.sealedFolder, name), { recursive: true });
          promised.delete(ID);
          let result: Struck | undefined;
          for (const part of PARTS) {
            const own = await arrive(part, part === struckPart ? plan : NOT_STRUCK);
            if (part !== struckPart) continue;
            result = own;
            break;
          }
          if (result === undefined) throw new Error(`no such part: ${struckPart}`);
          bringVolumeBack(struck);
          const listed = (await readCatalogue(machine.volume)).sealed.some(({ id }) => id === ID);
          const damage = [...failsInWords(result), ...(await volumeDamage(struck, states))];
          if (struckPart === "seal" && result.code === 0 && !listed) damage.push(`it said ${result.stdout}, and nothing has arrived`);
          if (struckPart !== "seal" && listed) damage.push("it is listed before it was sealed");
          for (const part of PARTS) {
            const again = listed && part !== "begin" ? undefined : await arrive(part, NOT_STRUCK);
            if (again !== undefined && again.code !== 0) damage.push(`once more, ${part}: ${again.stdout}${again.stderr}`);
          }
          promised.set(ID, content);
          damage.push(...(await volumeDamage(struck, states)), ...leftovers(struck), ...(await agentsView(struck)));
          return { step: result.call, steps: result.calls.length, damage };
        },
        async end() {
          await struck.close();
          rmSync(from, { recursive: true });
        },
      };
    },
  };
}
