// Sealing a checkpoint against `cp -r` plus `sha256sum`, in one run on one disk.
//   node bench/seal.mjs [folder] [--rounds n] [--scale s]
// The folder (default: the system's temporary one) must be on the disk to be measured and have 7 GB free.
import { spawnSync } from "node:child_process";
import { randomFillSync } from "node:crypto";
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: "string", default: "3" }, scale: { type: "string", default: "1" } },
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

function writeBigFiles(folder) {
  const chunk = Buffer.allocUnsafe(4 * 1024 * 1024);
  for (let file = 0; file < 20; file++) {
    const handle = openSync(join(folder, `shard-${file}.bin`), "w");
    for (let at = 0; at < Math.round(25 * scale); at++) writeSync(handle, randomFillSync(chunk));
    closeSync(handle);
  }
}

function writeSmallFiles(folder) {
  const content = Buffer.allocUnsafe(4096);
  for (let file = 0; file < Math.round(20_000 * scale); file++) {
    const place = join(folder, `part-${file % 100}`);
    if (file < 100) mkdirSync(place);
    writeFileSync(join(place, `${file}.bin`), randomFillSync(content));
  }
}

/** Seconds that a shell command takes; the disk is quiet before it begins. */
function timed(command, env = {}) {
  spawnSync("sync");
  const began = performance.now();
  const { status, stderr } = spawnSync("sh", ["-c", command], { env: { ...process.env, ...env }, encoding: "utf8" });
  const seconds = (performance.now() - began) / 1000;
  if (status !== 0) throw new Error(`${command}: ${stderr}`);
  return seconds;
}

function makeMachine(name, write) {
  const root = join(base, name);
  const library = join(root, "var/lib/spot");
  for (const folder of [join(library, "checkpoint"), join(root, "run/spot"), join(root, "data"), join(root, "copies")])
    mkdirSync(folder, { recursive: true });
  writeFileSync(join(library, "agent.sh"), agent);
  writeFileSync(join(library, "settings.env"), "SPOT_SET_INSTANCE=bench\nSPOT_SET_VOLUME_MOUNT=/data\n");
  writeFileSync(join(root, "run/spot/agent-pid"), `${process.pid}\n`);
  write(join(library, "checkpoint"));
  return root;
}

/**
 * The best of each way over some rounds. Copies of many files are kept until the end: an ext4 without a journal looks at
 * every lately deleted inode before it takes a new one, so that deleting between two runs would slow the next one down.
 */
function measure(root, keep) {
  const source = join(root, "var/lib/spot/checkpoint");
  const best = { copied: Number.POSITIVE_INFINITY, synced: Number.POSITIVE_INFINITY, sealed: Number.POSITIVE_INFINITY };
  const run = (what, command, made, env) => {
    best[what] = Math.min(best[what], timed(command, env));
    if (!keep) rmSync(made, { recursive: true, force: true });
  };
  timed(`find '${source}' -type f -exec cat {} + >/dev/null`);
  for (let round = 0; round < rounds; round++) {
    const [copy, synced] = [join(root, `copies/a${round}`), join(root, `copies/b${round}`)];
    const copyAndHash = (to) => `cp -r '${source}' '${to}' && find '${to}' -type f -print0 | xargs -0 sha256sum >'${to}.sums'`;
    run("copied", copyAndHash(copy), copy);
    run("synced", `${copyAndHash(synced)} && sync -f '${synced}'`, synced);
    rmSync(join(root, "var/lib/spot/sealed.last"), { force: true });
    run("sealed", `sh '${join(root, "var/lib/spot/agent.sh")}' snapshot manual`, join(root, "data/spot"), { SPOT_ROOT: root });
  }
  return best;
}

const cases = [
  ["2 GB in 20 files", "big", false, writeBigFiles, 20 * 25 * 4 * 1024 * 1024 * scale],
  ["20,000 files of 4 kB", "small", true, writeSmallFiles, 20_000 * 4096 * scale],
];
try {
  process.stdout.write(`${cpus().length} processors, best of ${rounds} rounds, scale ${scale}\n`);
  for (const [title, name, keep, write, bytes] of cases) {
    const { copied, synced, sealed } = measure(makeMachine(name, write), keep);
    process.stdout.write(
      `${title}\n  cp -r + sha256sum         ${copied.toFixed(2)} s\n  cp -r + sha256sum + sync  ${synced.toFixed(2)} s\n` +
        `  seal                      ${sealed.toFixed(2)} s  ${(bytes / 1e6 / sealed).toFixed(0)} MB/s\n` +
        `  ratio to cp + sha256sum ${(sealed / copied).toFixed(2)}, with sync ${(sealed / synced).toFixed(2)}\n`,
    );
  }
} finally {
  rmSync(base, { recursive: true, force: true });
}
