import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { isBare } from "../../src/checkpoints/bare-volume.ts";
import { temporaryFolder } from "../world.ts";

function volumeWith(...files: readonly string[]): string {
  const root = temporaryFolder();
  for (const file of files) {
    mkdirSync(join(root, dirname(file)), { recursive: true });
    if (file.endsWith("/")) mkdirSync(join(root, file), { recursive: true });
    else writeFileSync(join(root, file), "");
  }
  return root;
}

test.each([
  [true, []],
  [true, ["spot/volume", "spot/pace", "spot/cache/.room", "spot/checkpoints/", "lost+found/", "out/empty/"]],
  [false, ["out/empty/", "out/one"]],
  [false, ["volume"]],
  [false, ["spot/volume/of mine"]],
  [false, ["spot/cache/HF_HOME/blob"]],
  [false, ["spot/checkpoints/.partial-c-1/data/count"]],
  [false, ["data/lost+found"]],
])("a volume is bare: %s, with %j", async (bare, files) => {
  expect(await isBare(volumeWith(...files))).toBe(bare);
});

test("a link is something, also one that leads nowhere or to a folder that is empty", async () => {
  for (const target of ["nowhere", "."]) {
    const root = volumeWith();
    symlinkSync(target, join(root, "latest"));
    expect(await isBare(root)).toBe(false);
  }
});

test.skipIf(process.getuid?.() === 0)("what cannot be read is not bare", async () => {
  const root = volumeWith("mine/");
  chmodSync(join(root, "mine"), 0o000);
  await expect(isBare(root)).rejects.toThrow();
  chmodSync(join(root, "mine"), 0o700);
});

test("a volume that is not there is not bare", async () => {
  await expect(isBare(join(temporaryFolder(), "gone"))).rejects.toThrow();
});
