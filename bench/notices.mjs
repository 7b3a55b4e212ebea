// A thousand notices of two minutes within one minute: how long until each agent begins with its checkpoint, how many are
// sealed before their deadline, memory at its peak and seconds of the processor; then the same with a tenth of the calls to
// the provider and into the machines failing. The cloud and its agents are paper, with the delays of real ones (a list 0.3 s,
// a launch 1 to 3 s, a word to an agent 0.4 to 1 s, a checkpoint 5 to 30 s), in the same process: their share is in the
// figures. Database and clock are real. Takes as long as the notices do.
//   node bench/notices.mjs [--machines 1000] [--spread 60] [--notice 120] [--failing 0,0.1] [--seed 1] [--json] [--check]
import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { build } from "esbuild";

const root = fileURLToPath(new URL("..", import.meta.url));
const { values } = parseArgs({
  options: {
    machines: { type: "string", default: "1000" },
    spread: { type: "string", default: "60" },
    notice: { type: "string", default: "120" },
    failing: { type: "string", default: "0,0.1" },
    seed: { type: "string", default: "1" },
    json: { type: "boolean", default: false },
    check: { type: "boolean", default: false },
  },
});
/** Of two minutes of notice: the hook begins within so long in 99 of 100, and so many are sealed. */
const LIMITS = { p99Seconds: 60, sealed: 0.99 };

mkdirSync(join(root, "dist"), { recursive: true });
// Below dist/, so that the packages it leaves out are found from there.
const file = join(root, "dist", `bench-notices-${process.pid}.mjs`);
await build({
  absWorkingDir: root,
  entryPoints: ["bench/notices-run.ts"],
  outfile: file,
  bundle: true,
  format: "esm",
  platform: "node",
  target: "node20.19",
  packages: "external",
});

async function played(failing) {
  const home = mkdtempSync(join(tmpdir(), "spot-bench-"));
  const child = fork(file, [], { stdio: ["ignore", "inherit", "inherit", "ipc"] });
  try {
    child.send({
      home,
      machines: Number(values.machines),
      spreadMs: 1000 * Number(values.spread),
      noticeMs: 1000 * Number(values.notice),
      failing,
      seed: Number(values.seed),
    });
    const [outcome] = await Promise.race([
      once(child, "message"),
      once(child, "exit").then(([code]) => {
        throw new Error(`ended with ${code}`);
      }),
    ]);
    return outcome;
  } finally {
    child.kill();
    rmSync(home, { recursive: true, force: true, maxRetries: 5 });
  }
}

try {
  for (const failing of values.failing.split(",").map(Number)) {
    const { hookMs, ...outcome } = await played(failing);
    // Who was never told counts as the slowest.
    const seconds = (part) =>
      (hookMs[Math.min(outcome.notices - 1, Math.floor(part * outcome.notices))] ?? Number.POSITIVE_INFINITY) / 1000;
    const row = { failing, ...outcome, told: hookMs.length, p50Seconds: seconds(0.5), p99Seconds: seconds(0.99), mostSeconds: seconds(1) };
    if (values.json) console.log(JSON.stringify(row));
    else
      console.log(
        [
          `${outcome.notices} notices of ${values.notice} s within ${values.spread} s, ${100 * failing} % of the calls failing`,
          `  notice to hook: p50 ${row.p50Seconds.toFixed(1)} s, p99 ${row.p99Seconds.toFixed(1)} s, the last ${row.mostSeconds.toFixed(1)} s; told ${row.told}`,
          `  sealed before the deadline: ${outcome.sealed}; 20 s after the last deadline replaced ${outcome.replaced}, asleep ${outcome.asleep}; replaced after 60 s ${outcome.replacedLater}`,
          `  at once: at most ${outcome.mostInside} connections into machines, ${outcome.mostCalls} calls to the provider (${outcome.calls} in all)`,
          `  ${outcome.cpuSeconds.toFixed(1)} s of the processor, ${outcome.peakMb.toFixed(0)} MB at the peak, longest stall ${outcome.longestStallMs.toFixed(0)} ms`,
        ].join("\n"),
      );
    if (values.check && (row.p99Seconds > LIMITS.p99Seconds || outcome.sealed < LIMITS.sealed * outcome.notices)) process.exitCode = 1;
  }
} finally {
  rmSync(file, { force: true });
}
