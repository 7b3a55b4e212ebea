import { createHash } from "node:crypto";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { checkpointFolder, listSealed, readCatalogue } from "../../src/checkpoints/catalogue.ts";
import { formatManifest, type ManifestEntry } from "../../src/checkpoints/manifest.ts";
import { restoreCheckpoint } from "../../src/checkpoints/restore.ts";
import { verifyCheckpoint } from "../../src/checkpoints/verify.ts";

let volume: string;
beforeEach(() => {
  volume = mkdtempSync(join(tmpdir(), "spot-checkpoints-"));
});
afterEach(() => rmSync(volume, { recursive: true, force: true }));

const sha256 = (content: string) => createHash("sha256").update(content).digest("hex");

/** A sealed checkpoint as an agent leaves it. */
function seal(id: string, instance = "train"): string {
  const folder = checkpointFolder(volume, id);
  mkdirSync(join(folder, "data/sub/empty"), { recursive: true });
  const files: readonly (readonly [string, string, number])[] = [
    ["STEP", "12\n", 0o644],
    ["sub/weights", "w".repeat(100_000), 0o600],
    ["zero", "", 0o444],
  ];
  const entries: ManifestEntry[] = [
    { kind: "folder", path: "sub", mode: 0o555, mtime: 1000 },
    { kind: "folder", path: "sub/empty", mode: 0o700, mtime: 1000 },
    { kind: "link", path: "newest", mode: 0o777, mtime: 1000, target: "sub/weights" },
  ];
  symlinkSync("sub/weights", join(folder, "data/newest"));
  for (const [path, content, mode] of files) {
    writeFileSync(join(folder, "data", path), content);
    entries.push({ kind: "file", path, mode, mtime: 1000, size: content.length, sha256: sha256(content) });
  }
  const manifest = { id, instance, volume: "disk", created: 1_700_000_000, reason: "manual", step: "12", agent: "1", entries } as const;
  writeFileSync(join(folder, "MANIFEST"), formatManifest(manifest));
  return folder;
}

const [older, newer] = ["c-20261121T053818Z-00000014", "c-20261121T053818Z-0001aaaa"];

test("a whole checkpoint verifies", async () => {
  const result = await verifyCheckpoint(seal(newer));
  expect(result).toMatchObject({ ok: true, problems: [], manifest: { step: "12" } });
});

test("whatever is damaged, missing, extra or of another kind is named", async () => {
  const folder = seal(newer);
  writeFileSync(join(folder, "data/sub/weights"), `v${"w".repeat(99_999)}`);
  rmSync(join(folder, "data/STEP"));
  rmSync(join(folder, "data/newest"));
  symlinkSync("zero", join(folder, "data/newest"));
  writeFileSync(join(folder, "data/zero"), "not zero");
  rmSync(join(folder, "data/sub/empty"), { recursive: true });
  writeFileSync(join(folder, "data/sub/empty"), "");
  writeFileSync(join(folder, "data/stranger"), "");
  expect((await verifyCheckpoint(folder)).problems).toEqual([
    { path: "data/sub/empty", what: "is a file, the manifest says a folder" },
    { path: "data/newest", what: 'points to "zero", the manifest says "sub/weights"' },
    { path: "data/STEP", what: "missing" },
    { path: "data/sub/weights", what: "damaged: its content differs from its hash" },
    { path: "data/zero", what: "has 8 bytes, the manifest says 0" },
    { path: "data/stranger", what: "not in the manifest" },
  ]);
});

test("a manifest that is damaged, missing or another's, and data that are gone, are said", async () => {
  const folder = seal(newer);
  rmSync(join(folder, "data"), { recursive: true });
  expect((await verifyCheckpoint(folder)).problems).toEqual([{ path: "data", what: "missing" }]);
  writeFileSync(join(folder, "MANIFEST"), readFileSync(join(folder, "MANIFEST"), "utf8").replace("step 12", "step 13"));
  expect((await verifyCheckpoint(folder)).problems).toEqual([{ path: "MANIFEST", what: "damaged: its content differs from its own hash" }]);
  rmSync(join(folder, "MANIFEST"));
  expect((await verifyCheckpoint(folder)).problems).toEqual([{ path: "MANIFEST", what: "missing" }]);
  writeFileSync(join(folder, "MANIFEST"), readFileSync(join(seal(older), "MANIFEST")));
  expect((await verifyCheckpoint(folder)).problems).toEqual([{ path: "MANIFEST", what: `is that of ${older}` }]);
});

test("the catalogue lists what is sealed, newest first, and names what is damaged", async () => {
  expect(await listSealed(volume)).toEqual([]);
  seal(older);
  seal(newer);
  mkdirSync(join(volume, "spot/checkpoints/.partial-c-9"));
  mkdirSync(join(volume, "spot/checkpoints/c-20990101T000000Z-00000000"));
  const { sealed, damaged } = await readCatalogue(volume, "scratch");
  expect(sealed.map(({ id }) => id)).toEqual([newer, older]);
  expect(sealed[0]).toMatchObject({
    instance: "train",
    volume: "scratch",
    createdAt: 1_700_000_000_000,
    files: 3,
    bytes: 100_003,
    step: "12",
    sealed: true,
  });
  expect(damaged).toEqual([{ id: "c-20990101T000000Z-00000000", what: "its manifest is missing" }]);
});

test.each(["../etc", "c-../x", "", "c-a/b"])("%j is no checkpoint's id", (id) => {
  expect(() => checkpointFolder(volume, id)).toThrow(RangeError);
});

test("restore gives contents, links, empty folders, modes and times", async () => {
  const target = join(volume, "new/target");
  await restoreCheckpoint(seal(newer), target);
  expect(readdirSync(target).sort()).toEqual(["STEP", "newest", "sub", "zero"]);
  expect(readFileSync(join(target, "sub/weights"), "utf8")).toBe("w".repeat(100_000));
  expect(readlinkSync(join(target, "newest"))).toBe("sub/weights");
  expect(statSync(join(target, "sub"))).toMatchObject({ mode: 0o40555, mtimeMs: 1_000_000 });
  expect(statSync(join(target, "sub/weights"))).toMatchObject({ mode: 0o100600, mtimeMs: 1_000_000 });
  expect(statSync(join(target, "zero")).mode).toBe(0o100444);
  chmodSync(join(target, "sub"), 0o755);
});

test("restore refuses a folder that holds something, and clears what a killed one left", async () => {
  const folder = seal(newer);
  const target = join(volume, "target");
  mkdirSync(target);
  writeFileSync(join(target, "mine"), "mine");
  await expect(restoreCheckpoint(folder, target)).rejects.toMatchObject({ exit: 2 });
  expect(readdirSync(target)).toEqual(["mine"]);
  await expect(restoreCheckpoint(folder, join(target, "mine"))).rejects.toMatchObject({ exit: 2 });
  rmSync(join(target, "mine"));
  mkdirSync(join(target, ".spot-restoring-c-1/half"), { recursive: true });
  await restoreCheckpoint(folder, target);
  expect(readdirSync(target).sort()).toEqual(["STEP", "newest", "sub", "zero"]);
  chmodSync(join(target, "sub"), 0o755);
});

test("restore hands over nothing of a checkpoint that does not verify", async () => {
  const folder = seal(newer);
  writeFileSync(join(folder, "data/STEP"), "13\n");
  const target = join(volume, "target");
  await expect(restoreCheckpoint(folder, target)).rejects.toMatchObject({ exit: 7, code: "SPOT_E_CHECKPOINT_DAMAGED" });
  expect(readdirSync(volume)).not.toContain("target");
});

test("a restore that is cancelled leaves nothing behind", async () => {
  const target = join(volume, "target");
  const signal = AbortSignal.abort("SIGINT");
  await expect(restoreCheckpoint(seal(newer), target, signal)).rejects.toBe("SIGINT");
  expect(readdirSync(volume)).not.toContain("target");
});
