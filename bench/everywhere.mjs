// One pass over every cloud at once, with thousands of machines of ours: requests by cloud, seconds, those of the processor,
// and memory at its peak. The clouds are imitations in another process.
//   node bench/everywhere.mjs [machines]
import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import { measured } from "./measured.mjs";

const machines = Number(process.argv[2] ?? "5000");
/** A watch never ends by itself: it is ended before any cloud is listed for a second time. */
const COMMANDS = [
  { line: "ls --refresh --json", ends: 0 },
  { line: "watch --json --timeout 9s", ends: 124 },
  { line: "reconcile", ends: 0 },
];

const { cloudFile, folder, run, clear } = await measured("everywhere-clouds");
const home = mkdtempSync(join(folder, "home-"));
const clouds = fork(cloudFile, [String(machines), home]);
try {
  let env;
  while (env === undefined) {
    const [message] = await once(clouds, "message");
    env = message.env;
    if (message.populated !== undefined)
      console.log(`${message.populated}: ${message.machines} machines rented in ${message.seconds.toFixed(1)} s`);
  }
  for (const { line, ends } of COMMANDS) {
    const used = await run(line.split(" "), { ...env, SPOT_HOME: home }, ends);
    clouds.send("asked");
    const [{ requests }] = await once(clouds, "message");
    const sum = Object.values(requests).reduce((a, b) => a + b, 0);
    const each = Object.entries(requests)
      .map(([name, count]) => `${name} ${count}`)
      .join(", ");
    console.log(
      `spot ${line.padEnd(26)} ${machines} machines: ${sum} requests (${each})  ${used.seconds.toFixed(2)} s  cpu ${used.cpu.toFixed(2)} s  ${used.memory.toFixed(0)} MB`,
    );
  }
} finally {
  clouds.kill();
  clear();
}
