import { execFileSync, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, expect, test } from "vitest";
import { systemClock } from "../../src/platform/clock.ts";
import { PACKAGE_ROOT } from "../world.ts";
import { eventually } from "./machine.ts";
import { endRealMachines, possible, type RealMachine, realMachine, systemdMachine, takeRealMachinesAway } from "./real.ts";

afterEach(endRealMachines);
afterAll(takeRealMachinesAway);

/** What a person should never call a folder. */
const ODD = "/srv/sp ot 50%n $HOME 'q'";
const PROGRAM = `${ODD}/bin/spot`;
const HOME = '/var/lib/fl\neet "é" \\ %h $PATH';

/** This program as a folder of a machine, by an odd name. */
function bringProgram(machine: RealMachine): void {
  const overlays = "awk '$1 == \"overlay\" {print $2}' /proc/self/mounts | tail -n 1";
  const root = execFileSync("nsenter", ["-t", machine.pid, "-m", "sh", "-c", overlays], { encoding: "utf8" }).trim();
  const bind = 'mkdir -p "$1$2" && mount --bind "$3" "$1$2"';
  spawnSync("nsenter", ["-t", machine.pid, "-m", "sh", "-c", bind, "sh", root, ODD, PACKAGE_ROOT]);
}

/** A user's manager inside a machine, and this program as a folder of it; undefined, and said, where there is none. */
async function userMachine(name: string): Promise<RealMachine | undefined> {
  const machine = await systemdMachine(name);
  if (machine === undefined) return undefined;
  bringProgram(machine);
  machine.inside("sh", "-c", "mkdir -p /run/user/0; systemctl start user@0.service");
  const answers =
    (await eventually("a user manager", () => machine.inside("systemctl", "is-active", "user@0.service"))).stdout.trim() === "active";
  if (answers && machine.inside("test", "-e", PROGRAM).status === 0) return machine;
  process.stderr.write(`skipped, no manager of a user here: ${name}\n`);
  return undefined;
}

test.runIf(existsSync(join(PACKAGE_ROOT, "dist", "main.js")))(
  "a real systemd runs the watch from odd paths, again after kill -9, ends it cleanly, and leaves the embedded cloud alone",
  { timeout: 120_000 },
  async () => {
    const machine = await userMachine("the service under a real systemd");
    if (machine === undefined) return;
    const env = ["env", "-i", `PATH=/usr/sbin:/usr/bin:/sbin:/bin:${process.execPath.replace(/\/[^/]*$/, "")}`, "HOME=/root"];
    const shell = [...env, "XDG_RUNTIME_DIR=/run/user/0", `SPOT_HOME=${HOME}`, "SPOT_CONTEXT="];
    const spot = (...argv: readonly string[]) => machine.inside(...shell, process.execPath, PROGRAM, ...argv);
    const systemctl = (...argv: readonly string[]) => machine.inside(...shell, "systemctl", "--user", ...argv);
    const service = () => JSON.parse(spot("service", "status", "--json").stdout).data;

    const installed = spot("service", "install", "--yes", "--json");
    expect([installed.status, installed.stderr]).toEqual([0, ""]);
    const { name, path, ran } = JSON.parse(installed.stdout).data;
    expect(ran.at(-1)).toBe(`systemctl --user restart ${name}`);
    expect(machine.inside(...shell, "systemd-analyze", "verify", "--user", path)).toMatchObject({ status: 0, stderr: "" });

    await eventually("a first pass", () => (service().lastPass === null ? undefined : true));
    const first = service();
    expect(first).toMatchObject({ alive: true, running: true, restarts: 0 });
    expect(first.controller.pid).toBe(first.pid);
    const file = (what: string) => machine.inside("cat", `/proc/${first.pid}/${what}`).stdout.split("\0");
    expect(file("cmdline").slice(0, -1)).toEqual([process.execPath, PROGRAM, "watch", "--act", "--quiet", "--no-color"]);
    expect(file("environ")).toContain(`SPOT_HOME=${HOME}`);
    expect(JSON.parse(spot("service", "install", "--yes", "--json").stdout).data.done).toBe("unchanged");

    machine.inside("kill", "-9", String(first.pid));
    const second = await eventually("another process", () => {
      const now = service();
      return now.running && now.pid !== first.pid ? now : undefined;
    });
    expect(second.restarts).toBe(1);

    // The watch starts the embedded cloud when it needs it, and its end is not the end of that.
    expect(spot("up", "--name", "a", "--provider", "local", "--yes", "--quiet", "--", "sleep", "1000").status).toBe(0);
    const cloud = () => JSON.parse(spot("local", "status", "--json").stdout).data;
    machine.inside("kill", "-9", String(cloud().pid));
    const started = await eventually("the embedded cloud, started by the service", () => cloud().pid);
    expect(machine.inside("cat", `/proc/${started}/cgroup`).stdout).toContain(name);
    systemctl("stop", name);
    expect(systemctl("show", name, "--property=ActiveState,Result").stdout.trim().split("\n").sort()).toEqual([
      "ActiveState=inactive",
      "Result=success",
    ]);
    expect(cloud().pid).toBe(started);
    expect(spot("service", "status").status).toBe(1);

    const removed = spot("service", "uninstall", "--yes", "--json");
    expect([removed.status, JSON.parse(removed.stdout).data.unwatched.map((one: { name: string }) => one.name)]).toEqual([0, ["a"]]);
    expect(systemctl("cat", name).status).not.toBe(0);
    expect(spot("service", "status").status).toBe(9);
    spot("local", "stop", "--yes");
  },
);

const programs = { PATH: `${process.env["PATH"]}:/usr/sbin:/sbin` };
const hasCron =
  possible && ["cron", "crontab"].every((name) => spawnSync("sh", ["-c", `command -v ${name}`], { env: programs }).status === 0);
if (!hasCron) process.stderr.write("skipped, no cron here: the service under a real cron\n");

test.runIf(hasCron && existsSync(join(PACKAGE_ROOT, "dist", "main.js")))(
  "a real cron makes a pass from odd paths, and its crontab comes back as it was",
  { timeout: 180_000 },
  async () => {
    const machine = await realMachine();
    bringProgram(machine);
    const sh = (script: string) => machine.inside("env", `PATH=${programs.PATH}`, "HOME=/root", `SPOT_HOME=${HOME}`, "sh", "-c", script);
    const spot = (words: string) => sh(`"${process.execPath}" "$(cat /spot-path)" service ${words}`);
    machine.inside("sh", "-c", 'printf %s "$1" >/spot-path', "sh", PROGRAM);
    sh("mkdir -p /var/spool/cron/crontabs; crontab -r; printf '# gr\\374n\\n5 4 * * * date +\\\\%%F\\n' | crontab -");
    const before = sh("crontab -l | od -c").stdout;
    expect(before).toContain("374");
    expect(spot("install --cron --every 1m --yes")).toMatchObject({ status: 0 });
    expect(spot("status --json").stdout).toContain('"health":"silent"');
    sh("cron -f >/dev/null 2>&1 &");
    // The minute has to turn.
    for (let waited = 0; waited < 80 && spot("status").status !== 0; waited++) await systemClock.sleep(1000);
    expect(JSON.parse(spot("status --json").stdout).data.lastPass.by).toBe("reconcile");
    expect(spot("uninstall --yes")).toMatchObject({ status: 0 });
    expect(sh("crontab -l | od -c").stdout).toBe(before);
  },
);
