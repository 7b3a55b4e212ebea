import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as v from "valibot";
import { expect, onTestFinished, test } from "vitest";
import { keptAnswers } from "../../src/providers/kept-answers.ts";

const AGE = { maxAgeMs: 1_000, staleMs: 10_000 };

function shop() {
  const home = mkdtempSync(join(tmpdir(), "spot-kept-"));
  onTestFinished(() => rmSync(home, { recursive: true, force: true }));
  let now = 1_000_000;
  let asked = 0;
  let answer: () => Promise<number> = async () => asked;
  const clock = { now: () => now, monotonic: () => now, sleep: () => Promise.resolve() };
  const open = () => keptAnswers("paper", { home, clock });
  const recent = (kept = open()) =>
    kept.recent("price list", v.number(), AGE, () => {
      asked++;
      return answer();
    });
  return {
    home,
    open,
    recent,
    asked: () => asked,
    pass: (ms: number) => {
      now += ms;
    },
    answers: (next: () => Promise<number>) => {
      answer = next;
    },
  };
}

test("an answer is kept for its time, for other processes too, with the time it was given", async () => {
  const { recent, asked, pass, home } = shop();
  expect(await recent()).toEqual({ value: 1, observedAt: 1_000_000 });
  pass(1_000);
  expect(await recent()).toEqual({ value: 1, observedAt: 1_000_000 });
  pass(1);
  expect(await recent()).toEqual({ value: 2, observedAt: 1_001_001 });
  expect(asked()).toBe(2);
  expect(readdirSync(join(home, "cache"))).toEqual(["paper-price-list.json"]);
});

test("what another process was answered since is read before anybody asks", async () => {
  const { open, recent, asked, pass, answers } = shop();
  const [one, other] = [open(), open()];
  await recent(one);
  pass(600);
  // Still young: the other's file is read by nobody.
  expect(await recent(other)).toEqual({ value: 1, observedAt: 1_000_000 });
  pass(600);
  await recent(other);
  pass(600);
  expect(await recent(one)).toEqual({ value: 2, observedAt: 1_001_200 });
  expect(asked()).toBe(2);
  // Too old to go unasked, and still the youngest that there is.
  pass(9_000);
  answers(() => Promise.reject(new Error("away")));
  expect(await recent(one)).toEqual({ value: 2, observedAt: 1_001_200 });
});

test("when asking fails an older answer stands in, with its own time, but not for ever", async () => {
  const { recent, pass, answers } = shop();
  await recent();
  answers(() => Promise.reject(new Error("away")));
  pass(10_000);
  expect(await recent()).toEqual({ value: 1, observedAt: 1_000_000 });
  pass(1);
  await expect(recent()).rejects.toThrow("away");
});

test("a damaged copy, one of another shape and one from the future are no copies", async () => {
  const { recent, home, asked, pass } = shop();
  await recent();
  const file = join(home, "cache", "paper-price-list.json");
  for (const text of [
    "",
    "{",
    '{"observedAt":999999,"value":"dear"}',
    '{"observedAt":"now","value":1}',
    '{"observedAt":9999999,"value":1}',
  ]) {
    writeFileSync(file, text);
    const before = asked();
    expect((await recent()).value).toBe(before + 1);
  }
  pass(-1_000_000);
  expect((await recent()).observedAt).toBe(0);
});

test("an answer of another shape is thrown, not kept", async () => {
  const { open, home } = shop();
  const wrong = open().recent("x", v.number(), AGE, async () => "text" as unknown as number);
  await expect(wrong).rejects.toThrow();
  expect(() => readdirSync(join(home, "cache"))).toThrow();
});

test("what an address that was moved answers is kept apart: a test server's market is nobody's afterwards", async () => {
  const { home } = shop();
  const clock = { now: () => 5, monotonic: () => 5, sleep: () => Promise.resolve() };
  const recent = async (provider: string, env: Readonly<Record<string, string>>, answer: number) =>
    (await keptAnswers(provider, { home, clock, env }).recent("types", v.number(), AGE, async () => answer)).value;
  expect(await recent("aws", { AWS_ENDPOINT_URL: "http://127.0.0.1:1" }, 1)).toBe(1);
  expect(await recent("aws", { AWS_ENDPOINT_URL: " " }, 2)).toBe(2);
  expect(await recent("aws", { AWS_ENDPOINT_URL: "http://127.0.0.1:2" }, 3)).toBe(3);
  expect(await recent("aws", { AWS_ENDPOINT_URL_EC2: "http://127.0.0.1:1" }, 4)).toBe(4);
  expect(await recent("aws", { SPOT_AWS_ADVISOR_URL: "http://127.0.0.1:1" }, 5)).toBe(5);
  expect(await recent("aws", { AWS_ENDPOINT_URL: "http://127.0.0.1:1", OTHER_URL: "x" }, 6)).toBe(1);
  expect(await recent("aws", {}, 7)).toBe(2);
  expect(await recent("gcp", { SPOT_GCP_API_URL: "http://127.0.0.1:1" }, 8)).toBe(8);
  expect(await recent("gcp", {}, 9)).toBe(9);
});
