import { expect, test } from "vitest";
import { hangAt, STAGES } from "./caps.ts";
import { EACH_CLOUD } from "./clouds.ts";
import { killedWake } from "./killed-wakes.ts";

/** Of each kind one; `test/sweep/caps.spec.ts` takes every stage at every cloud. */
const CHOSEN = [
  { cloud: "gcp", name: "a machine is rented, and nobody says so" },
  { cloud: "hyperstack", name: "its machine is woken, and nobody says so" },
];

test.each(CHOSEN)("$cloud hangs when $name: the restore is over at its cap, and nothing is charged after that", async ({ cloud, name }) => {
  const make = EACH_CLOUD[cloud];
  const stage = STAGES.find((one) => one.name === name);
  if (make === undefined || stage === undefined) throw new Error(`no ${cloud}, or no such stage`);
  expect((await hangAt(make, stage))?.broken).toEqual([]);
});

test("a restore is killed a minute before its cap: whoever reconciles after that ends what it left behind", async () => {
  const { hyperstack } = EACH_CLOUD;
  if (hyperstack === undefined) throw new Error("no hyperstack");
  expect((await killedWake(hyperstack, "reconcile")).broken).toEqual([]);
});
