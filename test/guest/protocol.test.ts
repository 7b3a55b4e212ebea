import { expect, test } from "vitest";
import {
  parseDamaged,
  parseGuestError,
  parseGuestStatus,
  parsePruned,
  parseReady,
  parseSealed,
  parseSnapshotResult,
  parseVerified,
  parseVolumeResult,
} from "../../src/guest/protocol.ts";

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

test("answers of a rented machine", () => {
  const { unchanged: _, ...checkpoint } = { ...sealed, instance: "train", volume: null };
  const strange = { ...checkpoint, id: "../../etc" };
  expect(parseSealed(JSON.stringify({ sealed: [checkpoint, strange, 7] }))).toEqual([checkpoint]);
  // A copy lies on another volume than the one that its manifest names.
  expect(parseSealed(JSON.stringify({ volume: "elsewhere", sealed: [checkpoint] }))).toEqual([{ ...checkpoint, volume: "elsewhere" }]);
  const broken = { id: "c-1", instance: "train" };
  expect(parseDamaged(JSON.stringify({ sealed: [], damaged: [broken, { ...broken, id: "x" }, 7] }))).toEqual([broken]);
  expect(parseDamaged('{"sealed":[]}')).toEqual([]);
  expect(parseVolumeResult('{"mounted":true,"device":"/dev/disk/by-id/virtio-1","formatted":false}')).toMatchObject({ formatted: false });
  expect(parseVerified(JSON.stringify(sealed))).toEqual({ id: sealed.id, files: 1, bytes: 2, sha256: sealed.sha256 });
  expect(parsePruned('{"pruned":["c-1","c-2"],"freed":4096}')).toEqual({ pruned: ["c-1", "c-2"], freed: 4096 });
  expect(() => parsePruned('{"pruned":["../c-1"],"freed":4096}')).toThrow(/was not understood/);
  expect(parseReady('{"ready":false}')).toBe(false);
  const status = { phase: "expired", awaits: "volume", workloadPid: null, exitCode: 0, startedAt: null, restoredFrom: null, step: null };
  const rest = { lastCheckpoint: null, lastSealSeconds: null, notice: null, heartbeatAt: 1, ttlEndsAt: null };
  expect(parseGuestStatus(JSON.stringify({ ...status, ...rest }))).toMatchObject({ phase: "expired", awaits: "volume" });
});

test.each([
  ["volume", parseVolumeResult, '{"mounted":true,"device":"/etc/passwd","formatted":false}'],
  ["volume", parseVolumeResult, '{"mounted":false,"device":"/dev/vdb","formatted":false}'],
  ["sealed", parseSealed, '{"sealed":{}}'],
  ["verify", parseVerified, '{"id":"c-1","files":1,"bytes":2,"sha256":"short"}'],
  ["ready-http", parseReady, '{"ready":"yes"}'],
])("an answer to %s that is none is refused", (_verb, parse, text) => {
  expect(() => parse(text)).toThrow(/was not understood/);
});
