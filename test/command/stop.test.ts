import { expect, test } from "vitest";
import { spot } from "../world.ts";
import { cloudWorld, data, machines, must } from "./cloud.ts";

test("stop is refused with exit 3, says what to do instead, and changes nothing", async () => {
  const world = await cloudWorld();
  await must(world, "up", "--name", "a", "--yes", "--", "sleep", "600");
  const before = await data(world, "ls");
  const { code, stdout, stderr } = await spot(world, "stop", "a");
  expect([code, stdout]).toEqual([3, ""]);
  expect(stderr).toContain("a is not stopped: here a machine either runs, hibernates or is gone");
  expect(stderr).toContain("local hibernates it");
  expect(stderr).toContain("next: spot hibernate a");
  expect(stderr).toContain("spot down a");
  const [after] = await data(world, "ls");
  expect([after.state, after.desired]).toEqual([before[0].state, before[0].desired]);
  expect(await machines(world)).toBe(1);

  await must(world, "hibernate", "a", "--yes");
  const asleep = await spot(world, "stop", "a");
  expect(asleep.code).toBe(3);
  expect(asleep.stderr).toContain("a is hibernated: nothing but its disk is paid for");
  expect(asleep.stderr).toContain("next: spot restore a");
});

test("stop of nobody is 9, without a name 2", async () => {
  const world = await cloudWorld();
  expect((await spot(world, "stop", "nobody")).code).toBe(9);
  expect((await spot(world, "stop")).code).toBe(2);
});
