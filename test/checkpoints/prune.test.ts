import { spawn } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { beforeEach, expect, test } from "vitest";
import { checkpointFolder, listSealed, readCatalogue, sealedFolder } from "../../src/checkpoints/catalogue.ts";
import { prunableBytes, pruneSealed, sealedBytes } from "../../src/checkpoints/prune.ts";
import { verifyCheckpoint } from "../../src/checkpoints/verify.ts";
import { systemClock } from "../../src/platform/clock.ts";
import { temporaryFolder } from "../world.ts";
import { diskBytes, idAt, sealSample } from "./sealing.ts";

let volume: string;
beforeEach(() => {
  volume = temporaryFolder("spot-prune-");
});

const [first, second, third] = [idAt(1), idAt(2), idAt(3)];
const weights = (letter: string) => letter.repeat(300_000);

/** Three in a row: `weights` is one file on the disk, `log` another one each time. */
function sealThree(): void {
  for (const [index, id] of [first, second, third].entries())
    sealSample(volume, {
      id,
      files: { weights: weights("w"), "sub/log": `${index}`.repeat(50_000 * (index + 1)), zero: "" },
      ...(index === 0 ? {} : { after: idAt(index) }),
    });
}

const listed = async () => (await listSealed(volume)).map(({ id }) => id);

test("what it says is freed is what the disk has back: files that others share stay, also when several go at once", async () => {
  for (const ids of [[first], [second], [first, second]]) {
    sealThree();
    const before = diskBytes(volume);
    const said = await prunableBytes(volume, ids);
    expect(diskBytes(volume)).toBe(before);
    const { pruned, freed } = await pruneSealed(volume, ids);
    expect(pruned).toEqual(ids);
    expect(freed).toBe(said);
    expect(before - diskBytes(volume)).toBe(freed);
    expect(freed).toBeGreaterThan(ids.length * 50_000);
    expect(freed).toBeLessThan(300_000);
    for (const id of await listed()) expect((await verifyCheckpoint(checkpointFolder(volume, id))).problems).toEqual([]);
    rmSync(sealedFolder(volume), { recursive: true });
  }
});

test("what the checkpoints of a volume take is what lies on its disk: what they share counts once", async () => {
  expect(await sealedBytes(volume)).toBe(0);
  sealThree();
  expect(await sealedBytes(volume)).toBe(diskBytes(volume));
});

test("a file that only those that go share is freed once, and a sparse one for what it takes", async () => {
  sealSample(volume, { id: first, files: { big: weights("a") } });
  sealSample(volume, { id: second, files: { big: weights("a") }, after: first });
  sealSample(volume, { id: third, files: { big: "small" } });
  const hole = join(checkpointFolder(volume, first), "data/hole");
  writeFileSync(hole, "");
  truncateSync(hole, 1_000_000_000);
  const before = diskBytes(volume);
  const { freed } = await pruneSealed(volume, [first, second]);
  expect(freed).toBe(before - diskBytes(volume));
  expect(freed).toBeGreaterThan(300_000);
  expect(freed).toBeLessThan(400_000);
});

test("the newest sealed one of an instance is refused, and then none goes; one that is not there is passed over", async () => {
  sealThree();
  sealSample(volume, { id: idAt(0), instance: "other", files: { a: "a" } });
  await expect(pruneSealed(volume, [first, third])).rejects.toMatchObject({ exit: 7, code: "SPOT_E_CHECKPOINT_NEWEST" });
  await expect(pruneSealed(volume, [first, idAt(0)])).rejects.toMatchObject({ exit: 7 });
  expect(await listed()).toEqual([third, second, first, idAt(0)]);
  // What nobody would put back is not the newest sealed one.
  writeFileSync(join(checkpointFolder(volume, third), "MANIFEST"), "damaged");
  await expect(pruneSealed(volume, [second])).rejects.toMatchObject({ exit: 7 });
  expect(await pruneSealed(volume, [idAt(900), first])).toMatchObject({ pruned: [first] });
  expect(await pruneSealed(volume, [first])).toEqual({ pruned: [], freed: 0 });
});

test("what a killed pruning left is cleared by the next one, read-only folders and all; others are not touched", async () => {
  sealThree();
  const left = join(sealedFolder(volume), `.pruned-${first}`);
  mkdirSync(join(left, "data/closed"), { recursive: true });
  writeFileSync(join(left, "data/closed/file"), "x");
  chmodSync(join(left, "data/closed"), 0o500);
  mkdirSync(join(sealedFolder(volume), ".partial-c-1"));
  await pruneSealed(volume, [second]);
  expect(readdirSync(sealedFolder(volume)).sort()).toEqual([".partial-c-1", first, third]);
});

test("told to stop before its beginning, it removes nothing", async () => {
  sealThree();
  await expect(pruneSealed(volume, [first], AbortSignal.abort("SIGINT"))).rejects.toBe("SIGINT");
  expect(await listed()).toEqual([third, second, first]);
});

test("killed in the middle of it, whatever is still listed is whole, and the next one clears up", async () => {
  const many = Object.fromEntries(Array.from({ length: 1200 }, (_, index) => [`d${index % 30}/f${index}`, `${index}`]));
  sealSample(volume, { id: first, files: many });
  sealSample(volume, { id: second, files: many, after: first });
  sealSample(volume, { id: third, files: many, after: second });
  const program = join(temporaryFolder(), "prune.mjs");
  await build({
    stdin: {
      contents: `import { pruneSealed } from "./prune.ts"; await pruneSealed(process.argv[2], process.argv.slice(3));`,
      resolveDir: fileURLToPath(new URL("../../src/checkpoints", import.meta.url)),
      loader: "ts",
    },
    outfile: program,
    bundle: true,
    format: "esm",
    platform: "node",
  });
  const child = spawn(process.execPath, [program, volume, first, second], { stdio: "ignore" });
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const there = join(checkpointFolder(volume, first), "data/d0/f0");
  for (let over = false; !over && existsSync(there); )
    over = await Promise.race([ended.then(() => true), systemClock.sleep(1).then(() => false)]);
  child.kill("SIGKILL");
  await ended;
  const left = await listed();
  expect(left).toContain(third);
  expect((await readCatalogue(volume)).damaged).toEqual([]);
  for (const id of left) expect((await verifyCheckpoint(checkpointFolder(volume, id))).problems).toEqual([]);
  await pruneSealed(volume, [first, second]);
  expect(readdirSync(sealedFolder(volume))).toEqual([third]);
  expect((await verifyCheckpoint(checkpointFolder(volume, third))).ok).toBe(true);
  expect(readFileSync(join(checkpointFolder(volume, third), "data/d1/f1"), "utf8")).toBe("1");
});
