import { expect, onTestFinished, test } from "vitest";
import { deliver, type WebhookOptions } from "../../src/commands/watch/webhook.ts";
import { webhookTarget } from "../../src/commands/watch/webhook-target.ts";
import type { HttpRequest, HttpResponse } from "../../src/platform/http.ts";
import { HttpFailure } from "../../src/platform/http.ts";
import { seededRng } from "../../src/platform/rng.ts";
import { openState } from "../../src/state/open.ts";
import type { NewEvent, State } from "../../src/state/records.ts";
import { type VirtualClock, virtualClock } from "../simulation/virtual-clock.ts";
import { sampleEvent } from "../state/sample-records.ts";

const HOUR = 3_600_000;

interface Sent {
  readonly at: number;
  readonly seq: number;
  readonly attempt: number;
  readonly id: string;
}

interface Receiver {
  readonly clock: VirtualClock;
  readonly state: State;
  readonly sent: Sent[];
  readonly warned: NewEvent[];
  /** What it answers; a number is a status, null no answer at all. */
  answer: (sent: Sent) => number | null | Partial<HttpResponse>;
  begin(change?: Partial<WebhookOptions>): { stop(): Promise<void> };
  write(...events: readonly Partial<NewEvent>[]): Promise<void>;
}

const target = webhookTarget("https://example.test/hook?token=s3cret", undefined);

async function receiver(): Promise<Receiver> {
  const clock = virtualClock();
  const state = await openState(":memory:");
  onTestFinished(() => state.close());
  const it: Receiver = {
    clock,
    state,
    sent: [],
    warned: [],
    answer: () => 200,
    begin(change = {}) {
      const over = new AbortController();
      const client = {
        async send({ body = "", headers = {} }: HttpRequest): Promise<HttpResponse> {
          const { event, attempt } = JSON.parse(body);
          const one: Sent = { at: clock.now(), seq: event.seq, attempt, id: headers["spot-event-id"] ?? "" };
          it.sent.push(one);
          await clock.sleep(20);
          const answer = it.answer(one);
          if (answer === null) throw new HttpFailure("reset", true, undefined, "ECONNRESET");
          return { headers: {}, body: "", ...(typeof answer === "number" ? { status: answer } : { status: 200, ...answer }) };
        },
        close: () => Promise.resolve(),
      };
      const work = deliver({
        target,
        client,
        state,
        clock,
        rng: seededRng(1),
        secret: null,
        from: 0,
        accepts: () => true,
        readEveryMs: 1_000,
        signal: over.signal,
        warn: (event) => void it.warned.push(event),
        ...change,
      });
      return {
        async stop() {
          over.abort();
          await clock.run(work);
        },
      };
    },
    async write(...events) {
      await state.commit({ events: events.map((event) => sampleEvent({ at: clock.now(), type: "action", ...event })) });
    },
  };
  return it;
}

const seqs = ({ sent }: Receiver) => sent.map(({ seq }) => seq);

test("what fails is tried again with longer and longer pauses, under one id, and what came meanwhile is not kept waiting", async () => {
  const it = await receiver();
  it.answer = ({ seq }) => (seq === 1 ? 500 : 200);
  await it.write({ instance: "a" }, { instance: "b" }, { instance: "a" }, { instance: null, provider: "aws" });
  const running = it.begin({ readEveryMs: 60_000 });
  await it.clock.pass(10_000);
  expect(new Set(seqs(it).filter((seq) => seq !== 1))).toEqual(new Set([2, 4]));
  await it.clock.pass(3 * HOUR);
  const tries = it.sent.filter(({ seq }) => seq === 1);
  expect(tries.length).toBeGreaterThan(20);
  expect(tries.map(({ attempt }) => attempt)).toEqual(tries.map((_, index) => index + 1));
  expect(new Set(tries.map(({ id }) => id)).size).toBe(1);
  for (const [index, one] of tries.entries()) expect(one.at - (tries[index - 1]?.at ?? one.at)).toBeLessThanOrEqual(301_000);
  it.answer = () => 200;
  await it.clock.pass(HOUR);
  // Those of one instance come in their order.
  expect(seqs(it).at(-1)).toBe(3);
  await running.stop();
  expect(await it.state.cursor(target.cursor)).toMatchObject({ seq: 4 });
});

test("Retry-After is kept, in seconds and as a date, also by what is about other instances", async () => {
  const it = await receiver();
  const start = it.clock.now();
  it.answer = ({ at }) => (at < start + 60_000 ? { status: 429, headers: { "retry-after": "90" } } : 200);
  const running = it.begin();
  await it.write({ instance: "a" });
  await it.clock.pass(200_000);
  expect(it.sent.map(({ at }) => Math.floor((at - start) / 10_000))).toEqual([0, 9]);
  it.sent.length = 0;
  const until = it.clock.now() + 50_000;
  it.answer = ({ at }) => (at < until - 1_000 ? { status: 503, headers: { "retry-after": new Date(until).toUTCString() } } : 200);
  await it.write({ instance: "b" });
  await it.clock.pass(120_000);
  expect(it.sent).toHaveLength(2);
  expect((it.sent[1]?.at ?? 0) - until).toBeGreaterThanOrEqual(-1_000);
  await running.stop();
});

test.each([400, 401, 404, 410, 301, 307])("%d is final: it is said once, and the next event goes out", async (status) => {
  const it = await receiver();
  it.answer = ({ seq }) => (seq === 1 ? status : 200);
  const running = it.begin();
  await it.write({ instance: "a" }, { instance: "a" });
  await it.clock.pass(60_000);
  expect(seqs(it)).toEqual([1, 2]);
  expect(it.warned).toMatchObject([{ type: "warning", instance: "a", data: { hook: "webhook", about: 1 } }]);
  const said = String(it.warned[0]?.data["message"]);
  expect(said).toContain("example.test");
  expect(said).not.toContain("s3cret");
  await running.stop();
});

test.each([408, 425, 429, 500, 503, null])("%s is tried again", async (status) => {
  const it = await receiver();
  it.answer = ({ attempt }) => (attempt === 1 ? status : 200);
  const running = it.begin();
  await it.write({});
  await it.clock.pass(60_000);
  expect(it.sent.map(({ attempt }) => attempt)).toEqual([1, 2]);
  await running.stop();
});

test("a receiver that is down for good is told of nothing that is a day old, and the watch says so", async () => {
  const it = await receiver();
  it.answer = () => null;
  await it.write({ instance: "a" }, { instance: "b" });
  const running = it.begin({ readEveryMs: 600_000 });
  await it.clock.pass(25 * HOUR);
  const before = it.sent.length;
  expect(before).toBeLessThan(2 * 24 * 60);
  await it.clock.pass(HOUR);
  expect(it.sent.length).toBe(before);
  const said = it.warned.map(({ data }) => String(data["message"]));
  expect(said[0]).toContain("does not take what it is told (ECONNRESET)");
  expect(said.filter((text) => text.includes("gave up"))).toHaveLength(2);
  await running.stop();
});

test("a notice that was withdrawn meanwhile is not told any more; its withdrawal is", async () => {
  const it = await receiver();
  it.answer = () => null;
  const running = it.begin();
  await it.write({ type: "notice", instance: "a", data: { kind: "reclaim", deadline: 1 } });
  await it.clock.pass(5_000);
  await it.write({ type: "notice", instance: "a", data: { withdrawn: true } });
  await it.clock.pass(60_000);
  it.sent.length = 0;
  it.answer = () => 200;
  await it.clock.pass(300_000);
  expect(seqs(it)).toEqual([2]);
  await running.stop();
});

test("a watch that starts again goes on where the last one stopped: nothing is lost", async () => {
  const it = await receiver();
  it.answer = ({ seq }) => (seq === 2 ? 500 : 200);
  const first = it.begin();
  await it.write({ instance: "a" }, { instance: "b" }, { instance: "c" });
  await it.clock.pass(5_000);
  await first.stop();
  const kept = await it.state.cursor(target.cursor);
  expect(kept?.seq).toBe(1);
  await it.write({ instance: "d" });
  it.sent.length = 0;
  it.answer = () => 200;
  const second = it.begin({ from: kept?.seq ?? 0 });
  await it.clock.pass(5_000);
  await second.stop();
  // At least once: the third was delivered before, and cannot be known to have been.
  expect(seqs(it).toSorted()).toEqual([2, 3, 4]);
  expect(await it.state.cursor(target.cursor)).toMatchObject({ seq: 4 });
});

test("a thousand events for a receiver that is down wait in the log, not in memory, and all of them come", async () => {
  const it = await receiver();
  it.answer = () => 500;
  await it.write(...Array.from({ length: 1_200 }, (_, index) => ({ instance: `i${index}` })));
  const running = it.begin({ readEveryMs: 5_000 });
  await it.clock.pass(30_000);
  expect(new Set(seqs(it)).size).toBeLessThanOrEqual(500);
  it.answer = () => 200;
  await it.clock.pass(2 * HOUR);
  expect(new Set(seqs(it)).size).toBe(1_200);
  await running.stop();
  expect(it.warned.map(({ data }) => data["message"])).toEqual([
    expect.stringContaining("does not take what it is told"),
    expect.stringContaining("answers again"),
  ]);
});

test("what a hook has brought about is told to nobody's hook", async () => {
  const it = await receiver();
  const running = it.begin();
  await it.write({ type: "warning", data: { message: "x", hook: "webhook" } }, { type: "warning", data: { message: "y" } });
  await it.clock.pass(5_000);
  expect(seqs(it)).toEqual([2]);
  await running.stop();
});
