import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import type { FleetEvent } from "../../src/model/event.ts";
import { EXIT, type ExitCode } from "../../src/model/exit-codes.ts";
import { seededRng } from "../../src/platform/rng.ts";
import type { State } from "../../src/state/records.ts";
import { emptySchema, hasPostgres } from "../postgres.ts";
import { askCloud, clearHome, type Ended, type Running, runSpot, startSpot } from "../processes/spot.ts";
import { openAt } from "../state/databases.ts";

const TAKEOVERS = Number(process.env["SPOT_TAKEOVERS"] ?? "20");
/** Of a process that nobody can know to be dead: each of them takes as long as a lease. */
const FAR_TAKEOVERS = Number(process.env["SPOT_FAR_TAKEOVERS"] ?? "3");
const SEED = Number(process.env["SPOT_SEED"] ?? String(Date.now() % 1_000_000));
const NOTICE_MS = 800;
/** After two reclaims an instance makes room for another one: the third would begin to burn its zone. */
const RECLAIMS_EACH = 2;
const WORKERS = 3;

/** One home, or two as of two computers with one state and one account. */
interface Pair {
  readonly homes: readonly [string, string];
  readonly env: Readonly<Record<string, string>>;
  readonly state: State;
}

/** The second home's embedded cloud is the first one's: what both can reach. */
async function pairOn(stateUrl: string | null): Promise<Pair> {
  const [home, other] = [mkdtempSync(join(tmpdir(), "spot-two-")), mkdtempSync(join(tmpdir(), "spot-two-"))] as const;
  mkdirSync(join(home, "local"), { mode: 0o700 });
  symlinkSync(join(home, "local"), join(other, "local"));
  const state = await openAt(stateUrl ?? join(home, "state.db"));
  onTestFinished(async () => {
    await state.close();
    await clearHome(home);
    rmSync(other, { recursive: true, force: true });
  });
  return stateUrl === null ? { homes: [home, home], env: {}, state } : { homes: [home, other], env: { SPOT_STATE_URL: stateUrl }, state };
}

async function until<Result>(what: string, look: () => Promise<Result | undefined>, limitMs = 120_000): Promise<Result> {
  const end = performance.now() + limitMs;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (performance.now() > end) throw new Error(`not within ${limitMs} ms: ${what}`);
    await pause(20);
  }
}

async function allEvents(state: State): Promise<readonly FleetEvent[]> {
  const events: FleetEvent[] = [];
  for (;;) {
    const more = await state.events({ afterSeq: events.at(-1)?.seq ?? 0 });
    if (more.length === 0) return events;
    events.push(...more);
  }
}

async function changesSince(state: State, afterSeq: number): Promise<readonly FleetEvent[]> {
  return (await state.events({ afterSeq })).filter(({ data }) => data["action"] === "controller");
}

interface Rivals {
  /** From each death to the other's first act, in milliseconds. */
  readonly tookMs: readonly number[];
  /** Ends the one who acts, now, and waits until the other one does, and until a third one stands by. */
  end(how: NodeJS.Signals): Promise<Ended>;
  over(how: NodeJS.Signals): Promise<readonly Ended[]>;
}

/** Two that would act, one after the other killed, or ended, and started again. */
async function rivalsOf({ homes, env, state }: Pair, by: readonly string[] = []): Promise<Rivals> {
  const tookMs: number[] = [];
  let started = 0;
  const begun: Running[] = [];
  onTestFinished(() => {
    for (const each of begun) each.kill();
  });
  const begin = () => {
    const running = startSpot(homes[started++ % 2] ?? "", ["watch", "--act"], { env, by });
    begun.push(running);
    return running;
  };
  const second = async () => {
    const running = begin();
    let end: Ended | undefined;
    void running.ended.then((ended) => {
      end = ended;
    });
    await until("the second stands by", async () => {
      if (end !== undefined) throw new Error(`it ended with ${end.code}: ${end.stderr}`);
      return running.said().includes("standing by") || undefined;
    });
    return running;
  };
  const seq = await state.lastSeq();
  let acting = begin();
  await until("the first acts", async () => (await changesSince(state, seq))[0]);
  let waiting = await second();
  return {
    tookMs,
    async end(how) {
      const before = await state.lastSeq();
      const at = Date.now();
      acting.kill(how);
      const change = await until("the other one acts", async () => (await changesSince(state, before))[0]);
      tookMs.push(change.at - at);
      const ended = await acting.ended;
      acting = waiting;
      waiting = await second();
      return ended;
    },
    over(how) {
      for (const each of [waiting, acting]) each.kill(how);
      return Promise.all([waiting.ended, acting.ended]);
    },
  };
}

interface CloudInstance {
  readonly id: string;
  readonly name: string;
  readonly clientToken: string | null;
  readonly state: string;
}

const cloudInstances = async ({ homes }: Pair) =>
  (await askCloud(homes[0], "/v1/instances?limit=1000"))["instances"] as readonly CloudInstance[];

/**
 * Everything that was done twice, by the books of the cloud and by ours: two machines for one generation of an instance; a
 * machine that came of a promise which somebody else had given up; two that adopted, lost, discarded or ended one machine;
 * what is not as it should be at the end.
 */
async function doneTwice(pair: Pair): Promise<readonly string[]> {
  const { state } = pair;
  const found: string[] = [];
  const machines = await cloudInstances(pair);
  const generations = new Map<string, string[]>();
  for (const { id, clientToken } of machines) {
    const intent = clientToken === null ? undefined : await state.intentByToken(clientToken);
    if (intent === undefined) found.push(`${id} carries no token of ours`);
    else if (intent.status !== "done") found.push(`${id} came of a promise that is ${intent.status}`);
    else {
      const key = `${intent.instanceId} generation ${intent.detail["generation"]}`;
      generations.set(key, [...(generations.get(key) ?? []), id]);
    }
  }
  for (const [key, ids] of generations) if (ids.length > 1) found.push(`${key} has had ${ids.join(" and ")}`);
  const events = await allEvents(state);
  const once = events.filter(({ data }) => ["launch", "lost", "end-stray"].includes(String(data["action"])));
  for (const [index, event] of once.entries()) {
    const [action, id] = [event.data["action"], event.data["providerId"]];
    const before = once.slice(0, index).find(({ data }) => data["action"] === action && data["providerId"] === id);
    if (before !== undefined) found.push(`${action} of ${id} in events ${before.seq} and ${event.seq}`);
    if (action === "end-stray") found.push(`${id} was a stray`);
  }
  for (const intent of await state.pendingIntents()) found.push(`the ${intent.kind} intent ${intent.id} is open`);
  const living = machines.filter(({ state: word }) => word !== "terminated");
  const records = await state.instances();
  if (living.length !== records.length) found.push(`${living.length} machines for ${records.length} records`);
  for (const { name, providerId } of records)
    if (!living.some(({ id }) => id === providerId)) found.push(`the machine ${providerId} of ${name} is not there`);
  return found;
}

async function must(pair: Pair, ...argv: readonly string[]): Promise<void> {
  await endsWith([EXIT.done], pair, argv);
}

async function endsWith(codes: readonly ExitCode[], pair: Pair, argv: readonly string[]): Promise<void> {
  const ended = await runSpot(pair.homes[0], argv, { env: pair.env });
  if (!codes.some((code) => code === ended.code)) throw new Error(`${argv.join(" ")}: ${ended.code} ${ended.stderr}`);
}

/** Machines to be reclaimed, and who stands in for those that were reclaimed often enough. */
function workers(pair: Pair) {
  const names: { name: string; reclaims: number }[] = [];
  let serial = 0;
  const hire = async () => {
    const name = `w${++serial}`;
    await must(pair, "up", "--name", name, "--yes", "--json", "--volume", "none", "--on-reclaim", "replace", "--", "sleep", "100000");
    names.push({ name, reclaims: 0 });
  };
  return {
    async staff() {
      while (names.length < WORKERS) await hire();
    },
    /** Reclaims one of them; none that is not up. */
    async reclaim(pick: number) {
      const worker = names[Math.floor(pick * names.length)];
      const record = worker === undefined ? undefined : await pair.state.instanceByName(worker.name);
      if (worker === undefined || record?.state !== "running" || record.providerId === null) return;
      worker.reclaims++;
      // Not found: it was lost already, and nobody has seen that yet.
      await endsWith([EXIT.done, EXIT.notFound], pair, [
        "local",
        "reclaim",
        record.providerId,
        "--notice",
        `${NOTICE_MS / 1000}s`,
        "--json",
      ]);
    },
    async relieve() {
      const tired = names.find(({ reclaims }) => reclaims >= RECLAIMS_EACH);
      if (tired === undefined) return;
      names.splice(names.indexOf(tired), 1);
      await Promise.all([must(pair, "down", tired.name, "--yes", "--json", "--timeout", "3m"), hire()]);
    },
  };
}

/** All is up that should be, and nothing is open. */
async function settled({ state }: Pair): Promise<true | undefined> {
  const records = await state.instances();
  const isOpen = (await state.pendingIntents()).length > 0;
  return !isOpen && records.length === WORKERS && records.every(({ state: word }) => word === "running") ? true : undefined;
}

function part(sorted: readonly number[], share: number): number {
  return Math.round(sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0);
}

function tell(what: string, tookMs: readonly number[]): void {
  const sorted = [...tookMs].sort((one, other) => one - other);
  process.stdout.write(
    `  ${what}: ${sorted.length} take-overs, p50 ${part(sorted, 0.5)} ms, p99 ${part(sorted, 0.99)} ms, longest ${part(sorted, 1)} ms\n`,
  );
}

async function reclaimsAndKills(pair: Pair, what: string): Promise<void> {
  const rng = seededRng(SEED);
  await must(pair, "local", "market", "--provisioning", "200ms", "--json");
  const staff = workers(pair);
  await staff.staff();
  const rivals = await rivalsOf(pair);
  for (let count = 1; count <= TAKEOVERS; count++) {
    const reclaim = staff.reclaim(rng.next());
    // Before the notice, in its middle, at the loss, and while another machine is rented.
    await pause(rng.next() * (NOTICE_MS + 2_500));
    await rivals.end("SIGKILL");
    await reclaim;
    if (count % 2 === 0) await staff.relieve();
  }
  const killed = [...rivals.tookMs];
  const ended = await rivals.end("SIGTERM");
  expect(ended.code).toBe(143);
  await until("all is well again", () => settled(pair));
  expect((await rivals.over("SIGTERM")).map(({ code }) => code)).toEqual([143, 143]);
  tell(`${what}, kill -9`, killed);
  tell(`${what}, SIGTERM`, rivals.tookMs.slice(killed.length));
  const events = await allEvents(pair.state);
  const count = (action: string) => events.filter(({ data }) => data["action"] === action).length;
  process.stdout.write(`  ${events.length} events: ${count("launch")} launches, ${count("lost")} machines lost, seed ${SEED}\n`);
  expect(await doneTwice(pair), `seed ${SEED}`).toEqual([]);
  expect(count("controller")).toBeGreaterThanOrEqual(TAKEOVERS + 2);
  expect(count("lost")).toBeGreaterThan(TAKEOVERS / 4);
  // Nobody controls any more, and nobody has left a lease behind.
  expect(await pair.state.lease("controller", Date.now())).toBeUndefined();
}

test(`two of one home, the one who acts killed ${TAKEOVERS} times while machines are reclaimed: the other takes over, nothing is done twice`, async () => {
  await reclaimsAndKills(await pairOn(null), "one SQLite home");
}, 7_200_000);

test.skipIf(!hasPostgres())(
  `two homes on one PostgreSQL, the one who acts killed ${TAKEOVERS} times while machines are reclaimed: nothing is done twice`,
  async () => {
    await reclaimsAndKills(await pairOn((await emptySchema()).url), "two homes on one PostgreSQL");
  },
  7_200_000,
);

/** Processes that do not see each other by their numbers are for each other those of another computer. */
const APART = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"];
const canBeApart = spawnSync(APART[0] ?? "", [...APART.slice(1), "true"]).status === 0;

test.skipIf(!hasPostgres() || !canBeApart)(
  `two computers on one PostgreSQL, the one who acts killed ${FAR_TAKEOVERS} times: the other takes over when the lease has run out, never before`,
  async () => {
    const pair = await pairOn((await emptySchema()).url);
    const rivals = await rivalsOf(pair, APART);
    const rng = seededRng(SEED);
    for (let count = 1; count <= FAR_TAKEOVERS; count++) {
      await pause(rng.next() * 6_000);
      await rivals.end("SIGKILL");
    }
    // What stands in front of them hears no other signal.
    await rivals.over("SIGKILL");
    tell("two computers on one PostgreSQL, kill -9", rivals.tookMs);
    // A lease of 20 s, renewed every 5 s.
    expect(Math.min(...rivals.tookMs)).toBeGreaterThan(14_000);
  },
  7_200_000,
);
