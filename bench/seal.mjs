// Sealing a checkpoint against `cp -r` plus `sha256sum`, rsync and restic, in one run on one disk: all of it, and again after 1 %
// of it has changed. Each way ends with what it made being on the disk.
//   node bench/seal.mjs [folder] [--scale s] [--rounds n] [--only big|small]
// The folder (default: the system's temporary one) must be on the disk to be measured and have 35 GB free (times the scale).
// rsync and restic are left out where they are not installed.
import { spawn, spawnSync } from "node:child_process";
import { randomFillSync } from "node:crypto";
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: "string", default: "1" }, scale: { type: "string", default: "1" }, only: { type: "string" } },
});
const rounds = Number(values.rounds);
const scale = Number(values.scale);
const base = mkdtempSync(join(positionals[0] ?? tmpdir(), "spot-bench-seal-"));
const parts = new URL("../src/guest/agent/", import.meta.url);
const agent = readFileSync(new URL("parts", parts), "utf8")
  .trim()
  .split("\n")
  .map((name) => readFileSync(new URL(name, parts), "utf8"))
  .join("\n");

const MB = 1_000_000;
const BIG = { files: 10, bytes: Math.round(1000 * scale) * MB };
const SMALL = { files: Math.round(100_000 * scale), bytes: 4096 };

function writeRandom(handle, bytes, at = null) {
  const chunk = Buffer.allocUnsafe(Math.min(bytes, 4 * MB));
  for (let left = bytes, place = at; left > 0; left -= chunk.length) {
    writeSync(handle, randomFillSync(chunk), 0, Math.min(left, chunk.length), place);
    if (place !== null) place += chunk.length;
  }
}

const bigFiles = {
  title: `${((BIG.files * BIG.bytes) / 1e9).toFixed(1)} GB in ${BIG.files} files`,
  changed: "1 % of the bytes, in one file",
  bytes: BIG.files * BIG.bytes,
  write(folder) {
    for (let file = 0; file < BIG.files; file++) {
      const handle = openSync(join(folder, `shard-${file}.bin`), "w");
      writeRandom(handle, BIG.bytes);
      closeSync(handle);
    }
  },
  change(folder) {
    const handle = openSync(join(folder, "shard-3.bin"), "r+");
    writeRandom(handle, Math.round((BIG.files * BIG.bytes) / 100), Math.round(BIG.bytes / 3));
    closeSync(handle);
  },
};

const smallPlace = (folder, file) => join(folder, `part-${file % 100}`, `${file}.bin`);
const smallFiles = {
  title: `${SMALL.files} files of 4 kB`,
  changed: "1 % of the files",
  bytes: SMALL.files * SMALL.bytes,
  write(folder) {
    const content = Buffer.allocUnsafe(SMALL.bytes);
    for (let part = 0; part < 100; part++) mkdirSync(join(folder, `part-${part}`));
    for (let file = 0; file < SMALL.files; file++) writeFileSync(smallPlace(folder, file), randomFillSync(content));
  },
  change(folder) {
    const content = Buffer.allocUnsafe(SMALL.bytes);
    for (let file = 0; file < SMALL.files; file += 100) writeFileSync(smallPlace(folder, file + (file % 97)), randomFillSync(content));
  },
};

/** Bytes of memory that the processes of a group have, pages that they share counted for each of them. */
function residentBytes(group) {
  let pages = 0;
  for (const entry of readdirSync("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      const fields = readFileSync(`/proc/${entry}/stat`, "utf8")
        .replace(/^.*\) /s, "")
        .split(" ");
      if (Number(fields[2]) === group) pages += Number(fields[21]);
    } catch {
      // It has ended meanwhile.
    }
  }
  return pages * 4096;
}

/** Seconds that a shell command takes, and the most memory that its processes had at once, looked at 20 times a second. */
async function measured(command, env = {}) {
  spawnSync("sync");
  const began = performance.now();
  const child = spawn("sh", ["-c", command], { env: { ...process.env, ...env }, detached: true, stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  child.stderr.on("data", (chunk) => {
    said += chunk;
  });
  let memory = 0;
  const looking = setInterval(() => {
    memory = Math.max(memory, residentBytes(child.pid));
  }, 50);
  const code = await new Promise((resolve) => child.on("close", resolve));
  clearInterval(looking);
  if (code !== 0) throw new Error(`${command}: ${said}`);
  return { seconds: (performance.now() - began) / 1000, memory };
}

function makeMachine(name) {
  const root = join(base, name);
  const library = join(root, "var/lib/spot");
  for (const folder of [join(library, "checkpoint"), join(root, "run/spot"), join(root, "data"), join(root, "made")])
    mkdirSync(folder, { recursive: true });
  writeFileSync(join(library, "agent.sh"), agent);
  writeFileSync(join(library, "settings.env"), "SPOT_SET_INSTANCE=bench\nSPOT_SET_VOLUME_MOUNT=/data\n");
  writeFileSync(join(root, "run/spot/agent-pid"), `${process.pid}\n`);
  return root;
}

const installed = (program) => spawnSync("sh", ["-c", `command -v ${program}`]).status === 0;

/** Each way: what makes the first copy, and the second one after a change; `again` null where it is the first one once more. */
function waysOf(root) {
  const source = join(root, "var/lib/spot/checkpoint");
  const made = join(root, "made");
  const seal = { command: `sh '${root}/var/lib/spot/agent.sh' snapshot manual`, env: { SPOT_ROOT: root } };
  const ways = [
    { name: "seal", first: seal, again: seal, makes: [join(root, "data/spot"), join(root, "var/lib/spot/sealed.last")] },
    {
      name: "cp -r + sha256sum",
      first: {
        command: `cp -r '${source}' '${made}/cp' && find '${made}/cp' -type f -print0 | xargs -0 sha256sum >'${made}/sums' && sync -f '${made}'`,
      },
      again: null,
      makes: [`${made}/cp`],
    },
  ];
  if (installed("rsync"))
    ways.push({
      name: "rsync -a (again: --link-dest)",
      first: { command: `rsync -a '${source}/' '${made}/rsync-1/' && sync -f '${made}'` },
      again: { command: `rsync -a --link-dest='${made}/rsync-1' '${source}/' '${made}/rsync-2/' && sync -f '${made}'` },
      makes: [`${made}/rsync-1`, `${made}/rsync-2`],
    });
  if (installed("restic")) {
    writeFileSync(join(root, "password"), "only for this measurement\n");
    const restic = `restic -q --no-cache -r '${made}/restic' --password-file '${root}/password'`;
    spawnSync("sh", ["-c", `${restic} init`]);
    const backup = { command: `${restic} backup '${source}' && sync -f '${made}'` };
    ways.push({ name: "restic backup", first: backup, again: backup, makes: [`${made}/restic`], prepare: `${restic} init` });
  }
  return ways;
}

const best = (a, b) => (a === undefined || b.seconds < a.seconds ? b : a);

/** What a way made is taken away before the next one, for the disk's sake; many small files only at the end: an ext4 without a
 * journal looks at every lately deleted inode before it takes a new one. */
async function measureWay(way, root, content, keep) {
  const source = join(root, "var/lib/spot/checkpoint");
  const result = {};
  for (let round = 0; round < rounds; round++) {
    if (round > 0) for (const path of way.makes) rmSync(path, { recursive: true, force: true });
    if (round > 0 && way.prepare !== undefined) spawnSync("sh", ["-c", way.prepare]);
    spawnSync("sh", ["-c", `find '${source}' -type f -exec cat {} + >/dev/null`]);
    result.first = best(result.first, await measured(way.first.command, way.first.env));
    if (way.again === null) continue;
    content.change(source);
    result.again = best(result.again, await measured(way.again.command, way.again.env));
  }
  if (!keep) for (const path of way.makes) rmSync(path, { recursive: true, force: true });
  return { ...result, again: result.again ?? result.first };
}

function line(name, { seconds, memory }, seal, bytes) {
  const ratio = name === "seal" ? "" : `  seal takes ${(seal.seconds / seconds).toFixed(2)} of it`;
  return `    ${name.padEnd(30)} ${seconds.toFixed(2).padStart(8)} s ${(bytes / MB / seconds).toFixed(0).padStart(6)} MB/s ${(memory / MB).toFixed(0).padStart(6)} MB${ratio}\n`;
}

const cases = [
  ["big", bigFiles, false],
  ["small", smallFiles, true],
].filter(([name]) => values.only === undefined || values.only === name);
try {
  process.stdout.write(`${cpus().length} processors, best of ${rounds}, scale ${scale}; seconds, bytes of all files by time, memory\n`);
  for (const [name, content, keep] of cases) {
    const root = makeMachine(name);
    content.write(join(root, "var/lib/spot/checkpoint"));
    const results = [];
    for (const way of waysOf(root)) results.push([way.name, await measureWay(way, root, content, keep)]);
    const [, seal] = results[0];
    process.stdout.write(`${content.title}\n  all of it\n`);
    for (const [way, { first }] of results) process.stdout.write(line(way, first, seal.first, content.bytes));
    process.stdout.write(`  again, after ${content.changed} changed\n`);
    for (const [way, { again }] of results) process.stdout.write(line(way, again, seal.again, content.bytes));
    if (existsSync(root)) rmSync(root, { recursive: true, force: true });
  }
} finally {
  rmSync(base, { recursive: true, force: true });
}
