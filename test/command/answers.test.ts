import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { describeCommands } from "../../src/describe-commands.ts";
import { decisionsOf } from "../../src/output/decisions-view.ts";
import { eventText } from "../../src/output/event-text.ts";
import { eventJson } from "../../src/output/json.ts";
import { plainPainter } from "../../src/output/painter.ts";
import { deadline } from "../../src/platform/clock.ts";
import { openState } from "../../src/state/open.ts";
import { sampleEvent, sampleInstance } from "../state/sample-records.ts";
import { spot, type TestWorld, testWorld } from "../world.ts";
import { cloudWorld, data, machines, must } from "./cloud.ts";

/** Without `local`: a cloud that cannot be asked, since nobody has logged in. */
const UNHEARD = ["--provider", "ppio"];

test("a mistake in the words says what to run next, for people and for scripts", async () => {
  const lines = [
    ["watch", "--since", "-5m"],
    ["budget", "set", "abc"],
    ["budget", "set", "5", "--at-cap", "sleep"],
    ["up", "--on-reclaim", "sleep", "--yes", "--", "true"],
    ["up", "--fallback-after", "soon", "--yes", "--", "true"],
    ["service", "install", "--systemd", "--cron"],
  ];
  for (const line of lines) {
    const verb = line.slice(0, line[0] === "budget" || line[0] === "service" ? 2 : 1).join(" ");
    const { code, stderr, stdout } = await spot(testWorld(), ...line);
    expect([code, stdout, stderr], line.join(" ")).toEqual([2, "", expect.stringContaining(`next: spot ${verb} --help`)]);
  }
  const { stderr } = await spot(testWorld(), "budget", "set", "abc", "--json");
  expect(JSON.parse(stderr).error).toMatchObject({ code: "SPOT_E_USAGE", next: ["spot budget set --help"] });
});

test("what orphans could not be told is not called nothing", async () => {
  const unheard = await spot(testWorld(), "orphans", ...UNHEARD);
  expect([unheard.code, unheard.stdout]).toEqual([6, "No orphans seen, but not everything was told by: ppio.\n"]);
  const adopted = await spot(testWorld(), "adopt", "--all", ...UNHEARD, "--yes");
  expect([adopted.code, adopted.stdout]).toEqual([6, "Nothing to take over was seen, but not everything was told by: ppio.\n"]);
  const both = await spot(testWorld(), "adopt", "i-1", "--all", "--yes");
  expect([both.code, both.stderr]).toEqual([2, expect.stringContaining("contradict each other")]);
});

test("a plan that could not be kept anywhere is refused before a cloud is asked, in words", async () => {
  const world = testWorld();
  const folder = join(world.home, "folder");
  mkdirSync(folder);
  for (const [place, words] of [
    [join(world.home, "nowhere", "plan.json"), `there is no folder ${join(world.home, "nowhere")}`],
    [folder, "is a folder"],
    ["", "no name of a file"],
  ] as const) {
    const { code, stderr } = await spot(world, "orphans", "--save", place, ...UNHEARD);
    expect([code, stderr], place).toEqual([2, expect.stringContaining(words)]);
    expect(stderr).not.toContain("asking");
  }
  const read = await spot(world, "reap", folder, "--yes");
  expect([read.code, read.stderr]).toEqual([2, expect.stringContaining(`${folder} is a folder, and no plan`)]);
  // Nobody can write there, not even root.
  const unwritten = await spot(world, "orphans", "--save", "/proc/plan.json", ...UNHEARD);
  if (existsSync("/proc/self"))
    expect([unwritten.code, unwritten.stderr]).toEqual([1, expect.stringContaining("the plan was not written to /proc/plan.json")]);
});

test("a plan that is a pipe into which nobody writes keeps nobody waiting", async () => {
  const world = testWorld();
  const pipe = join(world.home, "pipe");
  execFileSync("sh", ["-c", 'mkfifo "$0"', pipe]);
  const { code, stderr } = await spot(world, "reap", pipe, "--yes");
  expect([code, stderr]).toEqual([2, expect.stringContaining(`there is no file ${pipe}`)]);
});

/** A log of three events, the last one of now. */
async function withEvents(): Promise<TestWorld> {
  const world = testWorld();
  const state = await openState(join(world.home, "state.db"));
  const at = world.clock.now();
  await state.commit({ events: [1, 2, 3].map((index) => sampleEvent({ at, instance: `i${index}` })) });
  await state.close();
  return world;
}

const brief = ["--timeout", "300ms"];

test("a watch whose time is up says so, in the words of every other command", async () => {
  const plain = await spot(testWorld(), "watch", ...brief);
  expect([plain.code, plain.stderr]).toEqual([124, "error: the time was up (--timeout 300ms)\n  next: spot ls\n"]);
  const { code, stderr } = await spot(testWorld(), "watch", ...brief, "--json");
  expect([code, JSON.parse(stderr)]).toMatchObject([124, { schema: "spot.error/1", error: { code: "SPOT_E_TIMEOUT", retryable: true } }]);
});

test("a watch tells in the format that was asked for: chosen fields by tabs, YAML as documents", async () => {
  const world = await withEvents();
  const columns = await spot(testWorld({ home: world.home }), "watch", "--since", "1", ...brief, "-o", "columns=seq,instance,policy");
  expect(columns.stdout).toBe("2\ti2\t-\n3\ti3\t-\n");
  const yaml = await spot(testWorld({ home: world.home }), "watch", "--since", "2", ...brief, "-o", "yaml");
  const { parseAllDocuments } = await import("yaml");
  expect(parseAllDocuments(yaml.stdout).map((document) => document.toJS())).toMatchObject([{ schema: "spot.event/1", seq: 3 }]);
});

test("on a narrow terminal what is wrong is not cut off at the edge", async () => {
  const world = testWorld();
  const state = await openState(join(world.home, "state.db"));
  await state.commit({ addInstance: sampleInstance("train", { provider: "ppio", providerId: "p-1" }) });
  await state.close();
  const watched = await spot(testWorld({ home: world.home, isTTY: true, columns: 50 }), "watch", "--timeout", "1500ms");
  expect(watched.stdout.replaceAll(/\s+/g, " ")).toContain("spot provider login ppio");
});

test("a seq of another log does not make a watch deaf", async () => {
  const world = await withEvents();
  const { seqBefore } = await import("../../src/fleet/hearing/tail.ts");
  const state = await openState(join(world.home, "state.db"));
  expect(await seqBefore(state, "99999999", 0)).toBe(3);
  expect(await seqBefore(state, "2", 0)).toBe(2);
  await state.close();
  const { stderr } = await spot(testWorld({ home: world.home }), "watch", "--since", "99999999", ...brief);
  expect(stderr).toContain("there is no event 99999999: the newest is 3");
});

test("a line about another day has its date; the type of a machine does not hide behind that of its event", () => {
  const data = { action: "launch", type: "a10g.1", zone: "east-a" };
  const event = { seq: 1, at: Date.parse("2026-01-31T23:59:58Z"), type: "action" as const, instance: "train", provider: "local", data };
  expect(eventText(event, plainPainter, event.at + 1_000)).toBe("23:59:58  train         got a10g.1 in east-a");
  expect(eventText(event, plainPainter, event.at + 60_000)).toBe("2026-01-31 23:59:58  train         got a10g.1 in east-a");
  expect(eventJson(event)).toMatchObject({ type: "action", machineType: "a10g.1" });
  // Money is money, also in an event's own fields.
  const paid = eventJson({ ...event, data: { price: "18.5CNY" } });
  expect(paid["price"]).toEqual({ amount: "18.500000", currency: "CNY", per: "hour", of: "instance" });
});

test("what was heard of the machine before is not said of the one that took its place", async () => {
  const world = testWorld();
  const state = await openState(join(world.home, "state.db"));
  const now = world.clock.now();
  const record = sampleInstance("train", { providerId: "li-new", ttlEndsAt: now + 3_600_000 });
  const guard = { instanceId: record.id, heartbeatAt: now - 60_000, askedAt: now, silentAt: now, warned: true };
  const shown = async (providerId: string) => {
    await state.commit({ guards: [{ ...guard, providerId }] });
    return JSON.parse((await spot(testWorld({ home: world.home }), "ls", "--json")).stdout).data[0].guard;
  };
  await state.commit({ addInstance: record });
  expect(await shown("li-old")).toMatchObject({ heartbeatAt: null, silentSince: null });
  expect((await spot(testWorld({ home: world.home, columns: 200 }), "ls")).stdout).toContain("agent, not asked yet");
  expect(await shown("li-new")).toMatchObject({ silentSince: new Date(now).toISOString() });
  await state.close();
});

test("reconcile --dry-run says what a pass would do, and does nothing; a watch does not pretend to", async () => {
  const world = await cloudWorld();
  await must(world, "up", "--name", "train", "--volume", "train:1:/data", "--yes", "--", "sleep", "1000");
  const log = async () => JSON.stringify((await data(world, "show", "train")).events);
  expect(await data(world, "reconcile", "--dry-run")).toEqual([{ what: "train", outcome: "settled", why: null }]);
  await must(world, "local", "reclaim", "train", "--notice", "0");
  await expect.poll(() => machines(world), { timeout: 20_000 }).toBe(0);
  const before = await log();
  const dry = await must(world, "reconcile", "--dry-run", "--json");
  expect(JSON.parse(dry.stdout)).toEqual({
    schema: "spot.reconcile/1",
    data: [{ what: "train", outcome: "would-note-lost", why: expect.stringContaining("gone") }],
  });
  expect(await log()).toBe(before);
  expect(await machines(world)).toBe(0);
  await must(world, "reconcile");
  expect(await machines(world)).toBe(1);
  const acting = await spot(world, "watch", "--act", "--dry-run");
  expect([acting.code, acting.stderr]).toEqual([2, expect.stringContaining("next: spot watch")]);
});

test("--timeout ends a program on our streams, and keeps its exit code otherwise", async () => {
  const { runOnStreams } = await import("../../src/platform/attached-program.ts");
  const env = { PATH: process.env["PATH"] };
  const late = deadline(new AbortController().signal, 100);
  await expect(runOnStreams(["sleep", "600"], null, { env, signal: late.signal })).rejects.toMatchObject({ name: "TimeoutError" });
  const intime = deadline(new AbortController().signal, 600_000);
  expect(await runOnStreams(["sh", "-c", "exit 7"], null, { env, signal: intime.signal })).toBe(7);
  intime.done();
  late.done();
});

test("a wish that a budget had is not called a command's", () => {
  const wish = (reason?: string) => ({
    seq: 1,
    at: 1,
    type: "action" as const,
    instance: "a",
    provider: "local",
    data: { action: "wish", reason },
  });
  const told = decisionsOf([wish("the total budget of $5.00 is reached"), wish()]);
  expect(told.map(({ because }) => because)).toEqual(["the total budget of $5.00 is reached", "a command asked for it"]);
});

test("no flag has a name that node itself takes off the command line, wherever it stands", async () => {
  const flags = JSON.stringify(await describeCommands()).match(/--[a-z-]+/g) ?? [];
  expect(flags.length).toBeGreaterThan(50);
  expect(flags.filter((flag) => /^--env-file(-if-exists)?$/.test(flag))).toEqual([]);
});
