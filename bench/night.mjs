// A night (12 h) of real traces of spot capacity: what the fleet's own loop makes of it. For each policy and each length of
// notice: reclaims, work lost, time without a machine, useful hours, cost, and the same work on demand.
//   node bench/night.mjs [--data DIR] [--set S,S] [--windows 8] [--seed 1] [--notice 0,30,120,300,3600] [--policy NAME,…]
//                        [--seal 60] [--restore 90] [--boot 60] [--provision 60] [--every SECONDS] [--pass 15] [--hours 12] [--json]
// The data (spot-traces, Wu et al., NSDI 2024) is not part of this project; without it this says so and ends.
import { fork } from "node:child_process";
import { once } from "node:events";
import { rmSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { build } from "esbuild";

const root = fileURLToPath(new URL("..", import.meta.url));
const { values } = parseArgs({
  options: {
    data: { type: "string", default: join(root, "..", "shared", "data", "spot-traces") },
    set: { type: "string", default: "preemption/1-node/aws-04-22-2023,availability/1-node/aws-02-15-2023" },
    windows: { type: "string", default: "8" },
    seed: { type: "string", default: "1" },
    notice: { type: "string", default: "0,30,120,300,3600" },
    policy: { type: "string" },
    seal: { type: "string", default: "60" },
    restore: { type: "string", default: "90" },
    boot: { type: "string", default: "60" },
    provision: { type: "string", default: "60" },
    every: { type: "string" },
    pass: { type: "string", default: "15" },
    hours: { type: "string", default: "12" },
    json: { type: "boolean", default: false },
  },
});
const HOUR = 3_600_000;
const ms = (name) => Number(values[name]) * 1000;
const numbers = (name) => values[name].split(",").map(Number);

/** What a person may say with --on-reclaim, --region and --fallback-after, and a cron line with `spot restore`. */
const POLICIES = [
  { name: "let-go", onReclaim: "let-go", within: "zone", fallbackAfterMs: null, wakeEveryMs: null },
  { name: "hibernate", onReclaim: "hibernate", within: "zone", fallbackAfterMs: null, wakeEveryMs: null },
  { name: "hibernate-woken", onReclaim: "hibernate", within: "zone", fallbackAfterMs: null, wakeEveryMs: 600_000 },
  { name: "replace-zone", onReclaim: "replace", within: "zone", fallbackAfterMs: null, wakeEveryMs: null },
  { name: "replace", onReclaim: "replace", within: "region", fallbackAfterMs: null, wakeEveryMs: null },
  { name: "replace-fallback", onReclaim: "replace", within: "region", fallbackAfterMs: 900_000, wakeEveryMs: null },
];
const SAID = {
  "let-go": "the first reclaim is the end",
  hibernate: "sleeps after the first reclaim until somebody wakes it",
  "hibernate-woken": "the same, and spot restore is tried every 10 minutes",
  "replace-zone": "another machine in the same zone, as soon as there is one",
  replace: "another machine anywhere in the region of its volume",
  "replace-fallback": "the same; on demand after 15 minutes in vain, and back to spot",
};

const bundles = [];
async function bundled(entry) {
  // Below dist/, so that the packages it leaves out are found from there.
  const file = join(root, "dist", `bench-${entry}-${process.pid}.mjs`);
  bundles.push(file);
  await build({
    absWorkingDir: root,
    entryPoints: [`bench/${entry}.ts`],
    outfile: file,
    bundle: true,
    format: "esm",
    platform: "node",
    target: "node20.19",
    packages: "external",
  });
  return file;
}

/** A generator of numbers in [0, 1) from a seed: mulberry32. */
function seeded(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

async function played(file, task) {
  const child = fork(file, [], { stdio: ["ignore", "inherit", "inherit", "ipc"] });
  child.send(task);
  const [nights] = await Promise.race([
    once(child, "message"),
    once(child, "exit").then(([code]) => {
      throw new Error(`${task.set}, ${task.policy.name}, ${task.noticeMs / 1000} s: ended with ${code}`);
    }),
  ]);
  return nights;
}

const sum = (nights, key) => nights.reduce((total, night) => total + night[key], 0);

/** All nights of one policy and one notice as one line. */
function rowOf({ policy, noticeMs }, nights) {
  const useful = sum(nights, "usefulMs") / HOUR;
  const cost = sum(nights, "cost");
  const reclaims = sum(nights, "reclaims");
  return {
    noticeSeconds: noticeMs / 1000,
    policy: policy.name,
    reclaims,
    lostSeconds: Math.round(sum(nights, "lostMs") / 1000),
    lostSecondsEach: reclaims === 0 ? null : Math.round(sum(nights, "lostMs") / 1000 / reclaims),
    waitingSeconds: Math.round(sum(nights, "waitingMs") / 1000),
    startingSeconds: Math.round(sum(nights, "startingMs") / 1000),
    sealingSeconds: Math.round(sum(nights, "sealingMs") / 1000),
    capacityHours: sum(nights, "capacityMs") / HOUR,
    capacityFalls: sum(nights, "falls"),
    machineHours: (sum(nights, "workingMs") + sum(nights, "sealingMs") + sum(nights, "startingMs")) / HOUR,
    instanceHours: sum(nights, "wallMs") / HOUR,
    usefulHours: useful,
    usefulShare: useful / (sum(nights, "wallMs") / HOUR),
    cost,
    billed: sum(nights, "billed"),
    costOfOnDemandMachines: sum(nights, "costOnDemand"),
    sameWorkOnDemand: useful * 3,
    saved: useful === 0 ? null : 1 - cost / (useful * 3),
    perUsefulHour: useful === 0 ? null : cost / useful,
    seals: sum(nights, "seals"),
    sealsUnderNotice: sum(nights, "sealsUnderNotice"),
    strays: sum(nights, "strays"),
  };
}

function table(rows) {
  const columns = [
    ["NOTICE", (row) => `${row.noticeSeconds} s`],
    ["POLICY", (row) => row.policy],
    ["RECLAIMS", (row) => row.reclaims],
    ["LOST s", (row) => row.lostSeconds],
    ["EACH", (row) => row.lostSecondsEach ?? "-"],
    ["WAITED h", (row) => (row.waitingSeconds / 3600).toFixed(1)],
    ["USEFUL h", (row) => row.usefulHours.toFixed(1)],
    ["OF NIGHT", (row) => `${(100 * row.usefulShare).toFixed(0)} %`],
    ["COST", (row) => `$${row.cost.toFixed(2)}`],
    ["ON DEMAND", (row) => `$${row.sameWorkOnDemand.toFixed(2)}`],
    ["SAVED", (row) => (row.saved === null ? "-" : `${(100 * row.saved).toFixed(0)} %`)],
    ["$/USEFUL h", (row) => row.perUsefulHour?.toFixed(3) ?? "-"],
  ];
  const lines = [columns.map(([header]) => header), ...rows.map((row) => columns.map(([, value]) => String(value(row))))];
  const widths = columns.map((_, index) => Math.max(...lines.map((line) => line[index].length)));
  return lines
    .map((line) => line.map((cell, index) => (index === 1 ? cell.padEnd(widths[index]) : cell.padStart(widths[index]))).join("  "))
    .join("\n");
}

/** What must hold of every night, whatever the policy; what did not. */
function broken(row, policy, nights) {
  const found = [];
  if (policy.within === "zone") {
    // Nobody can be taken back more often, or run for longer, than the trace of its zone says.
    // Whoever is woken in the last hour of a notice is given it once more.
    if (policy.wakeEveryMs === null && row.reclaims > row.capacityFalls)
      found.push(`${row.reclaims} reclaims where capacity fell ${row.capacityFalls} times`);
    if (row.machineHours > row.capacityHours + 0.01 * row.instanceHours)
      found.push(`machines ran ${row.machineHours} h of ${row.capacityHours} h with capacity`);
  }
  if (row.strays > 0) found.push(`${row.strays} machines that no record knew in the morning`);
  if (nights.some(({ usefulMs, waitingMs }) => usefulMs < -1 || waitingMs < -1)) found.push("more time was spent than there was");
  if (Math.abs(row.cost - row.billed) > 0.01 * row.billed + 0.05)
    found.push(`the ledger says $${row.cost.toFixed(2)}, the cloud would bill $${row.billed.toFixed(2)}`);
  return found.map((what) => `${row.policy}, ${row.noticeSeconds} s: ${what}`);
}

async function main() {
  const { hasTraces, lengthMs, meanRunMs, readTraces } = await import(pathToFileURL(await bundled("night-traces")).href);
  if (!hasTraces(values.data)) {
    console.log(`no traces at ${values.data}: spot-traces with its stats.csv is needed (--data DIR); nothing was measured`);
    return;
  }
  const file = await bundled("night-run");
  const chosen = values.policy === undefined ? POLICIES : POLICIES.filter(({ name }) => values.policy.split(",").includes(name));
  const results = [];
  for (const set of values.set.split(",")) {
    const traces = readTraces(values.data, set);
    const nightMs = Number(values.hours) * HOUR;
    const mtbfMs = meanRunMs(traces);
    // Young: the square root of twice the time of a checkpoint and the mean time between losses.
    const everyMs = values.every === undefined ? Math.sqrt(2 * ms("seal") * mtbfMs) : ms("every");
    const chance = seeded(Number(values.seed));
    const starts = Array.from({ length: Number(values.windows) }, () => Math.floor(chance() * Math.max(1, lengthMs(traces) - nightMs)));
    const pace = { bootMs: ms("boot"), restoreMs: ms("restore"), sealMs: ms("seal"), everyMs };
    const tasks = numbers("notice").flatMap((seconds) =>
      chosen.map((policy) => ({
        root: values.data,
        set,
        policy,
        noticeMs: seconds * 1000,
        provisionMs: ms("provision"),
        pace,
        starts,
        lengthMs: nightMs,
        passMs: ms("pass"),
        seed: Number(values.seed),
      })),
    );
    const began = performance.now();
    const rows = new Array(tasks.length);
    const wrong = [];
    let next = 0;
    const worker = async () => {
      while (next < tasks.length) {
        const index = next++;
        const nights = await played(file, tasks[index]);
        rows[index] = rowOf(tasks[index], nights);
        wrong.push(...broken(rows[index], tasks[index].policy, nights));
      }
    };
    await Promise.all(Array.from({ length: Math.min(tasks.length, availableParallelism()) }, worker));
    const about = {
      set,
      instances: traces.reduce((count, { nodes }) => count + nodes, 0),
      availability: Object.fromEntries(
        traces.map(({ zone, counts, nodes }) => [zone, counts.reduce((a, b) => a + b, 0) / counts.length / nodes]),
      ),
      meanHoursToReclaim: mtbfMs / HOUR,
      windows: starts.length,
      hours: nightMs / HOUR,
      seed: Number(values.seed),
      seconds: {
        provision: ms("provision") / 1000,
        boot: pace.bootMs / 1000,
        restore: pace.restoreMs / 1000,
        seal: pace.sealMs / 1000,
        checkpointEvery: Math.round(everyMs / 1000),
        pass: ms("pass") / 1000,
      },
      pricesPerHour: { spot: 0.954, onDemand: 3 },
    };
    results.push({ ...about, rows, wrong });
    if (values.json) continue;
    console.log(
      `\n${set}: ${about.windows} nights of ${about.hours} h (seed ${about.seed}), ${about.instances} instances each, one for each node of a zone; a reclaim every ${about.meanHoursToReclaim.toFixed(1)} h`,
    );
    console.log(
      `  provisioning ${about.seconds.provision} s, boot ${about.seconds.boot} s, restore ${about.seconds.restore} s, seal ${about.seconds.seal} s; a checkpoint every ${about.seconds.checkpointEvery} s${values.every === undefined ? " (Young)" : ""}; a pass every ${about.seconds.pass} s`,
    );
    console.log(`  spot $0.954, on demand $3.00 an hour (the ratio of 0.9731 and 3.06)\n`);
    console.log(table(rows));
    console.log(
      `\n  simulated in ${((performance.now() - began) / 1000).toFixed(0)} s${wrong.length === 0 ? "; nothing stray, every second accounted for, ledger and cloud agree" : ""}`,
    );
    for (const what of wrong) console.log(`  WRONG: ${what}`);
  }
  if (values.json) console.log(JSON.stringify(results, null, 2));
  else for (const { name } of chosen) console.log(`${name === chosen[0].name ? "\n" : ""}  ${name.padEnd(17)} ${SAID[name]}`);
  if (results.some(({ wrong }) => wrong.length > 0)) process.exitCode = 1;
}

try {
  await main();
} finally {
  for (const file of bundles) rmSync(file, { force: true });
}
