import { onTestFinished } from "vitest";
import { type Outcome, spot, type TestWorld, type TestWorldParts, testWorld } from "../world.ts";

/** A world with an embedded cloud of its own that provisions fast and is gone when the test ends. */
export async function cloudWorld(parts: TestWorldParts = {}): Promise<TestWorld> {
  const world = testWorld(parts);
  onTestFinished(async () => {
    await spot({ ...world, signal: new AbortController().signal }, "local", "stop", "--force");
  });
  await must(world, "local", "market", "--provisioning", "100ms", "--hibernate", "50ms", "--restore", "50ms");
  return world;
}

/** Runs a command that has to end well. */
export async function must(world: TestWorld, ...argv: readonly string[]): Promise<Outcome> {
  const outcome = await spot(world, ...argv);
  if (outcome.code !== 0) throw new Error(`spot ${argv.join(" ")} ended with ${outcome.code}: ${outcome.stderr}`);
  return outcome;
}

/** The `data` of a command's JSON answer; `--json` goes before `--`. */
// biome-ignore lint/suspicious/noExplicitAny: tests reach deep into answers of many shapes; a wrong path fails the assertion.
export async function data(world: TestWorld, ...argv: readonly string[]): Promise<any> {
  const end = argv.indexOf("--");
  const line = end < 0 ? [...argv, "--json"] : [...argv.slice(0, end), "--json", ...argv.slice(end)];
  return JSON.parse((await must(world, ...line)).stdout).data;
}

/** How many machines the cloud itself says are alive, whatever our records say. */
export async function machines(world: TestWorld): Promise<number> {
  const { instances } = await data(world, "local", "status");
  return Object.entries(instances as Record<string, number>)
    .filter(([state]) => state !== "terminated" && state !== "failed")
    .reduce((sum, [, count]) => sum + count, 0);
}
