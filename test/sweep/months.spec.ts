import { expect, test } from "vitest";
import { playMonths } from "../simulation/months.ts";

const SEEDS = Number(process.env["SPOT_SEEDS"] ?? "200");
const FIRST = Number(process.env["SPOT_FIRST_SEED"] ?? "1000");

test(`${SEEDS} lives of a fleet, with reclaims, outages, kills and crossing commands`, async () => {
  const damage: string[] = [];
  const sum = { days: 0, machines: 0, kills: 0, commands: 0, stops: 0, takeovers: 0 };
  for (let seed = FIRST; seed < FIRST + SEEDS; seed++) {
    const { broken, days, machines, kills, commands, stops, takeovers } = await playMonths(seed, 60);
    damage.push(...broken.map((what) => `seed ${seed}: ${what}`));
    sum.days += days;
    sum.machines += machines;
    sum.kills += kills;
    sum.commands += commands;
    sum.stops += stops;
    sum.takeovers += takeovers;
  }
  process.stdout.write(`  ${SEEDS} seeds: ${JSON.stringify(sum)}\n`);
  expect(damage).toEqual([]);
  expect(sum.kills).toBeGreaterThan(SEEDS);
  expect(sum.takeovers).toBeGreaterThan(SEEDS);
});
