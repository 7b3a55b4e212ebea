import { expect, test } from "vitest";
import { lookEveryMs, type OwnPace, ownPace } from "../../src/fleet/hearing/pace.ts";
import { seededRng } from "../../src/platform/rng.ts";
import { ProviderError } from "../../src/providers/errors.ts";
import type { Capabilities, Provider } from "../../src/providers/provider.ts";

const capabilities = (noticeSeconds: number, kind: "process" | "vm" = "vm", listEvery: Capabilities["listEvery"] = null) =>
  ({ noticeSeconds, machine: { kind }, listEvery, pollMs: 1_000 }) as Capabilities;

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

const at = (state: { now: number }) => ({ now: () => state.now, monotonic: () => state.now, sleep: () => Promise.resolve() });
const limited = (retryAfterMs: number | null) => new ProviderError("aws", { kind: "rate-limited", retryAfterMs }, "slow down");

/** When it is listed within the next so many milliseconds; `answers` says what each list comes to. */
function listedAt(pace: OwnPace, clock: { now: number }, provider: Provider, forMs: number, answers: () => unknown = () => null) {
  const times: number[] = [];
  for (const end = clock.now + forMs; clock.now < end; clock.now += 250) {
    if (!pace.isDue(provider)) continue;
    times.push(clock.now);
    const error = answers();
    pace.listed(provider, error === null ? [] : "no", error ?? undefined);
  }
  return times;
}

test("two watches that began together do not ask in step", () => {
  const provider = { id: "aws", capabilities: { ...capabilities(3_600), pollMs: 5_000 } } as Provider;
  const times = [7, 8].map((seed) => {
    const own = { now: 0 };
    return listedAt(ownPace(at(own), seededRng(seed)), own, provider, 600_000);
  });
  expect(times[0]).not.toEqual(times[1]);
  for (const series of times)
    for (const [index, time] of series.entries()) {
      const pause = time - (series[index - 1] ?? time - 30_000);
      expect(pause).toBeGreaterThanOrEqual(26_500);
      expect(pause).toBeLessThanOrEqual(33_000);
    }
});

test("whoever fails again and again is asked less and less, but never less than four times in a notice", () => {
  const clock = { now: 0 };
  const pace = ownPace(at(clock));
  const provider = { id: "aws", capabilities: { ...capabilities(120), pollMs: 5_000 } } as Provider;
  const times = listedAt(pace, clock, provider, 300_000, () => new ProviderError("aws", { kind: "unavailable" }, "down"));
  const pauses = times.slice(1).map((time, index) => time - (times[index] ?? 0));
  expect(pauses[0]).toBeLessThanOrEqual(2_000);
  expect(Math.max(...pauses)).toBeLessThanOrEqual(30_000);
  expect(pauses.at(-1)).toBeGreaterThan(25_000);
  expect(pace.silent()).toEqual([{ provider: "aws", why: "no" }]);
  expect(listedAt(pace, clock, provider, 60_000).length).toBeGreaterThan(20);
  expect(pace.silent()).toEqual([]);
});

test("Retry-After is honoured as far as a notice allows, and said where it is not", () => {
  const clock = { now: 0 };
  const pace = ownPace(at(clock));
  const provider = { id: "aws", capabilities: { ...capabilities(120), pollMs: 5_000 } } as Provider;
  let asks = 0;
  const [, second] = listedAt(pace, clock, provider, 20_000, () => (asks++ === 0 ? limited(15_000) : null));
  expect(second).toBeGreaterThanOrEqual(14_500);
  expect(pace.warnings()).toEqual([]);
  asks = 0;
  const [first = 0, next = 0] = listedAt(pace, clock, provider, 40_000, () => (asks++ === 0 ? limited(600_000) : null));
  expect(next - first).toBeLessThanOrEqual(30_000);
  expect(next - first).toBeGreaterThan(25_000);
  asks = 0;
  listedAt(pace, clock, provider, 3_000, () => limited(600_000));
  expect(pace.warnings()).toEqual([
    { provider: "aws", message: "aws wants no question for 10m; a notice there lasts 2m, so it is asked again after 30s" },
  ]);
});

test("under notice a provider is listed more often, and after a broken connection at once", () => {
  const clock = { now: 0 };
  const pace = ownPace(at(clock));
  const provider = { id: "gcp", capabilities: { ...capabilities(30, "vm", { ms: 15_000, why: "" }), pollMs: 3_000 } } as Provider;
  expect(listedAt(pace, clock, provider, 30_000)).toHaveLength(3);
  clock.now += 5_000;
  pace.hasten("gcp");
  expect(pace.isDue(provider)).toBe(true);
  pace.listed(provider, []);
  expect(pace.isDue(provider)).toBe(false);
  pace.hurry(new Set(["gcp"]));
  expect(listedAt(pace, clock, provider, 30_000).length).toBeGreaterThanOrEqual(6);
  pace.hurry(new Set());
  expect(listedAt(pace, clock, provider, 30_000).length).toBeLessThanOrEqual(3);
  pace.forget();
  expect(pace.isDue(provider)).toBe(true);
});
