import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { expect, test } from "vitest";
import { makeFetchFolder } from "../../src/checkpoints/fetch-place.ts";
import { temporaryFolder } from "../world.ts";

test("what a killed restore has fetched goes with the next one, and nobody else's does", async () => {
  const home = temporaryFolder();
  // Of a process that had our number before us.
  const left = join(home, `fetch-${process.pid}.${"0".repeat(12)}.abcdef`);
  mkdirSync(join(left, "data"), { recursive: true });
  writeFileSync(join(left, "data/weights"), "x");
  mkdirSync(join(home, "fetch-notes"));
  const mine = await makeFetchFolder(home);
  const other = await makeFetchFolder(home);
  expect(readdirSync(home).sort()).toEqual([basename(mine), basename(other), "fetch-notes"].sort());
});
