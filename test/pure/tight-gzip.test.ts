import { gunzipSync, gzipSync } from "node:zlib";
import fc from "fast-check";
import { expect, test } from "vitest";
import { tightGzip } from "../../src/model/tight-gzip.ts";
import { agentSource } from "../guest/machine.ts";

test("whatever is packed comes out again", () => {
  const words = fc.array(fc.constantFrom("a", "b", "spot ", "\n", "checkpoint", "ü", "0".repeat(300), "ab".repeat(40)), { maxLength: 400 });
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        words.map((list) => list.join("")),
      ),
      (text) => {
        expect(gunzipSync(tightGzip(text)).toString()).toBe(text);
      },
    ),
    { numRuns: 60 },
  );
});

test.each([
  ["nothing", ""],
  ["one byte", "a"],
  ["one byte for long", "a".repeat(4_000)],
  ["every byte", Buffer.from([...Array(256).keys()]).toString("latin1")],
  ["what is too long to be tried", "ab c".repeat(100_000)],
])("%s is packed", (_, text) => {
  expect(gunzipSync(tightGzip(text)).toString()).toBe(text);
});

test("the agent is packed three percent tighter than by zlib, to the same bytes each time", () => {
  const tight = tightGzip(agentSource);
  expect(tight.length).toBeLessThan(0.97 * gzipSync(agentSource, { level: 9 }).length);
  expect(tightGzip(agentSource).equals(tight)).toBe(true);
  expect(gunzipSync(tight).toString()).toBe(agentSource);
});
