import { expect, test } from "vitest";
import { playMonths } from "./months.ts";

/** A few lives in every test run; test/sweep/months.spec.ts plays many. */
const SEEDS = [1, 6];

test.each(SEEDS)("weeks of reclaims, outages, kills and crossing commands leave nothing unseen (seed %i)", async (seed) => {
  const { broken, days, machines, kills, commands, stops, takeovers } = await playMonths(seed, 30);
  process.stdout.write(
    `  seed ${seed}: ${days} days, ${machines} machines, ${commands} commands, ${kills} of them killed, stopped ${stops} times, control changed hands ${takeovers} times\n`,
  );
  expect(broken, `seed ${seed}`).toEqual([]);
  expect(machines).toBeGreaterThan(0);
});
