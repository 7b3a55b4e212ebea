import { existsSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { checkpointFolder } from "../../src/checkpoints/catalogue.ts";
import { openState } from "../../src/state/open.ts";
import { idAt, sealSample } from "../checkpoints/sealing.ts";
import { spot, type TestWorld, temporaryFolder } from "../world.ts";
import { cloudWorld, data, must } from "./cloud.ts";
import { volumeHere } from "./volume-here.ts";

const [oldest, older, newest] = [idAt(1), idAt(2), idAt(3)];

/** Three of one instance, and one of another that is newer than all of them. */
function sealSome(path: string): void {
  for (const [index, id] of [oldest, older, newest].entries())
    sealSample(path, { id, files: { "sub/weights": `weights ${index}`, log: "x" }, created: 1_700_000_000 + index });
  sealSample(path, { id: idAt(9), instance: "other", files: { log: "other" }, created: 1_700_000_009 });
}

const damage = (path: string, id: string, file: string) => writeFileSync(join(checkpointFolder(path, id), file), "damaged");

/** The one line of `spot.error/1`. */
const errorOf = (stderr: string) => JSON.parse(stderr.trim().split("\n").at(-1) ?? "").error;

async function warnings(world: TestWorld): Promise<readonly unknown[]> {
  const state = await openState(join(world.home, "state.db"));
  const events = await state.events({});
  await state.close();
  return events.filter(({ type }) => type === "warning").map((event) => [event.instance, event.data["message"]]);
}

test("verify names each path, and the next older one that it has read and found whole", async () => {
  const { world, path } = await volumeHere("disk");
  sealSome(path);
  damage(path, newest, "data/sub/weights");
  writeFileSync(join(checkpointFolder(path, newest), "data/stranger"), "");
  rmSync(join(checkpointFolder(path, newest), "data/log"));
  damage(path, older, "data/log");
  const outcome = await spot(world, "checkpoints", "verify", newest, "--json");
  expect(outcome.code).toBe(7);
  const [verdict] = JSON.parse(outcome.stdout).data;
  expect(verdict).toEqual({
    id: newest,
    instance: "train",
    volume: "disk",
    ok: false,
    instead: oldest,
    problems: [
      { path: "data/sub/weights", what: "has 7 bytes, the manifest says 9" },
      { path: "data/log", what: "missing" },
      { path: "data/stranger", what: "not in the manifest" },
    ],
  });
  expect(errorOf(outcome.stderr)).toMatchObject({
    code: "SPOT_E_CHECKPOINT_DAMAGED",
    next: [`spot checkpoints restore ${oldest} --to DIR`],
    message: expect.stringContaining('"data/sub/weights" has 7 bytes'),
  });
  const only = await spot(world, "checkpoints", "verify", newest, "--only", "--json");
  expect([only.code, JSON.parse(only.stdout).data[0].instead, errorOf(only.stderr).next]).toEqual([7, undefined, ["spot checkpoints ls"]]);
  // Another instance's is no substitute.
  damage(path, oldest, "data/log");
  const none = await spot(world, "checkpoints", "verify", newest, "--json");
  expect([JSON.parse(none.stdout).data[0].instead, errorOf(none.stderr).next]).toEqual([null, ["spot checkpoints ls"]]);
  expect((await data(world, "checkpoints", "verify", "other"))[0]).toMatchObject({ id: idAt(9), ok: true });
});

test("restore hands over nothing of a damaged one and offers the next older one that is whole; with --or-older it takes it and says so", async () => {
  const { world, path } = await volumeHere("disk");
  sealSome(path);
  damage(path, newest, "data/log");
  damage(path, older, "data/sub/weights");
  const to = join(world.home, "a folder");
  const refused = await spot(world, "checkpoints", "restore", "train", "--to", to, "--json");
  expect(refused).toMatchObject({ code: 7, stdout: "" });
  expect(errorOf(refused.stderr)).toMatchObject({
    code: "SPOT_E_CHECKPOINT_DAMAGED",
    message: expect.stringContaining('"data/log" has 7 bytes'),
    next: [`spot checkpoints restore ${oldest} --to '${to}'`],
  });
  expect(existsSync(to)).toBe(false);
  const taken = await must(world, "checkpoints", "restore", newest, "--to", to, "--or-older", "--json");
  expect(JSON.parse(taken.stdout)).toMatchObject({ data: [{ id: oldest }], damaged: [{ id: newest }, { id: older }] });
  expect(readFileSync(join(to, "sub/weights"), "utf8")).toBe("weights 0");
  const told = await must(world, "checkpoints", "restore", newest, "--to", join(world.home, "b"), "--or-older");
  expect(told.stderr).toContain(`${oldest} is in ${world.home}/b, every byte verified, which is older than ${newest}: that one is damaged`);
  expect(readdirSync(world.home).filter((name) => name.startsWith("fetch-"))).toEqual([]);
});

test.runIf(process.platform === "linux")("a fault of the target takes no older checkpoint, also with --or-older", async () => {
  const { world, path } = await volumeHere("disk");
  // Short of the 4096 bytes that Linux takes where it lies, and past them where it is to go.
  const deep = `${`${"d".repeat(240)}/`.repeat(15)}${"f".repeat(250)}`;
  sealSample(path, { id: older, files: { log: "1" } });
  sealSample(path, { id: newest, files: { log: "2", [deep]: "3" } });
  const to = join(temporaryFolder(), "t".repeat(200), "work");
  const refused = await spot(world, "checkpoints", "restore", "train", "--to", to, "--or-older", "--json");
  expect([refused.code, errorOf(refused.stderr).code]).toEqual([1, "SPOT_E_TARGET"]);
  expect(existsSync(to)).toBe(false);
});

test("a damaged manifest hides nothing: it is told when it is found, verify and restore name it, and the older one is offered", async () => {
  const { world, path } = await volumeHere("disk");
  sealSome(path);
  expect(await data(world, "checkpoints", "ls", "train")).toHaveLength(3);
  const manifest = join(checkpointFolder(path, newest), "MANIFEST");
  const text = readFileSync(manifest, "utf8");
  writeFileSync(manifest, text.replace("step -", "step 7"));
  const listed = JSON.parse((await must(world, "checkpoints", "ls", "train", "--json")).stdout);
  expect(listed.data.map(({ id }: { id: string }) => id)).toEqual([older, oldest]);
  const what = "its manifest is damaged: its content differs from its own hash";
  expect(listed.damaged).toEqual([{ id: newest, instance: "train", volume: "disk", what }]);
  const table = (await must(world, "checkpoints", "ls", "--volume", "disk")).stdout.split("\n");
  expect(table.filter((line) => line.includes(newest))).toEqual([expect.stringMatching(/train +- +damaged +- +- /)]);
  expect((await must(world, "checkpoints", "ls", "-o", "columns=id")).stdout).not.toContain(newest);
  expect(JSON.parse((await must(world, "checkpoints", "ls", "other", "--json")).stdout).damaged).toEqual([]);
  const told = [
    ["train", `checkpoint ${newest} on volume disk is no longer whole: its manifest is damaged: its content differs from its own hash`],
  ];
  expect(await warnings(world)).toEqual(told);
  for (const name of [newest, "train"]) {
    const verified = await spot(world, "checkpoints", "verify", name, "--json");
    expect([verified.code, JSON.parse(verified.stdout).data[0]]).toMatchObject([7, { id: newest, instance: "train", instead: older }]);
    const restored = await spot(world, "checkpoints", "restore", name, "--to", join(world.home, "to"), "--json");
    expect([restored.code, errorOf(restored.stderr)]).toMatchObject([
      7,
      { message: expect.stringContaining('"MANIFEST" its manifest is damaged'), next: [expect.stringContaining(older)] },
    ]);
  }
  // Nobody can say any more whose it is: that it may be newer is said.
  writeFileSync(manifest, text.replace("instance train", "instance Train"));
  const unsure = await must(world, "checkpoints", "restore", "train", "--to", join(world.home, "to"));
  expect(unsure.stderr).toContain(`${newest} on volume disk is newer, and nobody can tell any more whose it is`);
  expect(await warnings(world)).toEqual(told);
});

test("a target that cannot take it is refused before anything is read", async () => {
  const { world, path } = await volumeHere("disk");
  sealSome(path);
  damage(path, newest, "data/log");
  const refused = await spot(world, "checkpoints", "restore", "train", "--to", world.home);
  expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining("is not empty") });
  expect((await spot(world, "checkpoints", "restore", "nobody", "--to", join(world.home, "x"))).code).toBe(9);
});

test("the same one on another volume is taken when this one is damaged", async () => {
  const { world, path } = await volumeHere("disk");
  await must(world, "volumes", "create", "copy", "--size", "1", "--provider", "local");
  const folder = join(world.home, "local", "volumes");
  const second =
    readdirSync(folder)
      .map((name) => join(folder, name))
      .find((other) => other !== path) ?? "";
  sealSome(path);
  sealSome(second);
  // Whichever comes first.
  damage(path, newest, "data/log");
  const to = join(world.home, "to");
  await must(world, "checkpoints", "restore", newest, "--to", to);
  expect(readFileSync(join(to, "sub/weights"), "utf8")).toBe("weights 2");
  damage(second, newest, "data/log");
  const both = await spot(world, "checkpoints", "verify", newest, "--json");
  expect(JSON.parse(both.stdout).data).toMatchObject([
    { ok: false, instead: older },
    { ok: false, instead: older },
  ]);
});

test("a machine that comes up and finds the newest damaged goes on from the older one, and that is told", async () => {
  const world = await cloudWorld();
  const work = "while :; do sleep 1; done";
  const up = () => must(world, "up", "--name", "train", "--gpu", "A10G", "--volume", "disk:1:/data", "--yes", "--", "sh", "-c", work);
  const seal = async (text: string) => {
    await must(world, "exec", "train", "--", "sh", "-c", `echo ${text} >"$SPOT_CHECKPOINT_DIR/log"`);
    return (await data(world, "snapshot", "train"))[0].id as string;
  };
  await up();
  const first = await seal("first");
  const second = await seal("second");
  const { checkpointing } = await data(world, "show", "train");
  expect(checkpointing).toMatchObject({ rule: "daly", measured: true, measuredAt: expect.stringMatching(/^\d{4}-/) });
  await must(world, "down", "train", "--no-snapshot", "--yes");
  const folder = join(world.home, "local", "volumes");
  damage(join(folder, readdirSync(folder)[0] ?? ""), second, "data/log");
  await up();
  await must(world, "exec", "train", "--", "sh", "-c", 'test "$(cat "$SPOT_CHECKPOINT_DIR/log")" = first');
  const message = `it goes on from ${first}: ${second}, newer, could not be put back when its machine came up; spot checkpoints verify train says what is damaged`;
  expect(await warnings(world)).toEqual([["train", message]]);
  expect((await must(world, "show", "train")).stdout.replaceAll(/\s+/g, " ")).toContain(`it goes on from ${first}`);
});

test.each([["verify"], ["restore"]])("a machine that runs shares nothing more with what %s has found damaged", async (verb) => {
  const world = await cloudWorld();
  const work = "while :; do sleep 1; done";
  await must(world, "up", "--name", "train", "--gpu", "A10G", "--volume", "disk:1:/data", "--yes", "--", "sh", "-c", work);
  const seal = async (script: string) => {
    await must(world, "exec", "train", "--", "sh", "-c", `cd "$SPOT_CHECKPOINT_DIR" && ${script}`);
    return (await data(world, "snapshot", "train"))[0].id as string;
  };
  const first = await seal('head -c 300000 /dev/zero | tr "\\0" w >weights && echo 1 >log');
  const folder = join(world.home, "local", "volumes");
  const path = join(folder, readdirSync(folder)[0] ?? "");
  const weights = (id: string) => join(checkpointFolder(path, id), "data/weights");
  // As a disk does it: a byte, and neither size nor time.
  const { atime, mtime } = statSync(weights(first));
  const bytes = readFileSync(weights(first));
  bytes[150_000] = 120;
  writeFileSync(weights(first), bytes);
  utimesSync(weights(first), atime, mtime);
  const into = join(temporaryFolder(), "restored");
  expect((await spot(world, "checkpoints", verb, first, ...(verb === "verify" ? [] : ["--to", into]))).code).toBe(7);

  const second = await seal("echo 2 >log");
  expect((await data(world, "checkpoints", "verify", second))[0]).toMatchObject({ id: second, ok: true });
  expect(statSync(weights(second)).ino).not.toBe(statSync(weights(first)).ino);
  const third = await seal("echo 3 >log");
  expect(statSync(weights(third)).ino).toBe(statSync(weights(second)).ino);
  expect((await data(world, "checkpoints", "verify", third))[0]).toMatchObject({ ok: true });
});
