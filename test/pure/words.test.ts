import fc from "fast-check";
import { expect, test } from "vitest";
import { durationText, parseDuration } from "../../src/model/duration.ts";
import { gpuText } from "../../src/model/gpu.ts";
import { parseGpuQuery } from "../../src/model/gpu-query.ts";
import { newId, requireName } from "../../src/model/ids.ts";
import { INSTANCE_STATES, mayMove } from "../../src/model/instance.ts";
import { nearest, suggestion } from "../../src/model/nearest.ts";
import { notFoundProblem, Problem, usageProblem } from "../../src/model/problem.ts";
import { seededRng } from "../../src/platform/rng.ts";
import { stripControl } from "../../src/platform/terminal.ts";

test.each([
  ["90s", 90_000],
  ["30m", 1_800_000],
  ["8h", 28_800_000],
  ["1h30m", 5_400_000],
  ["250ms", 250],
  ["1.5h", 5_400_000],
  [" 2D ", 172_800_000],
])("%j lasts %d ms", (text, ms) => {
  expect(parseDuration(text)).toBe(ms);
});

test.each(["", "8", "h", "-1h", "0s", "1h x", "1w", "400d", "1h,30m"])("%j is no duration", (text) => {
  expect(() => parseDuration(text)).toThrow(RangeError);
});

test.each([
  [0, "0.0s"],
  [9_940, "9.9s"],
  [45_000, "45s"],
  [500_000, "8m 20s"],
  [11_100_000, "3h 5m"],
  [187_200_000, "2d 4h"],
  [3_600_000, "1h"],
])("%d ms read %s", (ms, text) => {
  expect(durationText(ms)).toBe(text);
});

test("what is written for people can be read again from ten seconds on", () => {
  fc.assert(
    fc.property(fc.integer({ min: 10_000, max: 86_400_000 * 300 }), (ms) => {
      const again = parseDuration(durationText(ms).replace(" ", ""));
      expect(Math.abs(again - ms) / ms).toBeLessThanOrEqual(0.1);
    }),
  );
});

test("a GPU is a model and a count", () => {
  expect(parseGpuQuery("h100")).toEqual({ model: "H100", count: 1 });
  expect(parseGpuQuery("A100-80GB:8")).toEqual({ model: "A100-80GB", count: 8 });
  expect(gpuText({ model: "H100", count: 8 })).toBe("H100×8");
  for (const wrong of ["", ":1", "H100:0", "H100:17", "H100:1.5", "H100:-1", "$(id)", "a\u001b[31m"])
    expect(() => parseGpuQuery(wrong), wrong).toThrow(RangeError);
});

test("ids are different, readable and of one shape", () => {
  const rng = seededRng(7);
  const ids = Array.from({ length: 1000 }, () => newId("i", rng));
  expect(new Set(ids).size).toBe(1000);
  for (const id of ids) expect(id).toMatch(/^i-[0-9a-hjkmnp-tv-z]{16}$/);
});

test("names are safe in every cloud, shell and file system", () => {
  for (const good of ["a", "trainer", "t-1", "a".repeat(40)]) expect(requireName("an instance", good)).toBe(good);
  for (const bad of ["", "A", "1a", "-a", "a-", "a b", "a;rm", "../a", "a\n", "a".repeat(41), "ä", "a\u001b[2J"])
    expect(() => requireName("an instance", bad), JSON.stringify(bad)).toThrow(Problem);
});

test("the nearest word is found, a far one is not invented", () => {
  expect(nearest("h10", ["H100", "A100", "L40S"])).toBe("H100");
  expect(nearest("zzzzzz", ["H100", "A100"])).toBeUndefined();
  expect(suggestion("H10", ["H100", "A100"])).toBe('did you mean "H100"?');
  expect(suggestion("zzzzzz", ["b", "a"])).toBe("known: a, b");
});

test("a known word is its own nearest", () => {
  const words = fc.uniqueArray(fc.stringMatching(/^[a-z]{1,10}$/), { minLength: 1, maxLength: 10 });
  fc.assert(
    fc.property(words, (known) => {
      expect(nearest(known[0] ?? "", known)).toBe(known[0]);
    }),
  );
});

test("a gone instance stays gone; every state may stay what it is", () => {
  for (const state of INSTANCE_STATES) {
    expect(mayMove(state, state)).toBe(true);
    if (state !== "gone") expect(mayMove("gone", state)).toBe(false);
  }
});

test("a problem carries its exit code, and says what to run next", () => {
  expect(usageProblem("no").exit).toBe(2);
  const problem = notFoundProblem("instance", "x", ["spot ls"]);
  expect([problem.exit, problem.code, problem.message, problem.next, problem.retryable]).toEqual([
    9,
    "SPOT_E_NOT_FOUND",
    'no instance named "x"',
    ["spot ls"],
    false,
  ]);
});

test("nothing that a cloud says can steer the terminal", () => {
  expect(stripControl("\u001b[31mred\u001b[0m \u001b]0;title\u0007x\u009b2Jy\u202eevil\u0000")).toBe("red x2Jyevil");
  const hostile = fc.string({
    unit: fc.constantFrom("\u001b", "[", "]", "P", "\\", "\u0007", "3", "m", "a", "\u009d", "\u202e", "\r", "\n", "\t"),
  });
  fc.assert(
    fc.property(hostile, (text) => {
      for (const character of stripControl(text)) {
        const code = character.codePointAt(0) ?? 0;
        expect(code >= 32 || code === 9 || code === 10).toBe(true);
        expect(code < 127 || code > 159).toBe(true);
        expect(character).not.toBe("\u202e");
      }
    }),
  );
});
