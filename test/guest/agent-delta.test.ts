import { execFileSync } from "node:child_process";
import {
  appendFileSync,
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, expect, test } from "vitest";
import { verifyCheckpoint } from "../../src/checkpoints/verify.ts";
import { parseGuestError, parseSnapshotResult } from "../../src/guest/protocol.ts";
import { temporaryFolder } from "../world.ts";
import { eventually, KINDS, type Machine, type MachineOptions, makeMachine } from "./machine.ts";

const open: Machine[] = [];
afterEach(async () => {
  for (const machine of open.splice(0)) await machine.close();
});

async function start(options: MachineOptions = {}, command: readonly string[] = ["sleep", "1000"]): Promise<Machine> {
  const machine = await makeMachine(options);
  open.push(machine);
  machine.boot({ command });
  await eventually("a running workload", async () => ((await machine.verb("status")).stdout.includes('"running"') ? true : undefined));
  return machine;
}

/** Seals, and returns the folder of the checkpoint. What is sealed is what lies there, with modes and times; all older ones are whole. */
async function seal(machine: Machine): Promise<string> {
  const result = await machine.verb("snapshot", "manual");
  expect(result.code, result.stdout + result.stderr).toBe(0);
  const parsed = parseSnapshotResult(result.stdout);
  if (parsed.kind !== "sealed") throw new Error("nothing was sealed");
  // An entry that came and went between two seals has left the time of the folder alone.
  if (parsed.checkpoint.unchanged) return join(machine.sealedFolder, parsed.checkpoint.id);
  const sealed = join(machine.sealedFolder, parsed.checkpoint.id);
  expect(describe(join(sealed, "data"))).toEqual(describe(machine.checkpointFolder));
  execFileSync("diff", ["-r", "--no-dereference", join(sealed, "data"), machine.checkpointFolder]);
  for (const id of readdirSync(machine.sealedFolder)) expect((await verifyCheckpoint(join(machine.sealedFolder, id))).problems).toEqual([]);
  return sealed;
}

/** Kind, mode and time in seconds of all that a folder holds, itself included. */
function describe(folder: string): Readonly<Record<string, string>> {
  const seen: Record<string, string> = {};
  const look = (path: Buffer) => {
    const { mode, mtimeMs } = lstatSync(path);
    const isLink = (mode & 0o170000) === 0o120000;
    seen[path.toString("latin1").slice(folder.length)] = `${mode.toString(8)} ${isLink ? "" : Math.floor(mtimeMs / 1000)}`;
    if ((mode & 0o170000) !== 0o040000) return;
    for (const name of readdirSync(path, { encoding: "buffer" })) look(Buffer.concat([path, Buffer.from("/"), name]));
  };
  look(Buffer.from(folder));
  return seen;
}

const inode = (sealed: string, name: string) => lstatSync(join(sealed, "data", name)).ino;
const shared = (a: string, b: string, names: readonly string[]) => names.filter((name) => inode(a, name) === inode(b, name));
const inside = (machine: Machine, name: string) => join(machine.checkpointFolder, name);
const write = (machine: Machine, name: string, content: string | Buffer) => writeFileSync(inside(machine, name), content);

const ODD = [
  "new\nline",
  "\n",
  "tab\there",
  "back\\slash",
  "\\n",
  "\\\n",
  "-rf",
  "*",
  "$(x) `y` 'z'",
  "é".repeat(127),
  "\u0001",
  "a\\0101b",
  " ",
];

/** Programs of ours before all others. */
function programs(texts: Readonly<Record<string, string>>): MachineOptions {
  const folder = temporaryFolder();
  for (const [name, text] of Object.entries(texts)) {
    const real = execFileSync("sh", ["-c", `command -v ${name}`], { encoding: "utf8" }).trim();
    writeFileSync(join(folder, name), `#!/bin/sh\nreal=${real}\n${text}\nexec "$real" "$@"\n`, { mode: 0o755 });
  }
  return { env: { PATH: `${folder}:${process.env["PATH"]}` } };
}

test.each(KINDS)("with $name what has not changed is not written again, whatever it is called", async ({ options }) => {
  const machine = await start(options);
  const long = Buffer.from([0xff, 0x20, 0xe9, 0x0a, 0x5c]);
  writeFileSync(Buffer.concat([Buffer.from(`${machine.checkpointFolder}/`), long]), "bytes");
  for (const folder of ["deep\n/er", "stays/empty", "will be renamed", "is a folder", "loses one", "x\\ny"])
    mkdirSync(inside(machine, folder), { recursive: true });
  for (const name of ODD) for (const folder of ["", "deep\n/er"]) write(machine, join(folder, name), `${folder} ${name}`);
  for (const name of ["will be renamed/f", "is a folder/f", "is a file", "changes", "is chmodded", "goes", "loses one/f", "loses one/g"])
    write(machine, name, name);
  symlinkSync("some\nwhere\\", inside(machine, "link\n"));
  symlinkSync("one way", inside(machine, "turns"));
  // busybox's cp gives its copy the time of now.
  lutimesSync(inside(machine, "link\n"), 1_000_000_000, 1_000_000_000);
  chmodSync(inside(machine, "stays"), 0o750);
  const first = await seal(machine);

  write(machine, "changes", "CHANGES");
  write(machine, "deep\n/er/\\n", "other");
  chmodSync(inside(machine, "is chmodded"), 0o640);
  rmSync(inside(machine, "goes"));
  rmSync(inside(machine, "loses one/g"));
  renameSync(inside(machine, "will be renamed"), inside(machine, "was\nrenamed"));
  rmSync(inside(machine, "is a folder"), { recursive: true });
  write(machine, "is a folder", "not any more");
  rmSync(inside(machine, "is a file"));
  mkdirSync(inside(machine, "is a file"));
  write(machine, "is a file/f", "in it");
  rmSync(inside(machine, "turns"));
  symlinkSync("another", inside(machine, "turns"));
  write(machine, "x\\ny/added\n", "added");
  utimesSync(inside(machine, "stays/empty"), 1_000_000_000, 1_000_000_000);
  const second = await seal(machine);
  const untouched = [...ODD, ...ODD.filter((name) => name !== "\\n").map((name) => join("deep\n/er", name)), "loses one/f", "link\n"];
  expect(shared(first, second, untouched)).toEqual(untouched);
  expect(shared(first, second, ["changes", "deep\n/er/\\n", "is chmodded"])).toEqual([]);
  expect(statSync(join(first, "data/is chmodded")).mode & 0o777).toBe(0o644);

  // A whole folder of another mode is copied anew.
  chmodSync(inside(machine, "deep\n"), 0o700);
  const third = await seal(machine);
  expect(shared(second, third, untouched)).toEqual(untouched.filter((name) => !name.startsWith("deep\n/")));
  expect(statSync(join(second, "data/deep\n")).mode & 0o777).toBe(0o755);
});

test("any series of changes is sealed as it lies there", async () => {
  const machine = await start();
  const names = ["a", "b\n", "d/a", "d/c\\", "d/e/f", "d/e/g h", "i/j"];
  const step = fc.record({
    name: fc.constantFrom(...names),
    what: fc.constantFrom("write", "append", "remove", "remove above", "chmod", "touch", "link", "replace", "hard link"),
    text: fc.string({ maxLength: 9 }),
  });
  const series = fc.sample(fc.array(step, { minLength: 1, maxLength: 6 }), { numRuns: 5, seed: 6 });
  for (const name of names) {
    mkdirSync(inside(machine, join(name, "..")), { recursive: true });
    write(machine, name, name.repeat(50));
  }
  await seal(machine);
  for (const steps of series) {
    for (const { name, what, text } of steps) {
      const path = inside(machine, name);
      const above = join(path, "..");
      if (!existsSync(above) || !statSync(above).isDirectory()) rmSync(above, { force: true });
      mkdirSync(above, { recursive: true });
      if (what === "write") writeFileSync(path, text);
      else if (what === "append") appendFileSync(path, text);
      else if (what === "remove") rmSync(path, { force: true });
      else if (what === "remove above" && name.includes("/")) rmSync(above, { recursive: true });
      else if (what === "chmod" && existsSync(path)) chmodSync(path, (statSync(path).mode & 0o777) ^ 0o044);
      else if (what === "touch" && existsSync(path)) utimesSync(path, 1_500_000_000 + text.length, 1_500_000_000 + text.length);
      else if (what === "link") {
        rmSync(path, { force: true });
        symlinkSync(text === "" || text.includes("\0") ? "x" : text, path);
      } else if (what === "replace") {
        writeFileSync(`${path}.new`, text);
        renameSync(`${path}.new`, path);
      } else if (what === "hard link" && existsSync(path)) {
        rmSync(`${path}.same`, { force: true });
        linkSync(path, `${path}.same`);
      }
    }
    if (readdirSync(machine.checkpointFolder).length > 0) await seal(machine);
  }
});

test("content that changes while size and time stay is noticed by the time of the change", async () => {
  const machine = await start();
  write(machine, "a", "one");
  write(machine, "b", "two");
  utimesSync(inside(machine, "a"), 1_600_000_000, 1_600_000_000);
  const first = await seal(machine);
  write(machine, "a", "ONE");
  utimesSync(inside(machine, "a"), 1_600_000_000, 1_600_000_000);
  const second = await seal(machine);
  expect(second).not.toBe(first);
  expect(readFileSync(join(second, "data/a"), "utf8")).toBe("ONE");
  expect(shared(first, second, ["a", "b"])).toEqual(["b"]);
});

test("a workload that replaces a file all the time does not make the others be written again", async () => {
  const machine = await start({}, [
    "sh",
    "-c",
    'cd "$SPOT_CHECKPOINT_DIR"; n=0; while [ ! -e ../stop ]; do n=$((n+1)); echo $n >.n; mv .n state; done; sleep 1000',
  ]);
  const still = Array.from({ length: 20 }, (_, at) => `still-${at}`);
  for (const name of still) write(machine, name, name);
  const answers: string[] = [];
  for (let round = 0; round < 3; round++) {
    const { stdout } = await machine.verb("snapshot", "manual");
    const parsed = parseSnapshotResult(stdout);
    if (parsed.kind === "sealed") answers.push(join(machine.sealedFolder, parsed.checkpoint.id));
  }
  expect(answers).toHaveLength(3);
  for (const sealed of answers) expect((await verifyCheckpoint(sealed)).problems).toEqual([]);
  const [first = "", ...others] = answers;
  for (const other of others) expect(shared(first, other, still)).toEqual(still);
});

test("a name that is gone when it is looked at is none of the folder, once it is gone; whatever else a look meets refuses", async () => {
  const folder = temporaryFolder();
  const said = join(folder, "said");
  const machine = await start(
    programs({
      find: `case $1,$* in .*-printf*)
  "$real" "$@"
  [ ! -e '${said}' ] || { cat '${said}' >&2; grep -q always '${said}' || rm '${said}'; exit 1; } ;;
esac`,
    }),
  );
  write(machine, "a", "a");
  await seal(machine);
  write(machine, "a", "other");
  const gone = "find: './/./.n': No such file or directory\n";
  for (const lines of [
    "find: './/./d': Permission denied\n",
    "find: './/./No such file': Permission denied\n",
    "find: './/./d: No such file or directory': Permission denied\n",
    `${gone}find: './/./d': Input/output error\n${gone}`,
    "",
    gone.replace(".n", "always"),
    gone,
  ]) {
    writeFileSync(said, lines);
    const { stdout } = await machine.verb("snapshot", "manual");
    expect(stdout, lines).toMatch(lines === gone ? /"unchanged":false/ : /could not be read/);
  }
  await seal(machine);
});

test("in a folder that its owner may not write into, what has not changed is not written again", async () => {
  const machine = await start();
  // Root may write anywhere.
  const owner = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};
  if (owner.uid !== undefined) {
    chmodSync(join(machine.root, ".."), 0o755);
    execFileSync("chown", ["-R", `${owner.uid}:${owner.gid}`, machine.root, machine.volume]);
  }
  const run = (...words: readonly string[]) =>
    execFileSync("sh", words, { cwd: machine.checkpointFolder, env: machine.reach.env, encoding: "utf8", stdio: "pipe", ...owner });
  const sealed = () => {
    const parsed = parseSnapshotResult(run(join(machine.root, "var/lib/spot/agent.sh"), "snapshot", "manual"));
    return join(machine.sealedFolder, parsed.kind === "sealed" ? parsed.checkpoint.id : "");
  };
  run("-c", "mkdir -p shut/deep; for name in a shut/a shut/b shut/goes shut/deep/a; do echo $name >$name; done; chmod 555 shut/deep shut");
  const first = sealed();
  run("-c", "chmod 755 shut; rm shut/goes; echo other >shut/b; echo comes >shut/comes; chmod 555 shut");
  const second = sealed();
  expect(describe(join(second, "data"))).toEqual(describe(machine.checkpointFolder));
  for (const checkpoint of [first, second]) expect((await verifyCheckpoint(checkpoint)).problems).toEqual([]);
  expect(statSync(join(first, "data/shut")).mode & 0o777).toBe(0o555);
  expect(shared(first, second, ["a", "shut/a", "shut/b", "shut/deep/a"])).toEqual(["a", "shut/a", "shut/deep/a"]);
  run("-c", 'chmod -R u+w . "$1" "$2"', "sh", first, second);
});

test.each([
  ["a file of it has another size", (sealed: string) => appendFileSync(join(sealed, "data/a"), "more")],
  [
    "a file of it was written",
    (sealed: string) => {
      writeFileSync(join(sealed, "data/a"), "AAAA");
      utimesSync(join(sealed, "data/a"), 2_000_000_000, 2_000_000_000);
    },
  ],
  ["a file of it is gone", (sealed: string) => rmSync(join(sealed, "data/a"))],
  ["something more lies in it", (sealed: string) => writeFileSync(join(sealed, "data/more"), "")],
  ["its manifest is damaged", (sealed: string) => appendFileSync(join(sealed, "MANIFEST"), "\n")],
  ["its data are gone", (sealed: string) => rmSync(join(sealed, "data"), { recursive: true })],
])("when of the last checkpoint %s, nothing is taken from it", async (_, damage) => {
  const machine = await start();
  for (const name of ["a", "b", "c"]) write(machine, name, name.repeat(4));
  const first = await seal(machine);
  damage(first);
  write(machine, "c", "changed");
  const { stdout } = await machine.verb("snapshot", "manual");
  const parsed = parseSnapshotResult(stdout);
  const second = join(machine.sealedFolder, parsed.kind === "sealed" ? parsed.checkpoint.id : "");
  expect((await verifyCheckpoint(second)).problems).toEqual([]);
  expect(readFileSync(join(second, "data/a"), "utf8")).toBe("aaaa");
  expect(readdirSync(join(second, "data")).sort()).toEqual(["a", "b", "c"]);
  const there = ["a", "b"].filter((name) => existsSync(join(first, "data", name)));
  expect(shared(first, second, there)).toEqual([]);
});

test.each([
  ["no hard links", 'case $* in -pPRl*data*) echo "cp: Operation not permitted" >&2; exit 1;; esac'],
  ["links until there are too many", 'case $* in -pPRl*data*) "$real" "$@"; rm "$3/b"; echo "cp: Too many links" >&2; exit 1;; esac'],
])("on a disk with %s all of it is copied", async (_, cp) => {
  const machine = await start(programs({ cp }));
  for (const name of ["a", "b", "c"]) write(machine, name, name);
  const first = await seal(machine);
  write(machine, "a", "other");
  const second = await seal(machine);
  expect(shared(first, second, ["a", "b", "c"])).toEqual([]);
});

test("a cp without --parents and an rm that does nothing harm no older checkpoint", async () => {
  const without = 'case $* in *--parents*) echo "cp: unrecognized option" >&2; exit 1;; esac';
  const machine = await start(programs({ cp: without, rm: 'case "$1 $2" in "-rf ./"*) exit 0;; esac' }));
  for (const name of ["a", "b", "goes"]) write(machine, name, name);
  mkdirSync(inside(machine, "d"));
  write(machine, "d/in", "in");
  const first = await seal(machine);
  write(machine, "a", "A");
  rmSync(inside(machine, "goes"));
  mkdirSync(inside(machine, "new"));
  write(machine, "new/in", "in");
  write(machine, "d/more", "more");
  await seal(machine);
  expect(readFileSync(join(first, "data/a"), "utf8")).toBe("a");
});

test("a sparse file stays one, and needs no more space than it takes; only what is written needs any", async () => {
  const machine = await start({ env: { SPOT_VOLUME_LIMIT_BYTES: "3000000" } });
  write(machine, "sparse", "head");
  truncateSync(inside(machine, "sparse"), 1 << 26);
  write(machine, "big", Buffer.alloc(2_000_000, 7));
  const first = await seal(machine);
  expect(statSync(join(first, "data/sparse"))).toMatchObject({ size: 1 << 26 });
  expect(statSync(join(first, "data/sparse")).blocks * 512).toBeLessThan(100_000);
  write(machine, "small", "small");
  const second = await seal(machine);
  expect(shared(first, second, ["sparse", "big"])).toEqual(["sparse", "big"]);
  write(machine, "big", Buffer.alloc(2_000_000, 8));
  const refused = await machine.verb("snapshot", "manual");
  expect([refused.code, parseGuestError(refused.stdout)]).toEqual([7, expect.stringContaining("No space left on device")]);
  expect(readdirSync(machine.sealedFolder)).toHaveLength(2);
});

test("a disk that fills half-way leaves the older checkpoints and no partial one, and the next seal is whole", async () => {
  const folder = temporaryFolder();
  const fill = `if [ -e '${folder}/full' ]; then case $* in *--parents*) exit 1;; -pPR*) echo "cp: error writing 'x': No space left on device" >&2; exit 1;; esac; fi`;
  const machine = await start(programs({ cp: fill }));
  for (const name of ["a", "b", "c"]) write(machine, name, name);
  const first = await seal(machine);
  write(machine, "a", "other");
  write(machine, "d", "d");
  writeFileSync(join(folder, "full"), "");
  const refused = await machine.verb("snapshot", "manual");
  expect(parseGuestError(refused.stdout)).toContain("No space left on device");
  expect(readdirSync(machine.sealedFolder).map((id) => join(machine.sealedFolder, id))).toEqual([first]);
  rmSync(join(folder, "full"));
  const second = await seal(machine);
  expect(shared(first, second, ["b", "c"])).toEqual(["b", "c"]);
});
