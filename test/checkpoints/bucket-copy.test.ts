import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { listBucket } from "../../src/checkpoints/travel/bucket-checkpoints.ts";
import { folderSource } from "../../src/checkpoints/travel/source.ts";
import { copyToBucket } from "../../src/checkpoints/travel/to-bucket.ts";
import { verifyCheckpoint } from "../../src/checkpoints/verify.ts";
import { motoAvailable } from "../clouds/aws/moto.ts";
import { faultProxy } from "../clouds/s3/fault-proxy.ts";
import { motoS3, s3rverS3 } from "../clouds/s3/servers.ts";
import { temporaryFolder } from "../world.ts";
import { sealSample } from "./sealing.ts";
import { PREFIX, someBytes, wayTo } from "./travel-bench.ts";

/** The poorer server is asked only what it does otherwise. */
const SERVERS = [
  { name: "moto", make: motoS3, has: motoAvailable(), lists: true },
  { name: "s3rver", make: s3rverS3, has: true, lists: false },
] as const;

const [older, newer] = ["c-20261121T053818Z-00000014", "c-20261121T063818Z-0001aaaa"];
const never = new AbortController().signal;
const MIB = 1024 * 1024;

const LARGE = someBytes(12 * MIB, 1);
const FILES = {
  STEP: "12\n",
  "sub/model.bin": LARGE,
  "sub/twin.bin": LARGE,
  "sub/optim.bin": someBytes(2 * MIB, 2),
  "odd \n \\ \t ü": "one",
  "sub/small a": "small",
  "sub/small b": "small",
  ["x".repeat(255)]: "long name",
  empty: "",
};

function sample(volume: string, id = older, files: Readonly<Record<string, string | Buffer>> = FILES): string {
  const folder = sealSample(volume, { id, files, folders: ["empty folder"], links: { "sub/newest": "model.bin", dangling: "/no/where" } });
  chmodSync(join(folder, "data/STEP"), 0o400);
  return folder;
}

describe.each(SERVERS.filter(({ has }) => has))("a bucket at $name", ({ make, lists }) => {
  /** A fresh bucket, because what is there already is not sent again. */
  async function fresh() {
    const own = await make();
    const proxy = await faultProxy(own.url);
    const way = await wayTo(own, proxy.url);
    onTestFinished(async () => {
      await way.bucket.close();
      await proxy.close();
      await own.close();
    });
    const puts = () => proxy.seen.filter(({ method }) => method === "PUT").reduce((sum, { sent }) => sum + sent, 0);
    return { server: own, proxy, way, puts };
  }

  test("a checkpoint goes there and comes back as it was, and both verify", async () => {
    const { way } = await fresh();
    const volume = temporaryFolder();
    const folder = sample(volume);
    const sent = await way.up(folder);
    expect(sent).toMatchObject({ presentBytes: 0, movedBytes: sent.bytes, bytes: 14 * MIB + 3 + 3 + 5 + 9 });
    expect(sent.proof).toBe(lists ? "checksum" : "read");
    const listed = await listBucket(way.bucket, never);
    expect(listed.damaged).toEqual([]);
    expect(listed.sealed).toMatchObject([{ id: older, instance: "train", files: 9, volume: expect.stringContaining(PREFIX) }]);
    const back = temporaryFolder();
    expect(await way.down(older, back)).toMatchObject({ movedBytes: sent.bytes, proof: "read" });
    expect(readdirSync(back)).toEqual([older]);
    expect(await verifyCheckpoint(join(back, older))).toMatchObject({ ok: true });
    expect(readFileSync(join(back, older, "MANIFEST"))).toEqual(readFileSync(join(folder, "MANIFEST")));
    const { mode, mtimeMs } = statSync(join(back, older, "data/sub/model.bin"));
    expect([mode & 0o777, mtimeMs]).toEqual([0o644, 1_000_000]);
    const sub = statSync(join(back, older, "data/sub"));
    expect([sub.mode & 0o777, sub.mtimeMs]).toEqual([0o755, 1_000_000]);
    // There already: nothing moves.
    expect(await way.down(older, back)).toMatchObject({ movedBytes: 0, presentBytes: sent.bytes });
  });

  test.runIf(lists)("what is there already is not sent again, also of another checkpoint", async () => {
    const { way, puts, proxy } = await fresh();
    const volume = temporaryFolder();
    await way.up(sample(volume));
    proxy.strike(() => null);
    expect(await way.up(sample(temporaryFolder()))).toMatchObject({ movedBytes: 0 });
    expect(puts()).toBe(0);
    const changed = sample(volume, newer, { ...FILES, STEP: "13\n" });
    const { movedBytes, presentBytes } = await way.up(changed);
    expect(presentBytes).toBe(14 * MIB);
    expect(movedBytes).toBeLessThan(100);
    expect(puts()).toBeLessThan(5000);
    expect((await listBucket(way.bucket, never)).sealed.map(({ id }) => id)).toEqual([newer, older]);
    const back = temporaryFolder();
    await way.down(newer, back);
    expect(readFileSync(join(back, newer, "data/STEP"), "utf8")).toBe("13\n");
  });

  test.runIf(lists)("a dry run says what would go, and changes nothing", async () => {
    const { way, server: own } = await fresh();
    const folder = sample(temporaryFolder());
    expect(await way.up(folder, { dryRun: true })).toMatchObject({ presentBytes: 0, movedBytes: 0, proof: null });
    expect([...(await own.objects()).keys()]).toEqual([]);
  });

  test.runIf(lists)("a source that is damaged is found on the way, and nothing is listed", async () => {
    const { way, server: own } = await fresh();
    const folder = sample(temporaryFolder());
    const damaged = Buffer.from(LARGE);
    damaged[LARGE.length - 1] = (damaged.at(-1) ?? 0) ^ 1;
    writeFileSync(join(folder, "data/sub/model.bin"), damaged);
    await expect(way.up(folder)).rejects.toMatchObject({ exit: 7, message: expect.stringContaining("sub/model.bin") });
    expect((await listBucket(way.bucket, never)).sealed).toEqual([]);
    expect([...(await own.objects()).keys()].filter((key) => key.includes("MANIFEST"))).toEqual([]);
    if (lists) expect(await own.uploads()).toEqual([]);
  });

  test("a byte that changed in the bucket is found when it comes back, and named", async () => {
    const { way, server: own } = await fresh();
    await way.up(sample(temporaryFolder()));
    for (const key of [...(await own.objects()).keys()].filter((name) => !name.endsWith("MANIFEST"))) {
      const body = await own.read(key);
      const other = Buffer.from(body);
      other[other.length >> 1] = (other[other.length >> 1] ?? 0) ^ 0x40;
      await own.write(key, other);
      const back = temporaryFolder();
      await expect(way.down(older, back)).rejects.toMatchObject({ exit: 7, message: expect.stringMatching(/sub|one|STEP|odd/) });
      expect(existsSync(join(back, older))).toBe(false);
      await own.write(key, body);
    }
    const back = temporaryFolder();
    await way.down(older, back);
    expect((await verifyCheckpoint(join(back, older))).ok).toBe(true);
  });

  test("read back on request: what was spoilt in the bucket is mended from the source", async () => {
    const { way, server: own } = await fresh();
    const folder = sample(temporaryFolder());
    await way.up(folder);
    const key = [...(await own.objects()).keys()].find((name) => name.includes("packs/")) ?? "";
    const body = await own.read(key);
    await own.write(key, Buffer.alloc(body.length, 0x41));
    expect(await way.up(folder, { readBack: true })).toMatchObject({ proof: "read", movedBytes: body.length });
    expect(await own.read(key)).toEqual(body);
  });

  test.runIf(lists)("an object of another size and a manifest that does not hold are sent again, without being read back", async () => {
    const { way, server: own } = await fresh();
    const folder = sample(temporaryFolder());
    await way.up(folder);
    const keys = [...(await own.objects()).keys()];
    for (const part of ["packs/", "MANIFEST"]) {
      const key = keys.find((name) => name.includes(part)) ?? "";
      const body = await own.read(key);
      await own.write(key, body.subarray(0, body.length - 1));
      expect(await way.up(folder)).toMatchObject({ proof: "checksum" });
      expect(await own.read(key)).toEqual(body);
    }
    expect((await listBucket(way.bucket, never)).sealed.map(({ id }) => id)).toEqual([older]);
  });

  test.runIf(lists)("an object that is missing is said, and a manifest that does not hold is no checkpoint", async () => {
    const { way, server: own } = await fresh();
    await way.up(sample(temporaryFolder()));
    const keys = [...(await own.objects()).keys()];
    await own.remove(keys.find((key) => key.includes("packs/")) ?? "");
    await expect(way.down(older, temporaryFolder())).rejects.toMatchObject({ exit: 7, message: expect.stringContaining("is missing") });
    const manifest = keys.find((key) => key.endsWith("MANIFEST")) ?? "";
    await own.write(manifest, (await own.read(manifest)).subarray(0, 300));
    expect(await listBucket(way.bucket, never)).toMatchObject({ sealed: [], damaged: [{ id: older }] });
    await expect(way.down(older, temporaryFolder())).rejects.toMatchObject({ exit: 7 });
    await own.remove(manifest);
    await expect(way.down(older, temporaryFolder())).rejects.toMatchObject({ exit: 9 });
  });

  test("an upload that was broken off goes on where it stopped", async () => {
    const { way, proxy, puts, server: own } = await fresh();
    const folder = sample(temporaryFolder());
    // The last part never gets there, however often it is tried.
    proxy.strike((_, { path }) => (path.includes("partNumber=3") ? "slow-down" : null));
    await expect(way.up(folder)).rejects.toMatchObject({ code: "SPOT_E_UNAVAILABLE", retryable: true });
    expect((await listBucket(way.bucket, never)).sealed).toEqual([]);
    if (lists) expect(await own.uploads()).toHaveLength(1);
    proxy.strike(() => null);
    await way.up(folder);
    // Of the three parts one was missing; the two objects beside it had been sent or not, as it fell out.
    const large = proxy.seen.filter(({ path }) => path.includes("partNumber=")).reduce((sum, { sent }) => sum + sent, 0);
    expect(large).toBe(lists ? 2 * MIB : 12 * MIB);
    expect(puts()).toBeLessThan(large + 2 * MIB + 10_000);
    if (lists) expect(await own.uploads()).toEqual([]);
    const back = temporaryFolder();
    await way.down(older, back);
    expect((await verifyCheckpoint(join(back, older))).ok).toBe(true);
  });

  test.runIf(lists)("uploads that nobody will complete are ended when they are ours, and no others", async () => {
    const { way, server: own } = await fresh();
    const ours = `data/${"0a".repeat(32)}`;
    for (const key of [ours, "data/movie.mp4", `packs/${"0a".repeat(32)}.zip`]) await way.bucket.begin(key, never);
    const source = await folderSource(sample(temporaryFolder()));
    const inAMonth = () => Date.now() + 30 * 24 * 3_600_000;
    await copyToBucket(source, way.bucket, { signal: never, readBack: false, dryRun: false, now: inAMonth });
    const left = await own.uploads();
    expect(left.map((key) => key.slice(PREFIX.length + 1)).sort()).toEqual(["data/movie.mp4", `packs/${"0a".repeat(32)}.zip`]);
  });

  test.runIf(lists)("whoever may not list uploads copies all the same, and is told what was left", async () => {
    const { way, proxy } = await fresh();
    proxy.strike((_, { method, path }) => (method === "GET" && /[?&]uploads/.test(path) ? "denied" : null));
    const source = await folderSource(sample(temporaryFolder()));
    const said: string[] = [];
    const onWarning = (text: string) => void said.push(text);
    const onStanding = async () => void said.push("it stands");
    const small = { signal: never, readBack: false, dryRun: false, partBytes: 5 * MIB, now: () => Date.now() };
    expect(await copyToBucket(source, way.bucket, { ...small, onWarning, onStanding })).toMatchObject({ proof: "checksum" });
    expect(said).toEqual(["it stands", expect.stringContaining("could not be tidied away")]);
    expect((await listBucket(way.bucket, never)).sealed).toHaveLength(1);
  });

  test("a download that was broken off goes on where it stopped, within a file too", async () => {
    const { way, proxy } = await fresh();
    await way.up(sample(temporaryFolder()));
    const back = temporaryFolder();
    proxy.strike((_, { path, range }) => (path.includes("data/") && range.startsWith(`bytes=${8 * MIB}-`) ? "cut-answer" : null));
    await expect(way.down(older, back)).rejects.toMatchObject({ code: "SPOT_E_UNAVAILABLE", retryable: true });
    expect(readdirSync(back)).toEqual([`.arriving-${older}`]);
    const there = statSync(join(back, `.arriving-${older}/data/sub/model.bin`)).size;
    expect(there).toBe(8 * MIB);
    proxy.strike(() => null);
    await way.down(older, back);
    const large = proxy.seen.filter(({ path }) => path.includes("data/")).reduce((sum, { received }) => sum + received, 0);
    // The other large file had come whole, or not, as it fell out.
    expect([4 * MIB, 6 * MIB]).toContain(large);
    expect((await verifyCheckpoint(join(back, older))).ok).toBe(true);
    expect(readdirSync(back)).toEqual([older]);
  });

  test.runIf(lists)("what arrived spoilt, or with what does not belong to it, never gets the checkpoint's name", async () => {
    const { way } = await fresh();
    await way.up(sample(temporaryFolder()));
    const back = temporaryFolder();
    const data = join(back, `.arriving-${older}/data`);
    mkdirSync(join(data, "sub"), { recursive: true });
    writeFileSync(join(data, "sub/optim.bin"), Buffer.alloc(2 * MIB, 1));
    writeFileSync(join(data, "sub/model.bin"), Buffer.alloc(MIB, 1));
    mkdirSync(join(data, "STEP"));
    writeFileSync(join(data, "empty folder"), "a file");
    await way.down(older, back);
    expect((await verifyCheckpoint(join(back, older))).ok).toBe(true);
    rmSync(join(back, older), { recursive: true });
    mkdirSync(data, { recursive: true });
    writeFileSync(join(data, "stranger"), "");
    await expect(way.down(older, back)).rejects.toMatchObject({ exit: 7, message: expect.stringContaining("stranger") });
    expect(readdirSync(back)).toEqual([]);
  });

  test.runIf(lists)("another checkpoint under the same id is left alone, at both ends", async () => {
    const { way } = await fresh();
    const [one, two] = [temporaryFolder(), temporaryFolder()];
    await way.up(sample(one));
    await expect(way.up(sample(two, older, { STEP: "9\n" }))).rejects.toMatchObject({ code: "SPOT_E_CONFLICT" });
    const back = temporaryFolder();
    sealSample(back, { id: older, files: { STEP: "9\n" } });
    await expect(way.down(older, join(back, "spot/checkpoints"))).rejects.toMatchObject({ code: "SPOT_E_CONFLICT" });
    expect(readFileSync(join(back, "spot/checkpoints", older, "data/STEP"), "utf8")).toBe("9\n");
  });

  test.runIf(lists)("Ctrl-C reaches what is under way, and nothing is listed", async () => {
    const { way, proxy } = await fresh();
    const stop = new AbortController();
    proxy.strike((n) => {
      if (n === 8) stop.abort(new Error("Ctrl-C"));
      return null;
    });
    await expect(way.up(sample(temporaryFolder()), { signal: stop.signal })).rejects.toThrow("Ctrl-C");
    expect((await listBucket(way.bucket, never)).sealed).toEqual([]);
  });
});
