import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import { checkpointFolder, readCatalogue, sealedFolder } from "../../src/checkpoints/catalogue.ts";
import { verifyCheckpoint } from "../../src/checkpoints/verify.ts";
import { diskBytes, idAt, sealSample } from "../checkpoints/sealing.ts";
import { FILE_FAULTS, type FileFault } from "./file-faults.ts";
import { foldersContent, manifestsContent } from "./trees.ts";
import type { Plan, Played, Scenario } from "./walk.ts";

const NOT_STRUCK: Plan<FileFault> = { at: 0, fault: "failed" };
const MARK = ".spot-restoring-";
/** tmpfs where there is one: what counts is what was written, not the disk. */
const PLACE = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();

interface Ended {
  readonly step: string | undefined;
  readonly steps: number;
  /** What it said that it did; undefined when it said that it failed, or was killed. */
  readonly done: unknown;
  readonly wasKilled: boolean;
  readonly said: string;
}

type Deed = (plan: Plan<FileFault>, ...words: readonly string[]) => Promise<Ended>;

async function bundledDeeds(base: string): Promise<Deed> {
  const program = join(base, "child.mjs");
  await build({
    entryPoints: [join(import.meta.dirname, "file-child.ts")],
    outfile: program,
    bundle: true,
    format: "esm",
    platform: "node",
    logLevel: "silent",
  });
  const log = join(base, "log");
  return async ({ at, fault }, ...words) => {
    rmSync(log, { force: true });
    const child = spawn(process.execPath, [program, String(at), fault, log, ...words], { stdio: ["ignore", "pipe", "pipe"] });
    let said = "";
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (chunk) => {
        said += String(chunk);
      });
    const signal = await new Promise<string | null>((resolve) => child.once("close", (_, how) => resolve(how)));
    const calls = existsSync(log) ? readFileSync(log, "utf8").split("\n").slice(0, -1) : [];
    const done = /^\{"done":/.test(said) ? JSON.parse(said).done : undefined;
    return { step: calls.find((line) => line.startsWith("!"))?.slice(1), steps: calls.length, done, wasKilled: signal === "SIGKILL", said };
  };
}

const FILES = {
  "new\nline": "n".repeat(3000),
  "tab\tand\\back": "t".repeat(6000),
  "ünï — 漢": "u".repeat(100),
  "deep/er/still": "s".repeat(9000),
  "zero ": "",
};
const sample = { files: FILES, folders: ["empty"], links: { "link\t": "deep/er\nnowhere" } };

/** What does not verify on a volume, and which of these are not there. */
async function volumeDamage(volume: string, wanted: readonly string[]): Promise<readonly string[]> {
  const { sealed, damaged } = await readCatalogue(volume);
  const wrong = damaged.map(({ id, what }) => `${id} is listed as damaged: ${what}`);
  for (const { id } of sealed) {
    const { problems } = await verifyCheckpoint(checkpointFolder(volume, id));
    wrong.push(...problems.map(({ path, what }) => `${id} does not verify: ${path} ${what}`));
  }
  const there = new Set(sealed.map(({ id }) => id));
  return [...wrong, ...wanted.filter((id) => !there.has(id)).map((id) => `${id} is lost`)];
}

const unlisted = (folder: string) =>
  readdirSync(folder)
    .filter((name) => !name.startsWith("c-"))
    .map((name) => `left for ever: ${name}`);

/** A scenario that begins with an empty folder of its own each time. */
function fileScenario(name: string, once: (base: string, deed: Deed, plan: Plan<FileFault>) => Promise<Played>): Scenario<FileFault> {
  return {
    name,
    faults: FILE_FAULTS,
    async begin() {
      const base = realpathSync(mkdtempSync(join(PLACE, "spot-file-faults-")));
      const deed = await bundledDeeds(base);
      return {
        async play(plan) {
          const place = join(base, "place");
          mkdirSync(place);
          try {
            return await once(place, deed, plan);
          } finally {
            rmSync(place, { recursive: true });
          }
        },
        end: async () => rmSync(base, { recursive: true }),
      };
    },
  };
}

/** What is wrong with a folder that a checkpoint was to be put into. Empty or absent is right; so is all of it. */
function targetDamage(target: string, content: string, ended: Ended): readonly string[] {
  const names = existsSync(target) ? readdirSync(target) : [];
  const isWhole = names.length > 0 && foldersContent(target) === content;
  if (ended.done !== undefined) return isWhole ? [] : [`it said that it was done, and there is ${JSON.stringify(names)}`];
  // An empty folder of ours goes with the next try.
  if (!ended.wasKilled)
    return names.every((name) => name.startsWith(MARK)) ? [] : [`it said ${ended.said} and left ${JSON.stringify(names)}`];
  // Into a folder that is there already its content comes piece by piece, beside a folder that says so.
  return names.length === 0 || isWhole || names.some((name) => name.startsWith(MARK)) ? [] : [`a part of it is taken for all: ${names}`];
}

const restoring = (name: string, isThere: boolean) =>
  fileScenario(name, async (place, deed, plan) => {
    const id = idAt(1);
    const folder = sealSample(place, { id, ...sample });
    const { manifest } = await verifyCheckpoint(folder);
    const content = manifest === null ? "" : manifestsContent(manifest);
    const target = join(place, "made/target");
    if (isThere) mkdirSync(target, { recursive: true });
    const ended = await deed(plan, "restore", folder, target);
    const damage = [...targetDamage(target, content, ended)];
    if (ended.done === undefined) {
      const left = existsSync(target) ? readdirSync(target) : [];
      // Content beside a mark is for a person to remove; nobody else is kept from trying again.
      if (left.some((each) => each.startsWith(MARK)) && left.length > 1) rmSync(target, { recursive: true });
      const isWhole = left.length > 0 && existsSync(target) && foldersContent(target) === content;
      const again = await deed(NOT_STRUCK, "restore", folder, target);
      if (!isWhole || again.done !== undefined) damage.push(...targetDamage(target, content, again).map((what) => `once more: ${what}`));
      if (!isWhole && again.done === undefined) damage.push(`once more: ${again.said}`);
    }
    const beside = existsSync(join(place, "made")) ? readdirSync(join(place, "made")) : [];
    damage.push(...beside.filter((each) => each !== "target").map((each) => `left beside the target: ${each}`));
    return { ...ended, damage: [...damage, ...(await volumeDamage(place, [id]))] };
  });

export const restoreNew = restoring("a restore into a new folder", false);
export const restoreThere = restoring("a restore into an empty folder", true);

export const pruneHere = fileScenario("a pruning of two out of four", async (place, deed, plan) => {
  const ids = [1, 2, 3, 4].map(idAt);
  for (const [index, id] of ids.entries())
    sealSample(place, {
      id,
      ...sample,
      files: { ...FILES, step: "s".repeat(5000 + index) },
      ...(index === 0 ? {} : { after: idAt(index) }),
    });
  const [first = "", second = "", third = "", fourth = ""] = ids;
  const before = diskBytes(place);
  const ended = await deed(plan, "prune", place, first, third);
  const damage = [...(await volumeDamage(place, [second, fourth]))];
  const listed = (await readCatalogue(place)).sealed.map(({ id }) => id);
  const said = ended.done as { readonly pruned: readonly string[]; readonly freed: number } | undefined;
  if (said !== undefined && listed.some((id) => said.pruned.includes(id))) damage.push(`it said ${ended.said}, and there is ${listed}`);
  if (said !== undefined && before - diskBytes(place) !== said.freed)
    damage.push(`it said ${ended.said}, and ${before - diskBytes(place)} bytes were freed`);
  const again = await deed(NOT_STRUCK, "prune", place, first, third);
  if (again.done === undefined) damage.push(`once more: ${again.said}`);
  damage.push(...(await volumeDamage(place, [second, fourth])), ...unlisted(sealedFolder(place)));
  const left = (await readCatalogue(place)).sealed.length;
  if (left !== 2) damage.push(`${left} are left, not two`);
  return { ...ended, damage };
});

export const copyHere = fileScenario("a copy to another folder", async (place, deed, plan) => {
  const [volume, other] = [join(place, "volume"), join(place, "other")];
  const [older, id] = [idAt(1), idAt(2)];
  sealSample(other, { id: older, files: { a: "a" } });
  const folder = sealSample(volume, { id, ...sample });
  const ended = await deed(plan, "copy", folder, sealedFolder(other));
  const wanted = ended.done === undefined ? [older] : [older, id];
  const damage = [...(await volumeDamage(other, wanted)), ...(await volumeDamage(volume, [id]))];
  const again = await deed(NOT_STRUCK, "copy", folder, sealedFolder(other));
  if (again.done === undefined) damage.push(`once more: ${again.said}`);
  return { ...ended, damage: [...damage, ...(await volumeDamage(other, [older, id])), ...unlisted(sealedFolder(other))] };
});
