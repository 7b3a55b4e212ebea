import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { ownPastOf } from "../../src/fleet/own-past.ts";
import { reconcile } from "../../src/fleet/pass.ts";
import { consequence, wasTaken } from "../../src/fleet/steps/loss.ts";
import type { Checkpoint } from "../../src/model/checkpoint.ts";
import { eventSentence } from "../../src/output/event-text.ts";
import { paperSpec, paperWorld } from "../simulation/paper-world.ts";
import { down, hibernate, up } from "../simulation/scenarios.ts";
import { PACKAGE_ROOT } from "../world.ts";
import { NOW, record } from "./samples.ts";

const policy = (onReclaim: "replace" | "hibernate" | "wait" | "let-go") => ({ spec: paperSpec({ onReclaim }) });

test.each([
  ["reclaimed, to be replaced", policy("replace"), "provider", "replace"],
  ["reclaimed, to sleep", policy("hibernate"), "provider", "park"],
  ["reclaimed, to be let go", policy("let-go"), "provider", "let-go"],
  ["ended although it was to wait", policy("wait"), "provider", "replace"],
  ["nobody knows why, to be replaced", policy("replace"), null, "replace"],
  ["it ended itself", policy("replace"), "guest", "let-go"],
  ["somebody ended it at the cloud's console", policy("replace"), "user", "let-go"],
  ["it never came up", { ...policy("let-go"), readyAt: null }, "provider", "replace"],
  ["it never came up, and somebody ended it", { ...policy("replace"), readyAt: null }, "user", "let-go"],
  ["it had failed and was discarded by us", { ...policy("let-go"), readyAt: null }, "us", "replace"],
  ["it was being parked when it was wanted back", policy("hibernate"), "us", "replace"],
  ["its time is over", { ...policy("replace"), ttlEndsAt: NOW }, "provider", "let-go"],
  ["its time is not over", { ...policy("replace"), ttlEndsAt: NOW + 1 }, "provider", "replace"],
] as const)("%s → %s %s", (_what, set, endedBy, expected) => {
  expect(consequence(record(set), endedBy, NOW)).toBe(expected);
});

const ITSELF = { machine: { endsItself: true }, endsAtTtl: false };
const BY_US = { machine: { endsItself: false }, endsAtTtl: false };
const BY_CLOUD = { machine: { endsItself: false }, endsAtTtl: true };
const IDLE = { spec: paperSpec({ idleMs: 600_000 }) };
const RECLAIM = { kind: "reclaim", source: "api", seenAt: NOW, deadline: NOW } as const;

test.each([
  ["it is no longer there, nobody knows why", {}, null, ITSELF, true],
  ["its provider says so", {}, "provider", ITSELF, true],
  ["it ended itself", {}, "guest", ITSELF, false],
  ["it never served", { readyAt: null }, "provider", ITSELF, false],
  ["it never served, and had a notice", { readyAt: null, notice: RECLAIM }, null, ITSELF, true],
  ["its time is over, and it ends itself then", { ttlEndsAt: NOW }, null, ITSELF, false],
  ["its time is over, and its cloud ends it then", { ttlEndsAt: NOW }, null, BY_CLOUD, false],
  ["its time is over, and only we would have ended it", { ttlEndsAt: NOW }, null, BY_US, true],
  ["its time is not over", { ttlEndsAt: NOW + 1 }, null, ITSELF, true],
  ["its time is over, and its provider says that it took it", { ttlEndsAt: NOW }, "provider", ITSELF, true],
  ["its time is over, and it had a notice", { ttlEndsAt: NOW, notice: RECLAIM }, null, ITSELF, true],
  ["it may have been idle, and ended itself", IDLE, null, ITSELF, false],
  ["it may have been idle, and only we would have ended it", IDLE, null, BY_CLOUD, true],
  ["it may have been idle, and its provider says that it took it", IDLE, "provider", ITSELF, true],
  ["it may have been idle, and had a notice", { ...IDLE, notice: RECLAIM }, null, ITSELF, true],
] as const)("was it taken: %s", (_, set, endedBy, cloud, expected) => {
  expect(wasTaken(record(set), endedBy, cloud, NOW)).toBe(expected);
});

/** One machine of a spec that serves; then nobody looks, and it vanishes without a word of why. */
async function vanished(spec: Parameters<typeof paperSpec>[0], afterMs: number) {
  const world = await paperWorld();
  onTestFinished(() => world.state.close());
  const { fleet } = world.start();
  await world.clock.run(up(fleet, paperSpec(spec)));
  await world.clock.pass(afterMs);
  for (const { id } of world.cloud.living()) world.cloud.machines.delete(id);
  return { world, fleet };
}

const HOUR = 3_600_000;

test("a machine whose time was over when it was missed was not taken", async () => {
  const { world, fleet } = await vanished({ volume: null, ttlMs: 8 * HOUR }, 9 * HOUR);
  await world.clock.run(reconcile(fleet, { signal: new AbortController().signal, limitMs: 60_000 }));
  const [gone] = await world.state.instances({ includeGone: true });
  expect(gone).toMatchObject({ state: "gone", outlook: { reclaims: [] } });
  const lost = (await world.state.events({})).find(({ data }) => data["action"] === "lost");
  expect(lost?.data).toMatchObject({ taken: false });
});

test.each([
  ["down", down],
  ["hibernate", hibernate],
])("a machine that was taken before anybody asked for its end is a reclaim: %s", async (_, end) => {
  const { world, fleet } = await vanished({}, 240 * HOUR);
  const [served] = await world.state.instances();
  await world.clock.run(end(fleet));
  const records = await world.state.instances({ includeGone: true });
  expect(records[0]?.outlook.reclaims).toMatchObject([{ machine: served?.providerId }]);
  const ledger = await world.state.ledger();
  const [own] = ownPastOf(records, ledger, world.clock.now()).history;
  // Of the ten days nobody knows.
  expect(own?.runs.reduce((sum, hours) => sum + hours, 0) ?? 0).toBeLessThan(0.1);
});

test.each([
  ["down", down, 1n],
  ["hibernate", hibernate, 1n],
  ["down, when the market's price had moved", down, 2n],
] as const)("one that we end is none, and its hours until then count: %s", async (_, end, dearer) => {
  const world = await paperWorld();
  onTestFinished(() => world.state.close());
  const { fleet } = world.start();
  await world.clock.run(up(fleet, paperSpec()));
  await world.clock.pass(30 * HOUR);
  for (const zone of world.cloud.zones) zone.price = { ...zone.price, micros: zone.price.micros * dearer };
  await world.clock.run(end(fleet));
  const [own] = ownPastOf(await world.state.instances({ includeGone: true }), await world.state.ledger(), world.clock.now()).history;
  expect(own).toMatchObject({ reclaims: 0, runs: [expect.closeTo(30, 1)] });
});

test.each([
  ["a step was sealed", { step: "1200" }, "the machine is gone (reclaimed); step 1200 was sealed 1m 30s before; next: replace"],
  ["something was sealed", { step: null }, "the machine is gone (reclaimed); its work was sealed 1m 30s before; next: replace"],
  ["nothing was sealed", null, "the machine is gone (reclaimed); nothing of its work was ever sealed; next: replace"],
])("%s: the loss says what of the work is left", async (_what, sealed, text) => {
  const world = await paperWorld();
  onTestFinished(() => world.state.close());
  const { fleet } = world.start();
  await world.clock.run(up(fleet, paperSpec()));
  const [record] = await world.state.instances();
  const volume = record?.volumes[0]?.name ?? "";
  const machine = record?.providerId ?? "";
  await world.clock.pass(600_000);
  world.cloud.reclaim(machine, 0);
  const told = world.clock.now() - 90_000;
  const checkpoint: Checkpoint = {
    ...{ id: "c-1", instance: "train", volume, createdAt: told, files: 1, bytes: 1, sha256: "0".repeat(64) },
    ...{ sealed: true, verifiedAt: null, reason: "interval", step: sealed?.step ?? null },
  };
  if (sealed !== null) await world.state.commit({ checkpoints: [checkpoint] });
  await world.clock.run(reconcile(fleet, { signal: new AbortController().signal, limitMs: 60_000 }));
  const lost = (await world.state.events({})).find(({ data }) => data["action"] === "lost");
  expect(lost && eventSentence(lost)).toBe(text);
});

test("every action that is written down has words for people", () => {
  const folder = join(PACKAGE_ROOT, "src", "fleet");
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".ts"));
  const actions = files.flatMap((name) =>
    [...readFileSync(join(folder, name), "utf8").matchAll(/action: "([a-z-]+)"/g)].map(([, word]) => word),
  );
  expect(actions.length).toBeGreaterThan(20);
  const event = { seq: 1, at: 0, type: "action", instance: "train", provider: "paper" } as const;
  const bare = [...new Set(actions)].filter((action) => eventSentence({ ...event, data: { action, nextLook: 0 } }) === action);
  expect(bare).toEqual([]);
});
