import { rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { restoreCheckpoint } from "../../src/checkpoints/restore.ts";
import { verifyCheckpoint } from "../../src/checkpoints/verify.ts";
import { seededRng } from "../../src/platform/rng.ts";
import { temporaryFolder } from "../world.ts";
import { expectFound, sampleCorruptions, sealVaried } from "./corrupting.ts";

const POSITIONS = 100;

test(`a single changed byte, at ${POSITIONS} places, is found and named by verify and by restore, and nothing is handed over`, async () => {
  const volume = temporaryFolder("spot-corruption-");
  const rng = seededRng(1);
  const { id, folder, files } = sealVaried(volume, rng);
  for (const corruption of sampleCorruptions(folder, files, POSITIONS, rng)) await expectFound(volume, id, corruption);
  expect((await verifyCheckpoint(folder)).problems).toEqual([]);
  await restoreCheckpoint(folder, join(volume, "target"));
});

test("every single changed byte of a link's target is found and named", async () => {
  const volume = temporaryFolder("spot-corruption-");
  const { folder } = sealVaried(volume, seededRng(2));
  const target = "model/weights";
  for (const [at, letter] of [...target].entries()) {
    rmSync(join(folder, "data/newest"));
    symlinkSync(`${target.slice(0, at)}${letter === "x" ? "y" : "x"}${target.slice(at + 1)}`, join(folder, "data/newest"));
    expect((await verifyCheckpoint(folder)).problems.map(({ path }) => path)).toEqual(["data/newest"]);
  }
});
