import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { formatManifest, type Manifest, type ManifestEntry, parseManifest, textBytes } from "../../src/checkpoints/manifest.ts";
import { byteBudget } from "../../src/checkpoints/travel/byte-budget.ts";
import { checked, drain } from "../../src/checkpoints/travel/contents.ts";
import { type FileEntry, OWN_OBJECT_BYTES, planTravel, requireTree } from "../../src/checkpoints/travel/plan.ts";
import { PART_BYTES, partSize } from "../../src/checkpoints/travel/send-object.ts";
import { readManifest } from "../../src/checkpoints/travel/source.ts";
import { tarEntries } from "../../src/platform/tar-reader.ts";
import { TAR_END_BYTES, tarHeader, tarPadding } from "../../src/platform/tar-writer.ts";
import { bucketText, parseBucketUrl } from "../../src/providers/bucket.ts";

const sha256 = (content: string | Uint8Array) => createHash("sha256").update(content).digest("hex");
const ID = "c-20261121T053818Z-00000014";
const file = (path: string, size: number, seed = path): FileEntry => ({
  kind: "file",
  path,
  mode: 0o644,
  mtime: 1,
  size,
  sha256: sha256(`${seed} ${size}`),
});
const manifestOf = (entries: readonly ManifestEntry[]): Manifest => ({
  ...{ id: ID, instance: "a", volume: "v", created: 1, reason: "manual", step: null, agent: "1" },
  entries,
});

describe("the objects that a checkpoint lies in", () => {
  const sizes = fc.oneof(fc.integer({ min: 1, max: 2000 }), fc.integer({ min: 1, max: 3 * OWN_OBJECT_BYTES }));
  /** Of few contents, so that most of them are there several times. */
  const entries = fc
    .tuple(fc.array(sizes, { minLength: 41, maxLength: 41 }), fc.array(fc.nat(40), { maxLength: 300 }))
    .map(([of, list]) => list.map((seed, index) => file(`f${index}`, of[seed] ?? 1, String(seed))));

  test("hold every content once, in packs that are never too large, and follow from the manifest alone", () => {
    fc.assert(
      fc.property(entries, (list) => {
        const { objects, twins, bytes } = planTravel(manifestOf(list));
        const members = objects.flatMap((object) => object.members);
        expect(new Set(members.map((one) => one.sha256)).size).toBe(members.length);
        expect([...members, ...[...twins.values()].flat()].map(({ path }) => path).sort()).toEqual(list.map(({ path }) => path).sort());
        for (const { key, size, members: inside } of objects) {
          expect(size).toBe(inside.reduce((sum, one) => sum + one.size, 0));
          expect(key).toMatch(
            size >= OWN_OBJECT_BYTES && inside.length === 1 && key.startsWith("data/") ? /^data\/[0-9a-f]{64}$/ : /^packs\/[0-9a-f]{64}$/,
          );
          if (key.startsWith("packs/")) expect(size).toBeLessThanOrEqual(64 * 1024 * 1024);
        }
        expect(bytes).toBe(objects.reduce((sum, { size }) => sum + size, 0));
        expect(planTravel(parseManifest(formatManifest(manifestOf(list))))).toEqual(planTravel(manifestOf(list)));
      }),
      { numRuns: 50 },
    );
  });

  test("are those that earlier versions have put there: what lies in a bucket is found again", () => {
    const list = [
      file("a", 700_000, "1"),
      file("b", OWN_OBJECT_BYTES, "2"),
      file("c", 700_000, "1"),
      { ...file("d", 0), sha256: sha256("") },
      file("e", 9, "3"),
      ...Array.from({ length: 70 }, (_, index) => file(`f${index}`, OWN_OBJECT_BYTES - 1, `4 ${index}`)),
    ];
    const { objects, twins, empty } = planTravel(manifestOf(list));
    expect([[...twins.values()].flat(), empty].map((files) => files.map(({ path }) => path))).toEqual([["c"], ["d"]]);
    expect(objects.map(({ key, size, members }) => `${key.slice(0, 14)} ${members.length} ${size}`)).toEqual([
      "data/7816c1df9 1 1048576",
      "packs/aeb5eed2 7 5942884",
      "packs/a2503ab6 60 62914500",
      "packs/518743e5 5 5242875",
    ]);
    expect(sha256(objects.map(({ key }) => key).join())).toBe("4514ecfe0eb1f39cccd06da3da0ff5ef393193090260b6989586d85c9eafe6a1");
  });

  test("stay the same but for one or two where one small file of many changed, came or went", () => {
    const many = Array.from({ length: 60_000 }, (_, index) => file(`f${index}`, 4096));
    const keys = (list: readonly FileEntry[]) => new Set(planTravel(manifestOf(list)).objects.map(({ key }) => key));
    const before = keys(many);
    expect(before.size).toBeGreaterThan(3);
    for (const after of [
      many.with(7_000, file("f7000", 4096, "changed")),
      many.toSpliced(7_000, 0, file("f6999b", 5000)),
      many.toSpliced(7_000, 1),
    ])
      expect([...keys(after)].filter((key) => !before.has(key)).length).toBeLessThanOrEqual(2);
  });

  test("packs of tiny files end as well", () => {
    const tiny = Array.from({ length: 100_000 }, (_, index) => file(`f${index}`, 1 + (index % 9), String(index)));
    const { objects } = planTravel(manifestOf(tiny));
    expect(objects.length).toBeGreaterThan(1);
    expect(objects.length).toBeLessThan(40);
  });

  test("come in parts that S3 takes, however large they are", () => {
    expect([partSize(1), partSize(100 * PART_BYTES)]).toEqual([PART_BYTES, PART_BYTES]);
    fc.assert(
      fc.property(fc.maxSafeNat(), (size) => {
        const part = partSize(size % (5 * 2 ** 40));
        expect(Math.ceil((size % (5 * 2 ** 40)) / part)).toBeLessThanOrEqual(10_000);
        expect(part % (1024 * 1024)).toBe(0);
      }),
    );
  });
});

describe("a manifest from a bucket", () => {
  const evil: readonly (readonly [string, readonly ManifestEntry[]])[] = [
    ["a file below a link", [{ kind: "link", path: "a", mode: 0o777, mtime: 1, target: "/etc" }, file("a/passwd", 3)]],
    ["a file below a file", [file("a", 3), file("a/b", 3)]],
    ["a folder that is not in it", [file("a/b", 3)]],
    ["a name that is there twice", [file("a", 3), { kind: "link", path: "a", mode: 0o777, mtime: 1, target: "/etc" }]],
    ["two sizes for one hash", [file("a", 3, "x"), { ...file("b", 4), sha256: file("a", 3, "x").sha256 }]],
    ["a hash of nothing for something", [{ ...file("a", 3), sha256: sha256("") }]],
  ];
  test.each(evil)("is refused for %s", (_, entries) => {
    expect(() => requireTree(manifestOf(entries))).toThrow();
    expect(() => readManifest(formatManifest(manifestOf(entries)), ID, "there")).toThrow(expect.objectContaining({ exit: 7 }));
  });

  test.each(["/etc/passwd", "../up", "a/../../up", "a//b", "./a", "a/.", ""])("is refused for the path %j", (path) => {
    expect(() => readManifest(formatManifest(manifestOf([file(path, 3)])), ID, "there")).toThrow(expect.objectContaining({ exit: 7 }));
  });

  test("whatever bytes it has: it is taken as it was written, or refused in words", () => {
    const honest = formatManifest(manifestOf([file("a", 3), { kind: "folder", path: "d", mode: 0o755, mtime: 1 }, file("d/x", 9)]));
    fc.assert(
      fc.property(fc.nat(honest.length - 1), fc.integer({ min: 1, max: 255 }), fc.nat(honest.length), (at, flip, cut) => {
        const other = Buffer.from(honest);
        other[at] = (other[at] ?? 0) ^ flip;
        for (const bytes of [other, honest.subarray(0, cut)])
          if (!bytes.equals(honest)) expect(() => readManifest(bytes, ID, "there")).toThrow(expect.objectContaining({ exit: 7 }));
      }),
    );
  });
});

describe("contents", () => {
  const content = fc.uint8Array({ maxLength: 60 });
  const files = (contents: readonly Uint8Array[]) =>
    contents.map((bytes, index): FileEntry => ({ ...file(`f${index}`, bytes.length), sha256: sha256(bytes) }));

  test("pass as they are when every file is as the manifest says, and no other way", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(content, { minLength: 1, maxLength: 6 }),
        fc.array(fc.integer({ min: 1, max: 40 })),
        fc.nat(),
        fc.nat(3),
        async (contents, cuts, at, how) => {
          const whole = Buffer.concat(contents);
          const wrong = Buffer.from(whole);
          if (how === 1 && wrong.length > 0) wrong[at % wrong.length] = (wrong[at % wrong.length] ?? 0) ^ 1;
          const given =
            how === 2 ? whole.subarray(0, at % (whole.length + 1)) : how === 3 ? Buffer.concat([whole, Buffer.from("x")]) : wrong;
          async function* chunks() {
            let from = 0;
            for (const cut of [...cuts, given.length]) {
              if (from >= given.length) return;
              yield given.subarray(from, from + cut);
              from += cut;
            }
          }
          const passed = checked(files(contents), chunks());
          if (given.equals(whole)) {
            const seen: Uint8Array[] = [];
            for await (const piece of passed) seen.push(piece);
            expect(Buffer.concat(seen)).toEqual(whole);
          } else await expect(drain(passed)).rejects.toThrow();
        },
      ),
    );
  });

  test("a budget grants what fits, in the order of asking, and never more", async () => {
    const budget = byteBudget(10);
    const granted: string[] = [];
    const ask = (name: string, bytes: number) => budget.take(bytes).then(() => granted.push(name));
    const all = [ask("a", 6), ask("b", 6), ask("c", 1), ask("huge", 100)];
    await Promise.resolve();
    await Promise.resolve();
    expect(granted).toEqual(["a"]);
    budget.give(6);
    await all[2];
    expect(granted).toEqual(["a", "b", "c"]);
    budget.give(6);
    budget.give(1);
    await Promise.all(all);
    expect(granted.at(-1)).toBe("huge");
  });
});

describe("a tar stream that we write", () => {
  const name = fc
    .uint8Array({ minLength: 1, maxLength: 300 })
    .map((bytes) => Buffer.from(bytes.map((byte) => (byte === 0 || byte === 47 ? 97 : byte))).toString("latin1"))
    .filter((text) => text !== "." && text !== "..");

  test("is read as it was written, whatever the names, times and sizes", async () => {
    const entry = fc.record({
      name,
      kind: fc.constantFrom("file" as const, "folder" as const, "symlink" as const),
      mode: fc.nat(0o777),
      mtime: fc.oneof(fc.nat(), fc.integer({ min: 0, max: 2 ** 38 })),
      body: fc.uint8Array({ maxLength: 1500 }),
      target: name,
    });
    await fc.assert(
      fc.asyncProperty(fc.array(entry, { maxLength: 5 }), async (list) => {
        const archive = Buffer.concat([
          ...list.flatMap(({ body, ...one }) => {
            const size = one.kind === "file" ? body.length : 0;
            const target = one.kind === "symlink" ? one.target : "";
            return [tarHeader({ ...one, size, target }), ...(one.kind === "file" ? [body, tarPadding(size)] : [])];
          }),
          Buffer.alloc(TAR_END_BYTES),
        ]);
        const seen: unknown[] = [];
        for await (const { body, ...one } of tarEntries(Readable.from([archive]))) {
          const chunks: Buffer[] = [];
          for await (const chunk of body) chunks.push(chunk);
          seen.push({ ...one, name: one.name.replace(/\/$/, ""), body: Buffer.concat(chunks) });
        }
        expect(seen).toEqual(
          list.map(({ body, ...one }) => ({
            ...one,
            name: one.kind === "folder" ? one.name.replace(/\/$/, "") : one.name,
            target: one.kind === "symlink" ? one.target : "",
            body: Buffer.from(one.kind === "file" ? body : []),
          })),
        );
      }),
      { numRuns: 60 },
    );
  });

  test("is one for the system's tar as well, with sizes past eight gigabytes and times before 1970", () => {
    const archive = Buffer.concat([
      tarHeader({ name: textBytes(`${"ü".repeat(80)}/x`), kind: "symlink", mode: 0o777, mtime: -5, size: 0, target: "t".repeat(200) }),
      tarHeader({ name: "folder", kind: "folder", mode: 0o750, mtime: 1000, size: 0, target: "" }),
      Buffer.alloc(TAR_END_BYTES),
    ]);
    const listed = execFileSync("tar", ["-tvf", "-"], {
      input: archive,
      encoding: "utf8",
      env: { ...process.env, TZ: "UTC", LC_ALL: "C.UTF-8" },
    });
    expect(listed).toContain(`${"ü".repeat(80)}/x -> ${"t".repeat(200)}`);
    expect(listed).toContain("drwxr-x---");
    expect(listed).toContain("1969-12-31 23:59");
    const large = tarHeader({ name: "large", kind: "file", mode: 0o644, mtime: 0, size: 9 * 2 ** 30, target: "" });
    expect(execFileSync("sh", ["-c", "tar -tvf - 2>/dev/null || :"], { input: large, encoding: "utf8" })).toContain(String(9 * 2 ** 30));
  });
});

test("a place in a bucket is read as it is written", () => {
  expect(parseBucketUrl("s3://my-bucket")).toEqual({ bucket: "my-bucket", prefix: "" });
  expect(parseBucketUrl("s3://my-bucket//a b//ü/")).toEqual({ bucket: "my-bucket", prefix: "a b/ü" });
  expect(bucketText(parseBucketUrl("s3://my-bucket/a/"))).toBe("s3://my-bucket/a");
  for (const text of ["s3:/b/c", "s3://", "s3://x", "s3://b/../c", "s3://bucket/a\nb", `s3://bucket/${"a".repeat(600)}`, "s3://Bücket/a"])
    expect(() => parseBucketUrl(text)).toThrow(expect.objectContaining({ exit: 2 }));
});
