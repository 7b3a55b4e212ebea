// Measures, on the embedded cloud, how long a notice takes to reach the checkpoint hook, and what `up` adds to the
// cloud's own provisioning time. Prints minimum, median and maximum over ROUNDS fresh machines; --check holds them to
// the limits that the project promises.
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const ROUNDS = 8;
const LIMITS_MS = { "notice to hook": 1000, "up over provisioning": 1500 };
const program = fileURLToPath(new URL("../bin/spot", import.meta.url));
const home = mkdtempSync(join(tmpdir(), "spot-bench-"));
// On the embedded cloud, whatever credentials this machine has.
const env = { ...process.env, SPOT_HOME: home, SPOT_PROVIDER: "local" };
const spot = (...args) =>
  execFileSync(process.execPath, [program, ...args], { env, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
const data = (...args) => JSON.parse(spot(...args, "--json")).data;
/** The cloud's operator side, without a command's own start-up in the figure. */
const control = (path, body) =>
  new Promise((resolve, reject) => {
    const sent = request({ socketPath: join(home, "local", "cloud.sock"), path, method: "POST" }, (response) => {
      response.resume();
      response.on("end", () => (response.statusCode < 300 ? resolve() : reject(new Error(`${path} answered ${response.statusCode}`))));
    });
    sent.on("error", reject);
    sent.end(JSON.stringify(body));
  });
const sleep = (ms) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);

try {
  spot("local", "start");
  const provisioningMs = data("local", "status").simulated.provisioningMs;
  const results = { "notice to hook": [], "up over provisioning": [] };
  for (let round = 0; round < ROUNDS; round++) {
    const mark = join(home, `hook-${round}`);
    const before = performance.now();
    spot("up", "--name", "bench", "--yes", "--checkpoint-hook", `date +%s%N >${mark}`, "--", "sleep", "600");
    results["up over provisioning"].push(performance.now() - before - provisioningMs);
    const given = Date.now();
    await control("/v1/control/reclaim", { instance: "bench", noticeSeconds: 60 });
    // The shell makes the file before it writes into it.
    for (let waited = 0; !(existsSync(mark) && statSync(mark).size > 0) && waited < 10_000; waited += 10) sleep(10);
    results["notice to hook"].push(Number(readFileSync(mark, "utf8")) / 1e6 - given);
    spot("down", "bench", "--no-snapshot", "--volumes", "--yes");
  }
  let failed = false;
  for (const [what, values] of Object.entries(results)) {
    const sorted = values.toSorted((a, b) => a - b);
    const [least, middle, most] = [sorted[0], sorted[ROUNDS / 2], sorted.at(-1)].map((value) => Math.round(value));
    console.log(`${what}: ${least} / ${middle} / ${most} ms (minimum / median / maximum of ${ROUNDS}); limit ${LIMITS_MS[what]} ms`);
    if (process.argv.includes("--check") && middle > LIMITS_MS[what]) failed = true;
  }
  process.exitCode = failed ? 1 : 0;
} finally {
  try {
    spot("local", "stop", "--force");
  } catch {
    // It may never have started.
  }
  rmSync(home, { recursive: true, force: true, maxRetries: 5 });
}
