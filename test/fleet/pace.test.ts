import { expect, test } from "vitest";
import { lookEveryMs, ownPace } from "../../src/fleet/pace.ts";
import type { Capabilities, Provider } from "../../src/providers/provider.ts";

const capabilities = (noticeSeconds: number, kind: "process" | "vm" = "vm", listEvery: Capabilities["listEvery"] = null) =>
  ({ noticeSeconds, machine: { kind }, listEvery }) as Capabilities;

test.each([
  ["the embedded cloud", capabilities(120, "process"), 1_000],
  ["thirty seconds of notice", capabilities(30), 1_000],
  ["two minutes", capabilities(120), 2_000],
  ["five minutes", capabilities(300), 5_000],
  ["an hour", capabilities(3_600), 30_000],
  ["none at all", capabilities(0), 10_000],
  ["a cloud that knows better", capabilities(120, "vm", { ms: 15_000, why: "its rate limit" }), 15_000],
])("%s", (_what, of, ms) => {
  expect(lookEveryMs(of)).toBe(ms);
});

test("each provider keeps its own pace, and is listed at once the first time", () => {
  let now = 0;
  const pace = ownPace({ now: () => now, monotonic: () => now, sleep: () => Promise.resolve() });
  const slow = { id: "slow", capabilities: capabilities(3_600) } as Provider;
  const quick = { id: "quick", capabilities: capabilities(30) } as Provider;
  const due = () => [slow, quick].filter(pace.isDue).map(({ id }) => id);
  expect(due()).toEqual(["slow", "quick"]);
  now = 1_000;
  expect(due()).toEqual(["quick"]);
  now = 29_000;
  expect(due()).toEqual(["quick"]);
  now = 30_000;
  expect(due()).toEqual(["slow", "quick"]);
});
