import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { checkpointDoor } from "../../src/fleet/volumes/checkpoint-door.ts";
import { temporaryFolder, testWorld } from "../world.ts";

/** A machine whose agent says this to whatever it is asked, and writes down what that was. */
function machineThatSays(line: string, code = 0) {
  const root = temporaryFolder();
  mkdirSync(join(root, "var/lib/spot"), { recursive: true });
  writeFileSync(join(root, "var/lib/spot/agent.sh"), `echo "$*" >>"$SPOT_ROOT/asked"; echo '${line}'; exit ${code}\n`);
  const reach = { kind: "process", cwd: root, env: { SPOT_ROOT: root, PATH: process.env["PATH"] ?? "" }, log: "" } as const;
  return { reach, asked: () => readFileSync(join(root, "asked"), "utf8").trim().split("\n") };
}

const { signal } = new AbortController();

test("thousands of checkpoints are pruned in parts that a command line takes", async () => {
  const { reach, asked } = machineThatSays('{"pruned":["c-1"],"freed":4096}');
  const ids = Array.from({ length: 4500 }, (_, index) => `c-20261121T053818Z-${String(index).padStart(8, "0")}`);
  expect(await checkpointDoor(testWorld()).prune(reach, ids, true, signal)).toEqual({ pruned: ["c-1", "c-1", "c-1"], freed: 3 * 4096 });
  const words = asked().map((line) => line.split(" "));
  expect(words.map(([verb, flag]) => [verb, flag])).toEqual(Array.from({ length: 3 }, () => ["prune", "--dry-run"]));
  expect(words.flatMap(([, , ...rest]) => rest)).toEqual(ids);
  expect(Math.max(...asked().map((line) => line.length))).toBeLessThan(100_000);
});

test("what an agent says of a checkpoint that it did not find whole is what is wrong with it; other failures stay failures", async () => {
  const door = checkpointDoor(testWorld());
  const checkpoint = {
    id: "c-1",
    instance: "train",
    volume: "disk",
    createdAt: 0,
    files: 1,
    bytes: 1,
    sha256: "0".repeat(64),
    sealed: true,
    verifiedAt: null,
    step: null,
    reason: "manual",
  } as const;
  const verify = (line: string, code: number) =>
    door.verify({ kind: "machine", reach: machineThatSays(line, code).reach }, checkpoint, signal);
  expect(await verify('{"error":"checkpoint c-1 does not verify: a","damaged":["a"]}', 7)).toEqual([
    { path: "", what: "checkpoint c-1 does not verify: a" },
  ]);
  const said = (sha256: string) => JSON.stringify({ id: "c-1", files: 1, bytes: 1, sha256 });
  expect(await verify(said("0".repeat(64)), 0)).toEqual([]);
  expect(await verify(said("1".repeat(64)), 0)).toEqual([{ path: "MANIFEST", what: "is not the one in the catalogue" }]);
  await expect(verify("no", 1)).rejects.toMatchObject({ exit: 1 });
  await expect(verify('{"error":"no space to work in"}', 7)).rejects.toMatchObject({ exit: 7, message: "no space to work in" });
});

test("an agent that does not know the verb is said to be too old for it", async () => {
  const { reach } = machineThatSays("not a verb", 2);
  await expect(checkpointDoor(testWorld()).prune(reach, ["c-1"], false, signal)).rejects.toMatchObject({ code: "SPOT_E_GUEST_OLD" });
});

test("folders without a manifest that holds are told with what is left of their header", async () => {
  const { reach } = machineThatSays('{"volume":"disk","sealed":[],"damaged":[{"id":"c-1","instance":"train"},{"id":"c-2","instance":""}]}');
  expect(await checkpointDoor(testWorld()).broken({ kind: "machine", reach }, signal)).toEqual([
    { id: "c-1", instance: "train", what: "its manifest is damaged or missing" },
    { id: "c-2", instance: null, what: "its manifest is damaged or missing" },
  ]);
});
