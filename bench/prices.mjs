// What a sync of catalogues with 200,000 and 2,000,000 rows costs: seconds, memory at its peak, and the size of the database;
// for the first version, one that did not change, and one in which one price in twenty did. Then what the ranked offers of one
// GPU cost on each, and with the bundled table alone, as a ratio to the `node -e 0` that ran right before: with the database out of the computer's cache, and in
// it. The catalogues are served by another process, from files.
//   node bench/prices.mjs [ROWS…]
import { execFileSync, fork, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { measured } from "./measured.mjs";

const CASES = process.argv.length > 2 ? process.argv.slice(2).map(Number) : [200_000, 2_000_000];
const RUNS = 7;
const OFFERS = ["offers", "--gpu", "H100", "--limit", "20", "--json"];

const { cloudFile, folder, run, clear } = await measured("prices-catalog");
const program = fileURLToPath(new URL("../bin/spot", import.meta.url));
const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];

function bare() {
  const began = performance.now();
  spawnSync(process.execPath, ["-e", "0"]);
  return (performance.now() - began) / 1000;
}

/** The database and what lies beside it, in bytes. */
function sizeOf(home) {
  return ["prices.db", "prices.db-wal"].reduce((sum, name) => sum + (statSync(join(home, name), { throwIfNoEntry: false })?.size ?? 0), 0);
}

/** Takes the database out of the page cache: dd says so to the kernel for the one file. */
function forget(home) {
  execFileSync("dd", [`if=${join(home, "prices.db")}`, "iflag=nocache", "count=0", "status=none"]);
}

/** What the ranked offers of one GPU cost, after what is done `before` each run. */
async function offers(name, env, ways) {
  for (const [what, before] of ways) {
    const seconds = [];
    const ratios = [];
    for (let round = 0; round < RUNS; round++) {
      const own = bare();
      before();
      const used = await run(OFFERS, env, 0);
      seconds.push(used.seconds);
      ratios.push(used.seconds / own);
    }
    console.log(`${name}  spot ${OFFERS.join(" ")}  ${what}: ${median(seconds).toFixed(2)} s, ${median(ratios).toFixed(1)}× node -e 0`);
  }
}

/** A home that never saw a sync: the table that comes with spot, and the embedded cloud. */
async function bundled() {
  const home = mkdtempSync(join(folder, "home-"));
  const env = { SPOT_HOME: home, HOME: home };
  try {
    await run(OFFERS, env, 0);
    await offers("bundled", env, [["warm", () => undefined]]);
  } finally {
    await run(["local", "stop", "--force"], env, 0).catch(() => undefined);
    rmSync(home, { recursive: true, force: true });
  }
}

async function measure(rows) {
  const home = mkdtempSync(join(folder, "home-"));
  const files = join(folder, `files-${rows}`);
  mkdirSync(files);
  const mirror = fork(cloudFile, [String(rows), files]);
  // Credentials that lie at home are not used; those of the environment would be.
  const env = { SPOT_HOME: home, HOME: home };
  try {
    const [{ url }] = await once(mirror, "message");
    const sync = async (what) => {
      const used = await run(["price", "sync", "--quiet"], { ...env, SPOT_CATALOG_URL: url }, 0);
      const size = (sizeOf(home) / 2 ** 20).toFixed(0);
      const figures = `${used.seconds.toFixed(1)} s, ${used.cpu.toFixed(1)} s of the processor, ${used.memory.toFixed(0)} MB, database ${size} MB`;
      console.log(`${rows} rows  ${what.padEnd(28)} ${figures}`);
    };
    await sync("price sync, first version");
    await sync("price sync, unchanged");
    mirror.send("next");
    await once(mirror, "message");
    await sync("price sync, 1 in 20 changed");
    // The embedded cloud is up before anything is measured, and what is measured is the catalogue.
    const { stdout } = spawnSync(process.execPath, [program, ...OFFERS], { env: { ...process.env, ...env }, encoding: "utf8" });
    const listed = JSON.parse(stdout).data.filter(({ source }) => source === "catalog").length;
    console.log(`${rows} rows  spot ${OFFERS.join(" ")}  ${listed} of 20 rows are the catalogue's`);
    if (listed === 0) throw new Error("no row of the catalogue is on offer");
    await offers(`${rows} rows`, env, [
      ["cold", () => forget(home)],
      ["warm", () => undefined],
    ]);
  } finally {
    mirror.kill();
    await run(["local", "stop", "--force"], env, 0).catch(() => undefined);
    for (const path of [home, files]) rmSync(path, { recursive: true, force: true });
  }
}

try {
  await bundled();
  for (const rows of CASES) await measure(rows);
} finally {
  clear();
}
