import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { seededRng } from "../../src/platform/rng.ts";
import { askCloud, clearHome, dataOf, type Ended, markedProcesses, runSpot, startSpot } from "../processes/spot.ts";

const KILLS = Number(process.env["SPOT_KILLS"] ?? "200");
const HOMES = Number(process.env["SPOT_KILL_HOMES"] ?? "3");
const SEED = Number(process.env["SPOT_SEED"] ?? String(Date.now() % 1_000_000));

/** Counts up, writes every step down by rename, and goes on from where it was. */
const WORKLOAD = `cd "$SPOT_CHECKPOINT_DIR"; n=$(cat n 2>/dev/null || echo 0)
while :; do n=$((n+1)); echo $n > .n && mv .n n; echo $n > .s && mv .s STEP; head -c 200000 /dev/zero > .b && mv .b blob; sleep 0.05; done`;

interface Tally {
  kills: number;
  daemonKills: number;
  reconciles: number;
  checkpoints: number;
  readonly byAction: Map<string, number>;
  readonly damage: string[];
}

const NOTICE_MS = 1_500;

type Action = "up" | "snapshot" | "hibernate" | "restore" | "down" | "watch" | "reconcile";

const ARGV: Readonly<Record<Action, readonly string[]>> = {
  up: ["up", "--name", "job", "--yes", "--json", "--on-reclaim", "replace", "--", "/bin/sh", "-c", WORKLOAD],
  snapshot: ["snapshot", "job", "--json"],
  hibernate: ["hibernate", "job", "--json"],
  restore: ["restore", "job", "--json", "--yes"],
  down: ["down", "job", "--yes", "--json"],
  watch: ["watch", "--act", "--json"],
  reconcile: ["reconcile", "--json"],
};

/** The longest that a kill waits, in milliseconds; a command that ends earlier is not counted. */
const WITHIN_MS: Readonly<Record<Action, number>> = {
  up: 1_300,
  snapshot: 700,
  hibernate: 900,
  restore: 900,
  down: 900,
  watch: 3_000,
  reconcile: 600,
};

/** The calls of each command that can be slow, or lose their answer, while it is killed. */
const SLOW: Readonly<Record<Action, readonly string[]>> = {
  up: ["launch", "launch", "volume-create"],
  snapshot: [],
  hibernate: ["hibernate"],
  restore: ["restore"],
  down: ["destroy"],
  watch: ["launch"],
  reconcile: [],
};
/** A slow call arrives this late at most: a killed command's request may land after the command's death. */
const SLOW_MS = 900;

const NEXT: Readonly<Record<string, readonly Action[]>> = {
  none: ["up"],
  running: ["snapshot", "hibernate", "down", "watch", "watch", "hibernate", "snapshot"],
  hibernated: ["restore", "restore", "restore", "down"],
};

async function stateOf(home: string): Promise<string> {
  const [record] = dataOf(await runSpot(home, ["ls", "--json"]));
  return record === undefined ? "none" : String(record["state"]);
}

/** Reconciles until everything agrees. The number of tries is bounded; each of them waits for what takes its time. */
async function reconciled(home: string, tally: Tally): Promise<Ended> {
  for (let tries = 1; ; tries++) {
    const ended = await runSpot(home, ["reconcile", "--json"]);
    tally.reconciles++;
    if (ended.code === 0 || tries >= 20) return ended;
    await pause(200);
  }
}

interface CloudInstance {
  readonly id: string;
  readonly name: string;
  readonly state: string;
}

/** Everything that a home must agree on once it is reconciled; returns what it does not. */
async function disagreements(home: string): Promise<readonly string[]> {
  const damage: string[] = [];
  // Where nothing was ever promised, reconcile has no reason to start a cloud that was killed.
  await runSpot(home, ["local", "start", "--json"]);
  const records = dataOf(await runSpot(home, ["ls", "--json"]));
  const answer = await askCloud(home, "/v1/instances?limit=200");
  const instances = (answer["instances"] as readonly CloudInstance[]).filter((instance) => instance.state !== "terminated");
  if (records.length > 1) damage.push(`${records.length} records`);
  for (const instance of instances) {
    const owners = records.filter((record) => record["providerId"] === instance.id);
    if (owners.length !== 1) damage.push(`${instance.id} (${instance.state}) is known to ${owners.length} records`);
  }
  for (const record of records) {
    const instance = instances.find((each) => each.id === record["providerId"]);
    const agrees = record["state"] === "running" ? instance?.state === "running" : record["state"] === "hibernated" && isAsleep(instance);
    if (!agrees) damage.push(`the record is ${record["state"]} and the machine ${instance?.state ?? "is not there"}`);
  }
  const mayRun = new Set(instances.filter((instance) => ["running", "reclaiming"].includes(instance.state)).map((instance) => instance.id));
  for (const [id, count] of markedProcesses(home)) if (!mayRun.has(id)) damage.push(`${count} processes of ${id} live, which does not run`);
  const volumes = (await askCloud(home, "/v1/volumes"))["volumes"] as readonly { readonly id: string }[];
  const known = dataOf(await runSpot(home, ["volumes", "ls", "--json"]));
  if (volumes.length !== known.length) damage.push(`${volumes.length} volumes, ${known.length} records of volumes`);
  return damage;
}

function isAsleep(instance: CloudInstance | undefined): boolean {
  return instance === undefined || instance.state === "hibernated";
}

/** Every listed checkpoint verifies. */
async function damagedCheckpoints(home: string, tally: Tally): Promise<readonly string[]> {
  const listed = dataOf(await runSpot(home, ["checkpoints", "ls", "--json"]));
  if (listed.length === 0) return [];
  const verified = await runSpot(home, ["checkpoints", "verify", "--all", "--json"]);
  tally.checkpoints = Math.max(tally.checkpoints, listed.length);
  return verified.code === 0 ? [] : [`of ${listed.length} checkpoints: ${verified.stdout.slice(0, 500)} ${verified.stderr.slice(0, 300)}`];
}

/** One command on its way, killed at a random moment, or with the cloud itself killed under it. */
async function strike(home: string, action: Action, rng: { next(): number }, tally: Tally): Promise<string> {
  const slow = await slowDown(home, action, rng);
  if (action === "watch") await runSpot(home, ["local", "reclaim", "job", "--notice", `${NOTICE_MS / 1000}s`, "--json"]);
  const goneAt = performance.now() + (action === "watch" ? NOTICE_MS + 500 : 0);
  const running = startSpot(home, ARGV[action]);
  const afterMs = Math.round(80 + rng.next() * (WITHIN_MS[action] + (slow === null ? 0 : SLOW_MS / 2)));
  const hitsDaemon = rng.next() < 0.12;
  await Promise.race([pause(afterMs), running.ended]);
  if (hitsDaemon) {
    const pid = await daemonPid(home);
    if (pid !== undefined) {
      process.kill(pid, "SIGKILL");
      tally.daemonKills++;
    }
    await Promise.race([pause(500), running.ended]);
  }
  if (running.kill()) {
    tally.kills++;
    tally.byAction.set(action, (tally.byAction.get(action) ?? 0) + 1);
  }
  await running.ended;
  // A machine under notice is gone a moment later: what is to be checked is what comes after.
  await pause(Math.max(0, goneAt - performance.now()));
  if (slow !== null) await runSpot(home, ["local", "chaos", "--clear", "--json"]);
  return `${action} killed after ${afterMs} ms${hitsDaemon ? ", and its cloud" : ""}${slow === null ? "" : `, with ${slow}`}`;
}

/** Half of the time, one of the command's calls is slow or loses its answer. */
async function slowDown(home: string, action: Action, rng: { next(): number }): Promise<string | null> {
  const calls = SLOW[action];
  const call = calls[Math.floor(rng.next() * calls.length)];
  if (call === undefined || rng.next() < 0.5) return null;
  const effect = rng.next() < 0.8 ? ["delay", "--for", `${Math.round(200 + rng.next() * (SLOW_MS - 200))}ms`] : ["lose-answer"];
  await runSpot(home, ["local", "chaos", call, ...effect, "--json"]);
  return `${call} ${effect.join(" ")}`;
}

async function daemonPid(home: string): Promise<number | undefined> {
  try {
    const { pid } = await askCloud(home, "/v1/health");
    return typeof pid === "number" ? pid : undefined;
  } catch {
    return undefined;
  }
}

async function oneHome(home: string, seed: number, isEnough: () => boolean, tally: Tally): Promise<void> {
  const rng = seededRng(seed);
  const story: string[] = [];
  const set = await runSpot(home, ["local", "market", "--provisioning", "200ms", "--hibernate", "150ms", "--restore", "150ms", "--json"]);
  if (set.code !== 0) throw new Error(set.stderr);
  for (let round = 1; !isEnough() && tally.damage.length === 0; round++) {
    const state = await stateOf(home);
    const choices = NEXT[state] ?? ["reconcile"];
    const action = choices[Math.floor(rng.next() * choices.length)] ?? "reconcile";
    story.push(`${state}: ${await strike(home, action, rng, tally)}`);
    // Some of the time the one who comes after is killed too.
    if (rng.next() < 0.25) story.push(await strike(home, "reconcile", rng, tally));
    const last = await reconciled(home, tally);
    if (last.code !== 0) tally.damage.push(`reconcile ends with ${last.code}: ${last.stdout.slice(0, 400)} ${last.stderr.slice(0, 300)}`);
    tally.damage.push(...(await disagreements(home)));
    if (round % 5 === 0) tally.damage.push(...(await damagedCheckpoints(home, tally)));
    if (tally.damage.length > 0) tally.damage.push(`home ${home}, the last: ${story.slice(-4).join(" | ")}`);
  }
  tally.damage.push(...(await damagedCheckpoints(home, tally)));
  if (tally.damage.length > 0) return;
  await runSpot(home, ARGV.down);
  const left = markedProcesses(home);
  if (left.size > 0) tally.damage.push(`after down, processes of ${[...left.keys()]} live`);
}

test(`${KILLS} kill -9 of the real program, and the embedded cloud's too: after reconcile everything agrees`, async () => {
  const tally: Tally = { kills: 0, daemonKills: 0, reconciles: 0, checkpoints: 0, byAction: new Map(), damage: [] };
  const homes = Array.from({ length: HOMES }, () => mkdtempSync(join(tmpdir(), "spot-kills-")));
  onTestFinished(async () => {
    for (const home of homes) await clearHome(home);
  });
  const start = performance.now();
  await Promise.all(homes.map((home, index) => oneHome(home, SEED + index, () => tally.kills >= KILLS, tally)));
  process.stdout.write(
    `  seed ${SEED}: ${tally.kills} kills (${[...tally.byAction].map(([action, count]) => `${action} ${count}`).join(", ")}), ` +
      `${tally.daemonKills} of the cloud, ${tally.reconciles} reconciles, ${tally.checkpoints} checkpoints of one home verified, ${Math.round((performance.now() - start) / 1000)} s\n`,
  );
  expect(tally.damage, `seed ${SEED}`).toEqual([]);
  expect(tally.kills).toBeGreaterThanOrEqual(KILLS);
}, 3_600_000);
