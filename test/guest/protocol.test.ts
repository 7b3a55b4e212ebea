import { expect, test } from "vitest";
import { parseGuestError, parseGuestStatus, parseSnapshotResult } from "../../src/guest/protocol.ts";

const sealed = {
  id: "c-20261121T053818Z-00000014",
  files: 1,
  bytes: 2,
  sha256: "a".repeat(64),
  step: null,
  reason: "manual",
  createdAt: 5,
  unchanged: false,
};

test("the last line is the answer, whatever was printed before", () => {
  expect(parseSnapshotResult(`noise\n${JSON.stringify(sealed)}\n`)).toEqual({ kind: "sealed", checkpoint: sealed });
  expect(parseSnapshotResult('{"empty":true}\n')).toEqual({ kind: "empty" });
  expect(parseGuestError('{"error":"full"}\n')).toBe("full");
  expect(parseGuestError("")).toBeUndefined();
});

test.each([
  "",
  "not json",
  "[]",
  "{}",
  JSON.stringify({ ...sealed, id: "../../etc" }),
  JSON.stringify({ ...sealed, bytes: -1 }),
  JSON.stringify({ ...sealed, reason: "bored" }),
])("%j is not taken for an answer", (text) => {
  expect(() => parseSnapshotResult(text)).toThrow(/was not understood/);
  expect(() => parseGuestStatus(text)).toThrow(/was not understood/);
});
