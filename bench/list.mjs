// What one pass over an account costs, with 100, 1,000 and 10,000 machines in it: requests, seconds (all of it, and those of
// the processor), and memory at its peak. A few machines are ours, the others strangers'; and once 1,000 are ours. The cloud
// is a fake in another process. Time is the best of ROUNDS; every figure also as a ratio to the smallest account.
//   node bench/list.mjs [--check]
import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import { measured } from "./measured.mjs";

const ROUNDS = 2;
const CASES = [
  { machines: 100, ours: 3 },
  { machines: 1_000, ours: 3 },
  { machines: 10_000, ours: 3 },
  { machines: 10_000, ours: 1_000 },
];
/** Of the largest account of strangers to the smallest: a hundred times as many machines may cost at most so many times as much. */
const LIMITS = { requests: 80, cpu: 30, memory: 4 };

const { cloudFile, folder, run, clear } = await measured("list-cloud");

/** A watch never ends by itself: it is ended when its first pass is long over, and before its second listing is due. */
const COMMANDS = [
  { line: "reconcile", ends: 0 },
  { line: "ls --refresh --json", ends: 0 },
  { line: "watch --json --timeout 8s", ends: 124 },
];

async function measure({ machines, ours }) {
  const home = mkdtempSync(join(folder, "home-"));
  const cloud = fork(cloudFile, [machines, ours, home].map(String));
  try {
    const [{ env }] = await once(cloud, "message");
    const rows = {};
    for (const { line: command, ends } of COMMANDS) {
      const best = { seconds: Number.POSITIVE_INFINITY, cpu: Number.POSITIVE_INFINITY, memory: 0, requests: 0 };
      for (let round = 0; round < ROUNDS; round++) {
        cloud.send("asked");
        await once(cloud, "message");
        const used = await run(command.split(" "), { ...env, SPOT_HOME: home }, ends);
        cloud.send("asked");
        const [{ requests, seconds }] = await once(cloud, "message");
        // Of a watch only the time between its first request and its last is its pass.
        best.seconds = Math.min(best.seconds, ends === 0 ? used.seconds : seconds);
        best.cpu = Math.min(best.cpu, used.cpu);
        best.memory = Math.max(best.memory, used.memory);
        best.requests = requests;
      }
      rows[command] = best;
    }
    return rows;
  } finally {
    cloud.kill();
  }
}

try {
  let failed = false;
  const first = {};
  for (const account of CASES) {
    for (const [command, used] of Object.entries(await measure(account))) {
      first[command] ??= used;
      const ratio = (key) => used[key] / first[command][key];
      const figures = ["requests", "seconds", "cpu", "memory"].map(
        (key) =>
          `${key} ${used[key].toFixed(key === "requests" || key === "memory" ? 0 : 2)}${key === "memory" ? " MB" : ""} (${ratio(key).toFixed(1)}×)`,
      );
      console.log(`${`${account.machines} machines, ${account.ours} ours`.padEnd(28)} spot ${command.padEnd(20)} ${figures.join("  ")}`);
      if (account.ours === CASES[0].ours && Object.entries(LIMITS).some(([key, limit]) => ratio(key) > limit)) failed = true;
    }
  }
  if (failed && process.argv.includes("--check")) {
    console.error(`above the limits: ${JSON.stringify(LIMITS)}`);
    process.exitCode = 1;
  }
} finally {
  clear();
}
