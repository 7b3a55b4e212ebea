import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { spot } from "../world.ts";
import { cloudWorld, data, must } from "./cloud.ts";

test("where disks have no snapshots that is said, and a checkpoint is offered", async () => {
  const world = await cloudWorld();
  await must(world, "volumes", "create", "work", "--size", "1");
  const refused = await spot(world, "volumes", "snapshot", "work");
  expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining("local makes no snapshots of volumes")]);
  expect(refused.stderr).toContain("spot snapshot NAME");
  expect(await data(world, "volumes", "snapshot", "--ls")).toEqual([]);
});

test.each([
  [["volumes", "snapshot"], 2, "which volume?"],
  [["volumes", "snapshot", "none-such"], 9, "none-such"],
  [["volumes", "snapshot", "--prune"], 2, "no rule says what to keep"],
  [["volumes", "snapshot", "x", "--keep-last", "0"], 2, "--keep-last"],
  [["volumes", "snapshot", "x", "--keep-last", "2", "--no-wait"], 2, "--no-wait and a rule"],
  [["volumes", "snapshot", "none-such", "--keep-last", "2"], 9, "none-such"],
  [["volumes", "snapshot", "--rm", "us-east-1/snap-1", "--yes"], 9, "us-east-1/snap-1"],
] as const)("%j exits %d", async (argv, code, said) => {
  const answer = await spot(await cloudWorld(), ...argv);
  expect([answer.code, answer.stderr]).toEqual([code, expect.stringContaining(said)]);
});

test("an instance whose volume is to end by a snapshot is not rented where there are none", async () => {
  const world = await cloudWorld();
  const file = join(world.home, "spot.yaml");
  writeFileSync(file, "fleet: f\ninstances:\n  - name: a\n    volume: { atDown: snapshot-and-delete }\n");
  const { code, stderr } = await spot(world, "up", "-f", file, "--yes");
  expect([code, stderr]).toEqual([2, expect.stringContaining("a: its volume is to end by snapshot-and-delete: local makes no snapshots")]);
  expect(await data(world, "ls")).toEqual([]);
});

test("the plan says how often a checkpoint is made, and why", async () => {
  const world = await cloudWorld();
  const plan = async (...more: readonly string[]) => (await data(world, "up", "--name", "a", "--dry-run", ...more))[0]?.["checkpointing"];
  expect(await plan()).toMatchObject({ rule: "daly", measured: false, checkpointSeconds: 5 });
  expect(await plan("--checkpoint-every", "20m")).toMatchObject({ rule: "ordered", everySeconds: 1200 });
  expect(await plan("--checkpoint-every", "none")).toMatchObject({ rule: "never", everySeconds: null });
  expect(await plan("--volume", "none")).toMatchObject({ rule: "never" });
});
