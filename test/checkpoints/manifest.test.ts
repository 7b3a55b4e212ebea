import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  formatManifest,
  type Manifest,
  ManifestDamage,
  type ManifestEntry,
  parseManifest,
  textBytes,
} from "../../src/checkpoints/manifest.ts";
import { CHECKPOINT_REASONS } from "../../src/model/checkpoint.ts";

const byte = fc.integer({ min: 1, max: 255 }).map((code) => String.fromCharCode(code));
const part = fc
  .array(
    byte.filter((character) => character !== "/"),
    { minLength: 1, maxLength: 20 },
  )
  .map((characters) => characters.join(""))
  .filter((name) => name !== "." && name !== "..");
const path = fc.array(part, { minLength: 1, maxLength: 4 }).map((parts) => parts.join("/"));
const common = { path, mode: fc.integer({ min: 0, max: 0o7777 }), mtime: fc.integer({ min: -1_000_000, max: 4_000_000_000 }) };
const hex = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes).toString("hex"));
const entry: fc.Arbitrary<ManifestEntry> = fc.oneof(
  fc.record({ kind: fc.constant("file" as const), ...common, size: fc.integer({ min: 0, max: 2 ** 44 }), sha256: hex }),
  fc.record({ kind: fc.constant("folder" as const), ...common }),
  fc.record({
    kind: fc.constant("link" as const),
    ...common,
    target: fc.array(byte, { minLength: 1, maxLength: 30 }).map((all) => all.join("")),
  }),
);
const manifest: fc.Arbitrary<Manifest> = fc.record({
  id: fc.constant("c-20261121T053818Z-00000014"),
  instance: fc.stringMatching(/^[a-z][a-z0-9-]{0,20}$/),
  volume: fc.option(fc.stringMatching(/^[a-z][a-z0-9]{0,20}$/)),
  created: fc.integer({ min: 0, max: 4_000_000_000 }),
  reason: fc.constantFrom(...CHECKPOINT_REASONS),
  step: fc.option(fc.stringMatching(/^[A-Za-z0-9._:]{1,64}$/)),
  agent: fc.constant("1"),
  entries: fc.array(entry, { maxLength: 12 }),
});

/** The body with an end line that is right for it. */
function sealedText(body: string): Buffer {
  return Buffer.from(`${body}end ${createHash("sha256").update(body, "latin1").digest("hex")}\n`, "latin1");
}

const header = "spot.manifest/1\nid c-1\ninstance train\nvolume disk\ncreated 5\nreason manual\nstep -\nagent 1\nfiles 0\nbytes 0\n";

describe("parse and format", () => {
  test("are each other's inverse, whatever the names", () => {
    fc.assert(
      fc.property(manifest, (value) => {
        expect(parseManifest(formatManifest(value))).toEqual(value);
      }),
    );
  });

  test("any change of any byte is found", () => {
    fc.assert(
      fc.property(manifest, fc.nat(), fc.integer({ min: 1, max: 255 }), (value, place, flip) => {
        const bytes = formatManifest(value);
        const at = place % bytes.length;
        bytes[at] = (bytes[at] ?? 0) ^ flip;
        expect(() => parseManifest(bytes)).toThrow(ManifestDamage);
      }),
    );
  });

  test("any cut is found", () => {
    fc.assert(
      fc.property(manifest, fc.nat(), (value, place) => {
        const bytes = formatManifest(value);
        expect(() => parseManifest(bytes.subarray(0, place % bytes.length))).toThrow(ManifestDamage);
      }),
    );
  });
});

test("the text is the one that agents write", () => {
  const text = formatManifest({
    id: "c-1",
    instance: "train",
    volume: null,
    created: 5,
    reason: "notice",
    step: "12",
    agent: "1",
    entries: [
      { kind: "folder", path: "a", mode: 0o755, mtime: 3 },
      { kind: "file", path: textBytes("a/ü\n\t\\"), mode: 0o640, mtime: 4, size: 2, sha256: "0".repeat(64) },
      { kind: "link", path: "b", mode: 0o777, mtime: 4, target: "a\n" },
    ],
  }).toString();
  expect(text.split("\n").slice(0, -2)).toEqual([
    "spot.manifest/1",
    "id c-1",
    "instance train",
    "volume -",
    "created 5",
    "reason notice",
    "step 12",
    "agent 1",
    "files 1",
    "bytes 2",
    "d - 0 755 3 a",
    `f ${"0".repeat(64)} 2 640 4 a/ü\\n\\t\\\\`,
    "l - 0 777 4 b\ta\\n",
  ]);
});

test.each([
  ["a path that leads out", `${header}d - 0 755 1 ../x\n`],
  ["an absolute path", `${header}d - 0 755 1 /etc\n`],
  ["a path with a dot", `${header}d - 0 755 1 a/./b\n`],
  ["an unknown escape", `${header}d - 0 755 1 a\\x\n`],
  ["a file without a hash", `${header.replace("files 0", "files 1")}f - 0 644 1 a\n`],
  ["a folder with a hash", `${header}d ${"0".repeat(64)} 0 755 1 a\n`],
  ["a link without a target", `${header}l - 0 777 1 a\n`],
  ["an unknown kind", `${header}x - 0 755 1 a\n`],
  ["totals that differ", header.replace("files 0", "files 1")],
  ["an unknown reason", header.replace("manual", "bored")],
  ["a missing line", header.replace("step -\n", "")],
  ["another version", header.replace("manifest/1", "manifest/2")],
  ["a number that is none", header.replace("created 5", "created soon")],
])("%s is refused even under a right hash", (_, body) => {
  expect(() => parseManifest(sealedText(body))).toThrow(ManifestDamage);
  expect(parseManifest(sealedText(header)).instance).toBe("train");
});
