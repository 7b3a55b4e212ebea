import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { systemClock } from "../../src/platform/clock.ts";
import { fakeGcp } from "../clouds/gcp/fake.ts";
import { machineRoom, machineRoomAvailable } from "../clouds/machine-room.ts";
import { eventually } from "../guest/machine.ts";
import { PACKAGE_ROOT, temporaryFolder } from "../world.ts";

type Events = readonly Readonly<Record<string, unknown>>[];

function spot(home: string, env: Readonly<Record<string, string>>, argv: readonly string[]) {
  const child: ChildProcess = spawn(process.execPath, [join(PACKAGE_ROOT, "bin", "spot"), ...argv], {
    env: { PATH: process.env["PATH"], HOME: home, SPOT_HOME: join(home, "spot"), NO_COLOR: "1", ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const said = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const)
    child[name]?.setEncoding("utf8").on("data", (chunk: string) => {
      said[name] += chunk;
    });
  const ended = new Promise<number | null>((resolve) => child.once("close", (code) => resolve(code)));
  const events = (): Events =>
    said.stdout
      .split("\n")
      .slice(0, -1)
      .map((line) => JSON.parse(line));
  return { child, said, ended, events };
}

describe.skipIf(!machineRoomAvailable())("a watch without --act", () => {
  // No list call of Compute Engine's tells a notice: only the machine itself hears it.
  test("gcp: a notice that only the agent hears is in the stream while the machine still runs", async () => {
    const machines = await machineRoom();
    const cloud = await fakeGcp({ clock: systemClock, machines });
    onTestFinished(async () => {
      await cloud.close();
      await machines.close();
    });
    const home = temporaryFolder("spot-watch-");
    const up = spot(home, cloud.env, ["up", "--yes", "--name", "train", "--gpu", "L4", "--", "sleep", "1000"]);
    expect([await up.ended, up.said.stderr]).toEqual([0, expect.stringContaining("train is running")]);
    const watch = spot(home, cloud.env, ["watch", "--since", "0", "-o", "ndjson", "--exec", 'echo "told $SPOT_EVENT_KIND"']);
    await eventually("a watch that tells", () => watch.events().find(({ type }) => type === "state"));
    const [vm] = cloud.living();
    await cloud.reclaim(vm?.providerId ?? "", 25);
    const notice = await eventually("the notice", () => watch.events().find(({ type }) => type === "notice"));
    expect(notice).toMatchObject({ instance: "train", provider: "gcp", kind: "reclaim", source: "guest" });
    await eventually("what the command said", () => (watch.said.stderr.includes("told reclaim") ? true : undefined));
    watch.child.kill("SIGINT");
    expect(await watch.ended).toBe(130);
    expect(watch.events().filter(({ type }) => type === "notice")).toHaveLength(1);
    const down = spot(home, cloud.env, ["down", "train", "--yes", "--no-snapshot"]);
    expect([await down.ended, down.said.stderr]).toEqual([0, expect.any(String)]);
  }, 120_000);
});
