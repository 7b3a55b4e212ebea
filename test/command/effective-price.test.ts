import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { FRESH_OUTLOOK } from "../../src/model/outlook.ts";
import { openState } from "../../src/state/open.ts";
import { sampleInstance, sampleLedger } from "../state/sample-records.ts";
import { spot, type TestWorld } from "../world.ts";
import { cloudWorld } from "./cloud.ts";

const OFFERS = ["offers", "--provider", "local", "--gpu", "H100"] as const;

async function json(world: TestWorld, ...argv: readonly string[]) {
  const { code, stdout, stderr } = await spot(world, ...argv, "--json");
  expect([argv, code, stderr]).toEqual([argv, 0, ""]);
  return JSON.parse(stdout);
}

test("--explain shows the sum for one row: the terms are the price of a useful hour to the micro-unit, in text and in JSON", async () => {
  const world = await cloudWorld();
  const given = ["--interruptions", "1/10h", "--notice", "0", "--protection", "0", "--checkpoint-time", "5s", "--restart-time", "5m"];
  const { data, explained } = await json(world, ...OFFERS, ...given, "--explain");
  expect(data.length).toBe(1);
  const micros = (part: { readonly amount: string }) => Math.round(Number(part.amount) * 1e6);
  const { price, lostWork, checkpoints, restarts, effectivePrice } = explained;
  expect(micros(price) + micros(lostWork) + micros(checkpoints) + micros(restarts)).toBe(micros(effectivePrice));
  expect(effectivePrice).toEqual(data[0].effectivePrice);
  expect(lostWork).toMatchObject({ currency: "USD", per: "hour", of: "instance" });
  // e^(0.1 × 300 / 3600) × (e^(0.1 × 605 / 3600) − 1) / (0.1 × 600 / 3600) − 1
  expect(data[0].effective).toMatchObject({ interruptionsPerHour: 0.1, basis: "given", finishes: true });
  expect(data[0].effective.lostShare).toBeCloseTo(0.025363, 6);
  expect(explained.inputs).toMatchObject({
    checkpointIntervalSeconds: 600,
    checkpointSeconds: 5,
    restartSeconds: 300,
    noticeSavesWork: false,
    from: { interruptions: "given", notice: "given", checkpoint: "given", restart: "given", checkpointInterval: "assumed" },
  });
  const { stdout } = await spot(world, ...OFFERS, ...given, "--explain");
  const lines = stdout.split("\n").map((line) => line.trim());
  expect(lines.find((line) => line.startsWith("= useful hour"))).toMatch(/× 1\.0254$/);
  const amounts = lines
    .flatMap((line) => /^(?:price|[+=] [a-z ]+?) +(\d+\.\d{6}) USD/.exec(line)?.[1] ?? [])
    .map((text) => Math.round(Number(text) * 1e6));
  expect(amounts.length).toBe(5);
  expect(amounts.slice(0, 4).reduce((sum, part) => sum + part, 0)).toBe(amounts[4]);
  for (const line of [
    /^interruptions +0\.1 an hour, one in 10h +as given \(--interruptions\)$/,
    /^notice +none +as given \(--notice\)$/,
    /^every +10m +assumed \(--checkpoint-every\)$/,
  ])
    expect(lines.some((one) => line.test(one))).toBe(true);
});

test("a row is named by its number in the same order; one that is not there is refused", async () => {
  const world = await cloudWorld();
  const all = await json(world, ...OFFERS, "--billing", "any");
  const third = await json(world, ...OFFERS, "--billing", "any", "--explain", "3");
  expect(third.data).toEqual([{ ...all.data[2], observedAt: third.data[0].observedAt }]);
  const none = await spot(world, ...OFFERS, "--explain", "9999", "--quiet");
  expect([none.code, none.stderr]).toEqual([2, expect.stringContaining("--explain: there is no row 9999")]);
  const demand = await spot(world, ...OFFERS, "--billing", "on-demand", "--explain");
  expect(demand.stdout).toContain("nobody takes such a machine back");
});

test.each([
  ["--interruptions", "0.3", "interruptionsPerHour", 0.3],
  ["--interruptions", "3/2d", "interruptionsPerHour", 3 / 48],
  ["--interruptions", "0", "interruptionsPerHour", 0],
  ["--notice", "0", "noticeSeconds", 0],
  ["--notice", "7s", "noticeSeconds", 7],
  ["--protection", "1h", "protectionSeconds", 3600],
  ["--checkpoint-time", "90s", "checkpointSeconds", 90],
  ["--checkpoint-time", "0s", "checkpointSeconds", 0],
  ["--restart-time", "8m", "restartSeconds", 480],
  ["--checkpoint-every", "1h", "checkpointIntervalSeconds", 3600],
] as const)("%s %s counts", async (flag, text, key, value) => {
  const world = await cloudWorld();
  const { explained } = await json(world, ...OFFERS, "--explain", flag, text);
  expect(explained.inputs[key]).toBeCloseTo(value, 12);
});

test.each([
  ["--interruptions", "-1"],
  ["--interruptions", "often"],
  ["--interruptions", "1/0h"],
  ["--interruptions", "9999999"],
  ["--notice", "soon"],
  ["--protection", "-1h"],
  ["--checkpoint-time", "5"],
  ["--restart-time", "NaN"],
  ["--checkpoint-every", "0"],
  ["--explain", "0"],
])("%s %s is refused, and named", async (flag, text) => {
  const { code, stderr } = await spot(await cloudWorld(), ...OFFERS, `${flag}=${text}`, "--quiet");
  expect([code, stderr]).toEqual([2, expect.stringContaining(flag)]);
});

test("what is typed is given, also where it is what would be assumed; rows alone cannot hold the sum", async () => {
  const world = await cloudWorld();
  const { explained } = await json(world, ...OFFERS, "--explain", "--checkpoint-every", "10m");
  expect(explained.inputs).toMatchObject({ checkpointIntervalSeconds: 600, from: { checkpointInterval: "given" } });
  for (const output of ["ndjson", "columns=zone"]) {
    const { code, stderr } = await spot(world, ...OFFERS, "--explain", "-o", output);
    expect([code, stderr]).toEqual([2, expect.stringContaining(`--explain: -o ${output} has rows only`)]);
  }
});

test("settings say it once for all; a flag still wins, and a setting that is wrong is named", async () => {
  const world = await cloudWorld();
  for (const [key, value] of [
    ["interruptions", "1/4h"],
    ["checkpointTime", "30s"],
    ["restart-time", "0"],
  ] as const)
    expect((await spot(world, "config", "set", key, value)).code).toBe(0);
  const { explained } = await json(world, ...OFFERS, "--explain", "--checkpoint-time", "1s");
  expect(explained.inputs).toMatchObject({ interruptionsPerHour: 0.25, checkpointSeconds: 1, restartSeconds: 0 });
  const wrong = await spot(world, "config", "set", "interruptions", "often");
  expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining("interruptions: not a rate")]);
});

test("what never finishes says so, and stands behind what does", async () => {
  const world = await cloudWorld();
  const never = ["--interruptions", "60", "--notice", "0", "--protection", "0"];
  const { data } = await json(world, ...OFFERS, ...never, "--explain");
  expect(data[0].effective).toMatchObject({ finishes: false });
  expect(Number(data[0].effectivePrice.amount)).toBeCloseTo(1000 * Number(data[0].price.amount), 3);
  const { stdout } = await spot(world, ...OFFERS, ...never, "--explain");
  expect(stdout).toContain("never");
  expect(stdout).toContain("It never finishes: more than 1000 paid hours for a useful one.");
});

/** The best spot offer of the bundled table, whose clouds say nothing of interruptions. */
const LISTED = ["offers", "--source", "bundled", "--explain"] as const;

test("our own machines of that type and region count where the provider says nothing", async () => {
  const world = await cloudWorld();
  const before = await json(world, ...LISTED);
  expect(before.data[0].effective).toMatchObject({ interruptionsPerHour: 0.05, basis: "assumed" });
  const { provider, region, zone, type, protectionSeconds } = before.data[0];
  const now = world.clock.now();
  const hours = (count: number) => count * 3_600_000;
  const kind = { provider, region, zone, type };
  const pool = [provider, region, zone, type, "spot"].join("/");
  const reclaims = ["m-1", "m-2"].map((machine, index) => ({ machine, pool, at: now - hours(20 + index), ranMs: 1 }));
  const state = await openState(join(world.home, "state.db"));
  const trainer = sampleInstance("trainer", { ...kind, billing: "spot", state: "gone", outlook: { ...FRESH_OUTLOOK, reclaims } });
  // Ten hours at risk, five of each machine, whatever time before them is safe.
  const to = now - hours(20);
  const ledger = reclaims.map(({ machine }) =>
    sampleLedger(`l-${machine}`, {
      ...{ instanceId: trainer.id, provider, providerId: machine, billing: "spot", kind: "gpu" },
      ...{ from: to - hours(5) - protectionSeconds * 1000, to, seenAt: to },
    }),
  );
  await state.commit({ addInstance: trainer, ledger });
  await state.close();
  const after = await json(world, ...LISTED, "--provider", provider);
  expect(after.data[0]).toMatchObject(kind);
  expect(after.data[0].effective.basis).toBe("history");
  expect(after.data[0].effective.interruptionsPerHour).toBeCloseTo(3 / 30, 9);
});

test("a state that cannot be read takes no offer away: that is said, and the rate is assumed", async () => {
  const world = await cloudWorld();
  await writeFile(join(world.home, "state.db"), "no database at all");
  const { code, stderr } = await spot(world, ...LISTED);
  expect([code, stderr]).toEqual([0, expect.stringContaining("our own history is left out: the state database")]);
  expect((await json(world, ...LISTED)).data[0].effective.basis).toBe("assumed");
});
