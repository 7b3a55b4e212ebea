import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { eventually } from "../guest/machine.ts";
import { PACKAGE_ROOT, temporaryFolder } from "../world.ts";

const SPOT = join(PACKAGE_ROOT, "bin", "spot");

test("service install --dry-run shows the unit, the agent and the line, and writes nothing anywhere", () => {
  const home = temporaryFolder();
  const env = {
    PATH: process.env["PATH"],
    HOME: home,
    SPOT_HOME: join(home, "of spot"),
    XDG_CONFIG_HOME: join(home, "config"),
    NO_COLOR: "1",
  };
  const run = (...argv: readonly string[]) =>
    spawnSync(process.execPath, [SPOT, "service", ...argv], { env, encoding: "utf8", timeout: 60_000 });
  const unit = run("install", "--systemd", "--dry-run");
  expect(unit.status).toBe(0);
  expect(unit.stdout).toContain(`ExecStart="${process.execPath}" "${SPOT}" "watch" "--act" "--quiet" "--no-color"`);
  expect(unit.stdout).toContain(`Environment="SPOT_HOME=${env.SPOT_HOME}"`);
  const line = run("install", "--cron", "--every", "1m", "--dry-run");
  expect([line.status, line.stdout.includes(`${SPOT} reconcile --quiet --no-color >/dev/null 2>>'${env.SPOT_HOME}/service.log'`)]).toEqual([
    0,
    true,
  ]);
  expect(run("status").status).toBe(9);
  expect(run("uninstall").stdout).toBe("nothing is installed\n");
  expect(existsSync(env.XDG_CONFIG_HOME)).toBe(false);
});

test("the watch that a service runs notes its passes, says nothing to a log without news, and ends cleanly with 143", async () => {
  const home = temporaryFolder();
  const env = { PATH: process.env["PATH"], HOME: home, SPOT_HOME: home };
  const child = spawn(process.execPath, [SPOT, "watch", "--act", "--quiet", "--no-color"], { env, stdio: ["ignore", "pipe", "pipe"] });
  onTestFinished(() => void child.kill("SIGKILL"));
  let said = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (text: string) => {
      said += text;
    });
  await eventually("a pass", () => (existsSync(join(home, "pulse.json")) ? true : undefined));
  expect(JSON.parse(readFileSync(join(home, "pulse.json"), "utf8"))).toMatchObject({ pid: child.pid, by: "watch --act", trouble: null });
  const ended = once(child, "close");
  child.kill("SIGTERM");
  expect(await ended).toEqual([143, null]);
  // That it acts now is news; that nothing happens is none.
  expect(said.replace(/^.* acts from now on\n/, "")).toBe("");
});
