// How long a wake takes, by rung of the ladder. On the embedded cloud: the real program, by the wall clock. On each imitated
// cloud: by a virtual clock, and an imitation provisions, boots and copies in moments. So the latter is what spot adds of its own
// (its looks, its order of calls), not what a real cloud takes. p50 and the longest of n.
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

const shown = (name) => JSON.parse(must("show", name, "--json")).data;

function local() {
  must("local", "market", "--provisioning", "1s", "--hibernate", "200ms", "--restore", "200ms");
  const count =
    'while :; do date +%s >"$SPOT_CHECKPOINT_DIR/.now"; mv "$SPOT_CHECKPOINT_DIR/.now" "$SPOT_CHECKPOINT_DIR/now"; sleep 0.2; done';
  const rent = (name, ...where) =>
    must("up", "--name", name, "--gpu", "A10G", ...where, "--volume", `${name}:1:/data`, "--yes", "--", "sh", "-c", count);
  rent("w");
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
  must("local", "market", "--stock", "a10g.1=1");
  // The hardware of some zones is somebody else's meanwhile.
  const beside = (name, zonesOf, rung) => {
    const seconds = [];
    for (let time = 0; time < times; time++) {
      must("hibernate", name);
      const zones = zonesOf(shown(name));
      for (const zone of zones)
        must("up", "--name", zone, "--gpu", "A10G", "--region", zone, "--volume", "none", "--yes", "--", "sleep", "1000");
      seconds.push(timed("restore", name, "--yes"));
      const { wakes } = shown(name);
      if (wakes.last.rung !== rung) throw new Error(`it came back by ${wakes.last.rung}, not by ${rung}`);
      for (const zone of zones) must("down", zone, "--yes", "--no-snapshot");
    }
    row("local", rung, seconds, null);
  };
  // A region of two zones, between which its volume moves with it.
  rent("z", "--region", "local-east");
  beside("z", ({ zone }) => [zone], "same-zone");
  must("down", "z", "--yes", "--no-snapshot");
  row("local", "snapshot", [], "it makes no snapshots");
  beside("w", ({ region }) => (region === "local-east" ? ["local-east-a", "local-east-b"] : ["local-west-a"]), "copy");
  row("local", "on-demand", [], "its stock is one for spot and on demand");
}

try {
  process.stdout.write(
    "Seconds until it serves. local: the whole command, by the wall clock. The imitations: by a virtual clock, what spot adds.\n",
  );
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
