import { rmSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { type Outcome, spot, testWorld } from "../world.ts";
import { HOSTILE, hostileCloud, LONG_HOSTILE, MARK, unsafeIn } from "./hostile-cloud.ts";

/** A machine whose record is lost, and whose cloud calls it whatever it likes. */
test.each([
  ["a terminal", true],
  ["a pipe", false],
] as const)("on %s, names and state words of orphans steer nothing, and a name of ours comes of them", async (_, isTTY) => {
  const cloud = await hostileCloud();
  const world = testWorld({ env: cloud.env, isTTY, columns: 100 });
  const up = await spot(world, "up", "--provider", "ppio", "--name", "job", "--gpu", "RTX4090", "--yes", "--no-wait", "--", "sleep", "100");
  expect(up.code).toBe(8);
  for (const suffix of ["", "-wal", "-shm"]) rmSync(join(world.home, `state.db${suffix}`), { force: true });
  // Our token stays at the end, where it is looked for.
  cloud.twist(
    ["name", "storageName"],
    (text) => `${text.length > 60 ? LONG_HOSTILE.slice(0, 200) : HOSTILE}-${/t-[0-9a-z]+$/.exec(text)?.[0]}`,
  );
  cloud.twist(["status", "productName"], (text) => (text === "running" ? text : `${text}${HOSTILE}`));
  const plan = join(world.home, "plan.json");
  const outcomes: Record<string, Outcome> = {};
  for (const line of [
    "orphans",
    "orphans --all",
    `orphans --save ${plan}`,
    "orphans -o yaml",
    `reap ${plan} --dry-run`,
    `reap ${plan}`,
    "adopt --all",
    "adopt --all --yes",
    "ls --all",
    "orphans",
  ])
    outcomes[line] = await spot(world, ...line.split(" "));
  for (const [line, { stdout, stderr }] of Object.entries(outcomes)) {
    expect(unsafeIn(stdout), `stdout of ${line}`).toEqual([]);
    expect(unsafeIn(stderr), `stderr of ${line}`).toEqual([]);
    expect(stdout + stderr, line).not.toMatch(new RegExp(`^${MARK}-line`, "m"));
  }
  // It did arrive.
  expect(outcomes["orphans -o yaml"]?.stdout).toContain(MARK);
});
