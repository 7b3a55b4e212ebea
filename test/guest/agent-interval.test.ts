import { execFileSync, spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ASSUMED_CHECKPOINT_SECONDS, checkpointInterval } from "../../src/model/checkpoint-interval.ts";
import { agentSource, KINDS } from "./machine.ts";
import { workingMachine } from "./own-machine.ts";

const BETWEEN = 20 * 3600;

for (const { name, options } of KINDS)
  test(`${name}: how often a checkpoint is made follows what checkpoints take, their hook included`, async () => {
    const machine = await workingMachine({ betweenSeconds: BETWEEN, checkpointHook: "sleep 2" }, options);
    expect(await machine.status()).toMatchObject({
      checkpointSeconds: null,
      every: checkpointInterval(ASSUMED_CHECKPOINT_SECONDS, BETWEEN),
    });
    writeFileSync(join(machine.checkpointFolder, "model"), "weights");
    expect((await machine.verb("snapshot", "manual")).code).toBe(0);
    const { checkpointSeconds, lastSealSeconds, every } = await machine.status();
    expect(checkpointSeconds).toBeGreaterThanOrEqual(2 + Math.floor(lastSealSeconds ?? 0));
    expect(every).toBe(checkpointInterval(checkpointSeconds ?? 0, BETWEEN));
    // What was not sealed anew has cost nothing, and says nothing.
    expect((await machine.verb("snapshot", "manual")).stdout).toContain('"unchanged":true');
    expect(await machine.status()).toMatchObject({ checkpointSeconds, every });
  });

test.each([
  ["what was ordered stands, whatever is measured", { checkpointEverySeconds: 1234, betweenSeconds: BETWEEN }, 1234],
  ["none is none", { checkpointEverySeconds: 0, betweenSeconds: BETWEEN }, null],
  ["who was told nothing makes none by the clock", {}, null],
] as const)("%s", async (_, settings, every) => {
  const machine = await workingMachine(settings, KINDS[0]?.options);
  writeFileSync(join(machine.checkpointFolder, "model"), "weights");
  expect((await machine.verb("snapshot", "manual")).code).toBe(0);
  expect((await machine.status()).every).toBe(every);
});

const AWKS = [["awk"], ["mawk"], ["gawk"], ["original-awk"], ["busybox", "awk"]].filter(
  ([program = "", ...rest]) => spawnSync(program, [...rest, "BEGIN { exit 0 }"]).status === 0,
);
const COSTS = [0, 0.4, 1, 5, 9, 60, 300, 1800, 7200];
const BETWEENS = [1, 30, 60, 900, 3600, 21_600, 72_000, 86_400, 2_592_000];

test.each(AWKS)("the agent reckons as we do, by %s %s", (program, ...rest) => {
  const [, reckon = ""] = /choose_every\(\) \{[^']*'(BEGIN \{[^']*)'/.exec(agentSource) ?? [];
  const words = rest.filter((word) => typeof word === "string");
  const pairs = COSTS.flatMap((cost) => BETWEENS.map((between) => [cost, between] as const));
  const reckoned = pairs.map(([cost, between]) =>
    Number(execFileSync(program ?? "awk", [...words, "-v", `d=${cost}`, "-v", `m=${between}`, reckon], { encoding: "utf8" })),
  );
  expect(reckoned).toEqual(pairs.map(([cost, between]) => checkpointInterval(cost, between)));
  expect(execFileSync(program ?? "awk", [...words, "-v", "d=5", "-v", "m=", reckon], { encoding: "utf8" })).toBe("");
});
