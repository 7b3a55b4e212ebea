import fc from "fast-check";
import { expect, test } from "vitest";
import {
  checkpointInterval,
  dalyInterval,
  LONGEST_INTERVAL_SECONDS,
  SHORTEST_INTERVAL_SECONDS,
  youngInterval,
} from "../../src/model/checkpoint-interval.ts";

/** Minutes. Daly (2006), figures 3 to 5: a checkpoint of five minutes. */
test.each([
  [1440, 120.0, 116.69],
  [360, 60.0, 56.71],
  [15, 12.25, 9.14],
])("interruptions %d minutes apart: Young %d, Daly %d", (between, young, daly) => {
  expect(youngInterval(5, between)).toBeCloseTo(young, 2);
  expect(dalyInterval(5, between)).toBeCloseTo(daly, 2);
});

test("a checkpoint that takes longer than machines live is made once in a life", () => {
  expect(dalyInterval(10, 5)).toBe(5);
  expect(dalyInterval(30, 5)).toBe(5);
});

const cost = fc.double({ min: 0, max: 20_000, noNaN: true });
const between = fc.double({ min: 1, max: 5_000_000, noNaN: true });

/** What is lost for each unit of work: the checkpoint, and half of what lies between two, by exponential interruptions. */
const waste = (every: number, cost: number, between: number) => (Math.exp((every + cost) / between) - 1) * (between / every);

test("it loses no more than Young's interval, nor than one that is a third longer or shorter (checkpoints short against M)", () => {
  fc.assert(
    fc.property(fc.double({ min: 0.5, max: 600, noNaN: true }), fc.double({ min: 6000, max: 1_000_000, noNaN: true }), (delta, mean) => {
      fc.pre(delta < mean / 10);
      const best = waste(dalyInterval(delta, mean), delta, mean);
      for (const other of [youngInterval(delta, mean), dalyInterval(delta, mean) * 0.66, dalyInterval(delta, mean) * 1.5])
        expect(best).toBeLessThanOrEqual(waste(other, delta, mean) * (1 + 1e-6));
    }),
  );
});

test("whole seconds between a minute and six hours; never more often for rarer interruptions", () => {
  fc.assert(
    fc.property(cost, between, (delta, mean) => {
      const every = checkpointInterval(delta, mean);
      expect(Number.isInteger(every)).toBe(true);
      expect(every).toBeGreaterThanOrEqual(SHORTEST_INTERVAL_SECONDS);
      expect(every).toBeLessThanOrEqual(LONGEST_INTERVAL_SECONDS);
      expect(checkpointInterval(delta, mean * 2)).toBeGreaterThanOrEqual(every - 1);
    }),
  );
});
