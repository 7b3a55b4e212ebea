import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { askCloud, clearHome, dataOf, runSpot } from "../processes/spot.ts";

const PROCESSES = 50;
const UP = ["up", "--name", "one", "--yes", "--json", "--timeout", "5m", "--", "sleep", "600"];

test(`${PROCESSES} processes bring up one name at once: one instance, and all of them succeed`, async () => {
  const home = mkdtempSync(join(tmpdir(), "spot-crowd-"));
  onTestFinished(() => clearHome(home));
  const ended = await Promise.all(Array.from({ length: PROCESSES }, () => runSpot(home, UP)));
  expect(ended.filter(({ code }) => code !== 0).map(({ code, stderr }) => ({ code, stderr }))).toEqual([]);
  expect(new Set(ended.map((each) => dataOf(each)[0]?.["providerId"])).size).toBe(1);
  expect(dataOf(await runSpot(home, ["ls", "--json"])).map((record) => [record["name"], record["state"]])).toEqual([["one", "running"]]);
  const { instances } = await askCloud(home, "/v1/instances?limit=200");
  expect(instances).toHaveLength(1);
  process.stdout.write(`  ${PROCESSES} processes, the slowest took ${Math.round(Math.max(...ended.map((each) => each.ms)))} ms\n`);
  const down = await runSpot(home, ["down", "one", "--yes", "--json"]);
  expect(down.code).toBe(0);
}, 600_000);

test("two reconciles and two downs at once end it once", async () => {
  const home = mkdtempSync(join(tmpdir(), "spot-crowd-"));
  onTestFinished(() => clearHome(home));
  expect((await runSpot(home, UP)).code).toBe(0);
  const down = ["down", "one", "--yes", "--json"];
  const ended = await Promise.all([down, ["reconcile", "--json"], down, ["reconcile", "--json"]].map((argv) => runSpot(home, argv)));
  expect(ended.filter((_each, index) => index % 2 === 0).map(({ code, stderr }) => ({ code, stderr }))).toEqual([
    { code: 0, stderr: expect.any(String) },
    { code: 0, stderr: expect.any(String) },
  ]);
  expect(dataOf(await runSpot(home, ["ls", "--json"]))).toEqual([]);
  const again = await runSpot(home, ["reconcile", "--json"]);
  expect(again.code).toBe(0);
}, 600_000);
