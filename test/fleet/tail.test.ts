import { join } from "node:path";
import { expect, test } from "vitest";
import { isAbout, readOn, seqBefore } from "../../src/fleet/hearing/tail.ts";
import type { FleetEvent } from "../../src/model/event.ts";
import { systemClock } from "../../src/platform/clock.ts";
import { openState } from "../../src/state/open.ts";
import { sampleEvent, sampleInstance } from "../state/sample-records.ts";
import { writersOfThisFile } from "../state/writers.ts";
import { temporaryFolder } from "../world.ts";

const start = writersOfThisFile();
const never = new AbortController().signal;

test("a replay goes over into the tail without a gap and without a repeat, while other processes write", async () => {
  const path = join(temporaryFolder(), "state.db");
  const state = await openState(path);
  await state.commit({
    addInstance: sampleInstance("counter", { generation: 0 }),
    events: Array.from({ length: 1_200 }, () => sampleEvent()),
  });
  const [writers, rounds] = [3, 60];
  const ended = Promise.all(Array.from({ length: writers }, (_, id) => start(path, id, rounds).ended));
  let isOver = false;
  const over = ended.then(() => {
    isOver = true;
  });
  const seen: number[] = [];
  for (let seq = 0, last = false; ; ) {
    seq = await readOn(state, seq, never, (events) => void seen.push(...events.map((event) => event.seq)));
    if (last) break;
    last = isOver;
    await systemClock.sleep(5);
  }
  await over;
  expect(await ended).toEqual(Array.from({ length: writers }, () => ({ end: 0, stderr: "" })));
  expect(seen).toEqual(Array.from({ length: 1_200 + 2 * writers * rounds }, (_, index) => index + 1));
  await state.close();
});

test("where a replay begins: a number, a time back, a date, or now", async () => {
  const state = await openState(":memory:");
  for (const at of [1_000, 2_000, 3_000]) await state.commit({ events: [sampleEvent({ at })] });
  expect(await seqBefore(state, undefined, 3_000)).toBe(3);
  expect(await seqBefore(state, "2", 3_000)).toBe(2);
  expect(await seqBefore(state, "1s", 3_000)).toBe(1);
  expect(await seqBefore(state, "1970-01-01T00:00:03Z", 9_000)).toBe(2);
  expect(await seqBefore(state, "1s", 9_000)).toBe(3);
  await expect(seqBefore(state, "yesterday", 9_000)).rejects.toThrow('--since: "yesterday" is neither a seq, a duration nor a date');
  await state.close();
});

test("an event is about an instance, a provider or a volume", () => {
  const event: FleetEvent = { seq: 1, at: 1, type: "action", instance: null, provider: "aws", data: { volume: "disk" } };
  expect([["aws"], ["disk"], ["train"], []].map((names) => isAbout(names, event))).toEqual([true, true, false, true]);
});
