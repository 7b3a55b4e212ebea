import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { cp } from "../../src/commands/cp.ts";
import { sshAccess } from "../../src/guest/ssh-access.ts";
import type { Reach } from "../../src/providers/provider.ts";
import { type Machine, machineRoomAvailable } from "../clouds/machine-room.ts";
import { sampleSpec } from "../state/sample-records.ts";
import { temporaryFolder } from "../world.ts";
import { type Desk, desk } from "./command.ts";
import { agentMachine, bareMachine, reachOf } from "./reached-machine.ts";

const ODD = ["a b", "it's", '"', "$HOME", "`id`", "back\\slash", "new\nline", "*", "-rf", "ü", ";|&", ".hidden", "..x"];

interface Place {
  readonly desk: Desk;
  readonly root: string;
  readonly here: string;
  cp(...args: readonly string[]): Promise<number | undefined>;
}

type Make = () => Promise<Place>;

async function onto(made: Desk, root: string, reach: Reach): Promise<Place> {
  made.reaches.set("m1", reach);
  await made.record("train", "m1", { provider: "fake" });
  const here = made.world.cwd;
  mkdirSync(join(root, "data"), { recursive: true });
  return { desk: made, root, here, cp: (...args) => made.run(cp, args) };
}

const far: Make = async () => {
  const made = desk();
  const machine: Machine = await bareMachine(sshAccess(made.world));
  return onto(made, machine.root, reachOf(machine));
};

/** As the embedded cloud's: a folder of this machine, its agent not asked. */
const near: Make = async () => {
  const root = temporaryFolder();
  return onto(desk(), root, { kind: "process", cwd: root, env: { PATH: process.env["PATH"] ?? "", SPOT_ROOT: root }, log: "" });
};

const leftovers = (folder: string) => readdirSync(folder, { recursive: true }).filter((name) => String(name).includes(".spot-cp-"));

function makeTree(folder: string): void {
  mkdirSync(join(folder, "deep/er"), { recursive: true });
  mkdirSync(join(folder, "empty"), { mode: 0o750 });
  for (const [index, name] of ODD.entries()) writeFileSync(join(folder, "deep", name), `content ${index}`);
  writeFileSync(join(folder, "run.sh"), "#!/bin/sh\n", { mode: 0o755 });
  writeFileSync(join(folder, "deep/er/big"), Buffer.alloc(1_500_000, 3));
  symlinkSync("../run.sh", join(folder, "deep/link"));
}

const same = (a: string, b: string) => expect(execFileSync("diff", ["-r", "--no-dereference", a, b], { encoding: "utf8" })).toBe("");

describe.each<[string, Make]>([
  ["a rented machine", far],
  ["a machine of the embedded cloud", near],
])("spot cp and %s", (_, make) => {
  const sure = make === far ? it.skipIf(!machineRoomAvailable()) : it;

  sure("copies a file in and out under any name, with its rights", async () => {
    const place = await make();
    for (const name of ODD) {
      writeFileSync(join(place.here, name), `of ${name}`, { mode: 0o640 });
      await place.cp(`./${name}`, "train:/data");
      expect(readFileSync(join(place.root, "data", name), "utf8")).toBe(`of ${name}`);
      expect(statSync(join(place.root, "data", name)).mode & 0o777).toBe(0o640);
      await place.cp(`train:/data/${name}`, `back-${name}`);
      expect(readFileSync(join(place.here, `back-${name}`), "utf8")).toBe(`of ${name}`);
      expect(statSync(join(place.here, `back-${name}`)).mode & 0o777).toBe(0o640);
    }
    writeFileSync(join(place.here, "empty"), "");
    await place.cp("empty", "train:/data/none");
    expect(readFileSync(join(place.root, "data/none"), "utf8")).toBe("");
    expect(leftovers(place.root)).toEqual([]);
    expect(leftovers(place.here)).toEqual([]);
  });

  sure("copies folders both ways by the rules of cp -r", async () => {
    const place = await make();
    makeTree(join(place.here, "tree"));
    await place.cp("tree", "train:/data/new");
    same(join(place.here, "tree"), join(place.root, "data/new"));
    await place.cp("tree/", "train:/data/");
    same(join(place.here, "tree"), join(place.root, "data/tree"));
    expect(statSync(join(place.root, "data/tree/empty")).mode & 0o777).toBe(0o750);
    await place.cp("train:/data/tree", "again");
    same(join(place.here, "tree"), join(place.here, "again"));
    mkdirSync(join(place.here, "there"));
    await place.cp("train:/data/tree", "there");
    same(join(place.here, "tree"), join(place.here, "there/tree"));
    expect(leftovers(place.root)).toEqual([]);
    expect(leftovers(place.here)).toEqual([]);
  });

  sure("adds to a folder that is there, and replaces files in it", async () => {
    const place = await make();
    mkdirSync(join(place.here, "src/sub"), { recursive: true });
    for (const name of ["one", "sub/two", ".dot"]) writeFileSync(join(place.here, "src", name), `new ${name}`);
    for (const side of [join(place.root, "data/src"), join(place.here, "dst/src")]) {
      mkdirSync(join(side, "sub"), { recursive: true });
      writeFileSync(join(side, "one"), "old");
      writeFileSync(join(side, "sub/three"), "kept");
    }
    await place.cp("src", "train:/data");
    await place.cp("train:/data/src/.", "dst/src");
    for (const side of [join(place.root, "data/src"), join(place.here, "dst/src")]) {
      expect(readFileSync(join(side, "one"), "utf8")).toBe("new one");
      expect(readFileSync(join(side, "sub/two"), "utf8")).toBe("new sub/two");
      expect(readFileSync(join(side, "sub/three"), "utf8")).toBe("kept");
      expect(readFileSync(join(side, ".dot"), "utf8")).toBe("new .dot");
    }
    await place.cp("src/.", "train:/data");
    expect(readFileSync(join(place.root, "data/one"), "utf8")).toBe("new one");
    expect(leftovers(place.root)).toEqual([]);
    expect(leftovers(place.here)).toEqual([]);
  });

  sure("refuses what cannot be, and leaves nothing of it", async () => {
    const place = await make();
    const { here, root } = place;
    writeFileSync(join(here, "file"), "x");
    mkdirSync(join(here, "folder/in"), { recursive: true });
    writeFileSync(join(here, "folder/name"), "x");
    mkdirSync(join(root, "data/folder/name"), { recursive: true });
    writeFileSync(join(root, "data/plain"), "y");
    const refused = (args: readonly [string, string], what: object) =>
      expect(place.cp(...args), args.join(" ")).rejects.toMatchObject(what);
    await refused(["file", "folder"], { code: "SPOT_E_USAGE" });
    await refused(["train:/a", "train:/b"], { code: "SPOT_E_USAGE" });
    await refused(["nothing", "train:/data"], { exit: 9 });
    await refused(["train:/nothing", "."], { exit: 9 });
    await refused(["nobody:/x", "."], { exit: 9 });
    await refused(["file", "train:/no/such/folder"], { exit: 1, message: expect.stringContaining("there is no folder") });
    await refused(["file", "train:/data/new/"], { exit: 1, message: expect.stringContaining("there is no folder") });
    await refused(["train:/data/plain", "no/such/place"], { exit: 1, message: expect.stringContaining("there is no folder") });
    await refused(["folder", "train:/data/plain"], { exit: 1 });
    await refused(["train:/data/folder", "file"], { exit: 1 });
    // A folder stands where a file should go.
    await refused(["folder", "train:/data"], { exit: 1 });
    await refused(["train:/data/plain/", "."], { exit: 9 });
    expect(readFileSync(join(root, "data/plain"), "utf8")).toBe("y");
    expect(readFileSync(join(here, "file"), "utf8")).toBe("x");
    expect(leftovers(root)).toEqual([]);
    expect(leftovers(here)).toEqual([]);
  });
});

describe.skipIf(!machineRoomAvailable())("spot cp", () => {
  it("means a relative path from the workload's folder", async () => {
    const made = desk();
    const { machine, reach } = await agentMachine(sshAccess(made.world), { env: {}, command: ["sleep", "1000"] });
    const place = await onto(made, machine.root, reach);
    writeFileSync(join(place.here, "file"), "x");
    await place.cp("file", "train:");
    // The image's own folder; in the room that is where the container was started.
    expect(existsSync(join(machine.root, "file"))).toBe(true);
    await place.cp("train:file", "back");
    expect(readFileSync(join(place.here, "back"), "utf8")).toBe("x");
  });

  it("means the folder of this machine in which a workload of the embedded cloud runs", async () => {
    const place = await near();
    const workdir = temporaryFolder();
    await place.desk.record("inside", "m1", { provider: "fake", spec: sampleSpec("inside", { workdir }) });
    writeFileSync(join(place.here, "file"), "x");
    await place.cp("file", "inside:");
    expect(readFileSync(join(workdir, "file"), "utf8")).toBe("x");
    await place.cp("inside:./file", "back");
    expect(readFileSync(join(place.here, "back"), "utf8")).toBe("x");
    // What the workload itself calls its volume.
    await place.cp("file", `inside:${place.root}/data`);
    expect(readFileSync(join(place.root, "data/file"), "utf8")).toBe("x");
  });

  it("shows no file that is not whole when the connection breaks on the way", async () => {
    const made = desk();
    const machine = await bareMachine(sshAccess(made.world));
    const place = await onto(made, machine.root, reachOf(machine));
    const big = join(place.here, "big");
    writeFileSync(big, "");
    truncateSync(big, 400_000_000);
    writeFileSync(join(machine.root, "data/big"), "old");
    const stop = new AbortController();
    const copying = made.run(cp, ["big", "train:/data/big"], {}, stop.signal);
    const staged = () => leftovers(join(machine.root, "data")).some((name) => String(name).endsWith("new"));
    while (!staged()) await new Promise((done) => setImmediate(done));
    await machine.halt();
    await expect(copying).rejects.toMatchObject({ code: "SPOT_E_GUEST_UNREACHABLE" });
    expect(readFileSync(join(machine.root, "data/big"), "utf8")).toBe("old");
  });

  it("goes through no link that a machine has sent before", async () => {
    const made = desk();
    const machine = await bareMachine(sshAccess(made.world));
    const place = await onto(made, machine.root, reachOf(machine));
    const outside = temporaryFolder();
    mkdirSync(join(machine.root, "data/t"));
    symlinkSync(outside, join(machine.root, "data/t/x"));
    await place.cp("train:/data/t", ".");
    execFileSync("rm", [join(machine.root, "data/t/x")]);
    mkdirSync(join(machine.root, "data/t/x"));
    writeFileSync(join(machine.root, "data/t/x/evil"), "x");
    await expect(place.cp("train:/data/t", ".")).rejects.toMatchObject({ code: "SPOT_E_IN_THE_WAY" });
    expect(readdirSync(outside)).toEqual([]);
  });

  it("says what the machine refused", async () => {
    const made = desk();
    const machine = await bareMachine(sshAccess(made.world));
    const place = await onto(made, machine.root, reachOf(machine));
    mkdirSync(join(machine.root, "bin"));
    writeFileSync(join(place.here, "file"), "x");
    symlinkSync("/dev/full", join(place.root, "data/full"));
    await expect(place.cp("file", "train:/data/full/x")).rejects.toMatchObject({ exit: 1 });
    chmodSync(join(place.here, "file"), 0o600);
    await expect(place.cp("train:/data/full", "out")).rejects.toMatchObject({ exit: 1 });
    expect(existsSync(join(place.here, "out"))).toBe(false);
  });
});
