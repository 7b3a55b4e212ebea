// How long a wake takes, by rung of the ladder, on the embedded cloud (the real program, real time) and on each imitated cloud
// (its own times of provisioning and of snapshots, by a virtual clock). p50 and the longest of n.
//   node bench/wakes.mjs [n]
import { spawn, spawnSync } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { measured } from "./measured.mjs";

const times = Number(process.argv[2] ?? "5");
const { cloudFile, folder, clear } = await measured("wakes-run");
const program = join(import.meta.dirname, "..", "bin", "spot");

function spot(...args) {
  const env = { ...process.env, SPOT_HOME: join(folder, "home"), NO_COLOR: "1" };
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...args], { env, encoding: "utf8" });
  return { status, stdout, stderr };
}

function must(...args) {
  const outcome = spot(...args);
  if (outcome.status !== 0) throw new Error(`spot ${args.join(" ")}: ${outcome.stderr}`);
  return outcome.stdout;
}

const middle = (values) => values.toSorted((a, b) => a - b)[Math.ceil(values.length / 2) - 1];

function row(cloud, rung, seconds, why) {
  const figures =
    seconds.length === 0
      ? `- (${why})`
      : `p50 ${middle(seconds).toFixed(1)} s, longest ${Math.max(...seconds).toFixed(1)} s, n ${seconds.length}${why === null ? "" : `; then: ${why}`}`;
  process.stdout.write(`${cloud.padEnd(12)}${rung.padEnd(14)}${figures}\n`);
}

function local() {
  must("local", "market", "--provisioning", "1s", "--hibernate", "200ms", "--restore", "200ms");
  const count =
    'while :; do date +%s >"$SPOT_CHECKPOINT_DIR/.now"; mv "$SPOT_CHECKPOINT_DIR/.now" "$SPOT_CHECKPOINT_DIR/now"; sleep 0.2; done';
  must("up", "--name", "w", "--gpu", "A10G", "--volume", "work:1:/data", "--yes", "--", "sh", "-c", count);
  const timed = (...args) => {
    const start = performance.now();
    must(...args);
    return (performance.now() - start) / 1000;
  };
  const same = [];
  for (let time = 0; time < times; time++) {
    must("hibernate", "w");
    same.push(timed("restore", "w"));
  }
  row("local", "same-machine", same, null);
  const copied = [];
  must("local", "market", "--stock", "a10g.1=1");
  for (let time = 0; time < times; time++) {
    must("hibernate", "w");
    const [{ region }] = JSON.parse(must("ls", "--json")).data.filter(({ name }) => name === "w");
    const zones = region === "local-east" ? ["local-east-a", "local-east-b"] : ["local-west-a"];
    for (const zone of zones)
      must("up", "--name", zone, "--gpu", "A10G", "--region", zone, "--volume", "none", "--yes", "--", "sleep", "1000");
    copied.push(timed("restore", "w", "--yes"));
    for (const zone of zones) must("down", zone, "--yes", "--no-snapshot");
  }
  row("local", "copy", copied, null);
}

try {
  process.stdout.write("Seconds until it serves; on local the whole command, elsewhere by the imitated cloud's clock.\n");
  local();
  const child = spawn(process.execPath, [cloudFile, String(times)], { stdio: ["ignore", "pipe", "inherit"] });
  for await (const line of createInterface({ input: child.stdout })) {
    const { cloud, rung, seconds, why } = JSON.parse(line);
    row(cloud, rung, seconds, why);
  }
} finally {
  spot("local", "stop", "--force");
  clear();
}
