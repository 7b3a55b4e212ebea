// How long spot takes to start, as ratios to the `node -e 0` that ran right before: the median of them counts, because what
// else goes on in the machine slows both alike.
// `--check` fails when a ratio is above its budget.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";

const RUNS = 15;
const WARM_UPS = 2;
const INSTANCES = 1000;
/** On a noisy machine more rounds come nearer to the truth; a program that is too slow stays too slow. */
const ATTEMPTS = 4;

const root = fileURLToPath(new URL("..", import.meta.url));
const spot = join(root, "bin", "spot");
const home = mkdtempSync(join(tmpdir(), "spot-bench-"));

const commands = {
  "node -e 0": { argv: ["-e", "0"], budget: null },
  "spot --version": { argv: [spot, "--version"], budget: 1.5 },
  "spot --help": { argv: [spot, "--help"], budget: 1.5 },
  [`spot ls --json (${INSTANCES} instances)`]: { argv: [spot, "ls", "--json"], budget: 2.0 },
};

async function seedHome() {
  const { outputFiles } = await build({
    absWorkingDir: root,
    entryPoints: ["bench/seed.ts"],
    bundle: true,
    write: false,
    format: "esm",
    platform: "node",
    target: "node20.19",
    external: ["libsql"],
    banner: { js: 'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);' },
  });
  // Below dist/, so that the package libsql is found from there.
  const file = join(root, "dist", `bench-seed-${process.pid}.mjs`);
  writeFileSync(file, outputFiles[0].contents);
  try {
    const { seed } = await import(pathToFileURL(file).href);
    await seed(join(home, "state.db"), INSTANCES);
  } finally {
    rmSync(file, { force: true });
  }
}

function once(argv) {
  const start = process.hrtime.bigint();
  const { status, stderr } = spawnSync(process.execPath, argv, {
    // On the embedded cloud, whatever credentials this machine has.
    env: { ...process.env, SPOT_HOME: home, SPOT_PROVIDER: "local", NO_COLOR: "1" },
    stdio: ["ignore", "ignore", "pipe"],
  });
  const ms = Number(process.hrtime.bigint() - start) / 1e6;
  if (status !== 0) throw new Error(`${argv.join(" ")} exited ${status}: ${stderr}`);
  return ms;
}

/** Milliseconds of each command, one for each round so far. */
const times = Object.fromEntries(Object.keys(commands).map((name) => [name, []]));

const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];

function measure() {
  for (let run = 0; run < RUNS + WARM_UPS; run++)
    for (const [name, { argv }] of Object.entries(commands)) {
      const ms = once(argv);
      if (run >= WARM_UPS) times[name].push(ms);
    }
  const bare = times["node -e 0"];
  return Object.entries(commands).map(([name, { budget }]) => {
    const ratio = median(times[name].map((ms, round) => ms / bare[round]));
    return { name, ms: median(times[name]), ratio, budget };
  });
}

function report(rows) {
  for (const { name, ms, ratio, budget } of rows)
    console.log(
      `${name.padEnd(34)} ${ms.toFixed(1).padStart(7)} ms  ${ratio.toFixed(2)}×${budget === null ? "" : `  (budget ${budget.toFixed(1)})`}`,
    );
}

try {
  await seedHome();
  const check = process.argv.includes("--check");
  for (let attempt = 1; ; attempt++) {
    const rows = measure();
    report(rows);
    const slow = rows.filter(({ ratio, budget }) => budget !== null && ratio > budget);
    if (!check || slow.length === 0) break;
    if (attempt === ATTEMPTS) {
      console.error(`too slow: ${slow.map(({ name }) => name).join(", ")}`);
      process.exitCode = 1;
      break;
    }
    console.log("above the budget; measuring again");
  }
} finally {
  rmSync(home, { recursive: true, force: true });
}
