// What a watch costs while nothing happens: seconds of the processor and requests in an hour, with 100, 1,000 and 10,000
// machines of ours at one cloud (a fake in another process, pages of a list as the real one has them). Measured over SECONDS
// of a watch that has long begun, by the difference of two runs, and reckoned up to an hour; every figure also as a ratio to
// the smallest fleet.
//   node bench/quiet.mjs [--seconds 60] [--machines 100,1000,10000] [--act] [--json]
import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { measured } from "./measured.mjs";

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "60" },
    machines: { type: "string", default: "100,1000,10000" },
    act: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
  },
});
/** Until the first list is through; both runs have it. */
const START_S = 15;
const seconds = Number(values.seconds);
const { cloudFile, folder, run, clear } = await measured("list-cloud");

async function measure(machines) {
  const home = mkdtempSync(join(folder, "home-"));
  const cloud = fork(cloudFile, [machines, machines, home, "settled"].map(String));
  try {
    const [{ env }] = await once(cloud, "message");
    const watch = async (lasts) => {
      cloud.send("asked");
      await once(cloud, "message");
      const line = ["watch", ...(values.act ? ["--act"] : []), "--json", "--timeout", `${lasts}s`];
      const used = await run(line, { ...env, SPOT_HOME: home }, 124);
      cloud.send("asked");
      const [{ requests }] = await once(cloud, "message");
      return { ...used, requests };
    };
    // What is found at the very first look is written down once.
    await watch(START_S);
    const short = await watch(START_S);
    const long = await watch(START_S + seconds);
    const anHour = 3600 / seconds;
    return { cpu: (long.cpu - short.cpu) * anHour, requests: (long.requests - short.requests) * anHour, memory: long.memory };
  } finally {
    cloud.kill();
  }
}

try {
  let first;
  for (const machines of values.machines.split(",").map(Number)) {
    const used = await measure(machines);
    first ??= used;
    const ratio = (key) => `${(used[key] / first[key]).toFixed(1)}×`;
    if (values.json) console.log(JSON.stringify({ machines, seconds, ...used }));
    else
      console.log(
        `${String(machines).padStart(6)} machines, an hour: ${used.cpu.toFixed(1)} s of the processor (${ratio("cpu")}), ${used.requests.toFixed(0)} requests (${ratio("requests")}); ${used.memory.toFixed(0)} MB at the peak (${ratio("memory")})`,
      );
  }
} finally {
  clear();
}
