import { readdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { formatManifest, parseManifest } from "../../src/checkpoints/manifest.ts";
import { openState } from "../../src/state/open.ts";
import { idAt, sealSample } from "../checkpoints/sealing.ts";
import { faultProxy } from "../clouds/s3/fault-proxy.ts";
import { s3rverS3 } from "../clouds/s3/servers.ts";
import { spot, testWorld } from "../world.ts";
import { cloudWorld, data, must } from "./cloud.ts";
import { volumeHere } from "./volume-here.ts";

async function server() {
  const made = await s3rverS3();
  onTestFinished(() => made.close());
  return made;
}

test("a checkpoint goes to a bucket, onto another volume and into a folder, and is the same everywhere", async () => {
  const s3 = await server();
  const world = await cloudWorld({ env: s3.env });
  const place = `s3://${s3.bucket}/team`;
  const work = 'echo 7 >"$SPOT_CHECKPOINT_DIR/STEP"; sleep 1000';
  await must(world, "up", "--name", "a", "--gpu", "A10G", "--volume", "one:1", "--provider", "local", "--yes", "--", "sh", "-c", work);
  const [{ id }] = (await data(world, "snapshot", "a")) as [{ readonly id: string }];
  expect(await data(world, "checkpoints", "copy", "a", "--to", place, "--dry-run")).toMatchObject({
    id,
    dryRun: true,
    movedBytes: 0,
    cost: null,
  });
  expect(await data(world, "checkpoints", "ls", place)).toEqual([]);
  expect(await data(world, "checkpoints", "copy", "a", "--to", place)).toMatchObject({
    ...{ id, instance: "a", from: "one", to: place, step: "7", dryRun: false },
    ...{ bytes: 2, movedBytes: 2, presentBytes: 0, verified: "read" },
  });
  const [listed] = await data(world, "checkpoints", "ls", "--in", place);
  expect(listed).toMatchObject({ id, instance: "a", volume: place, verifiedAt: expect.any(String) });
  await must(world, "volumes", "create", "two", "--size", "1", "--provider", "local", "--yes");
  expect(await data(world, "checkpoints", "copy", `${place}/${id}`, "--to", "two")).toMatchObject({
    from: place,
    to: "two",
    verified: "read",
  });
  const all = (await data(world, "checkpoints", "ls")) as { id: string; volume: string; sha256: string }[];
  expect(all.map(({ volume }) => volume).sort()).toEqual(["one", "two"]);
  expect(new Set(all.map((one) => `${one.id} ${one.sha256}`)).size).toBe(1);
  expect((await data(world, "checkpoints", "verify", "--all")).map(({ ok }: { ok: boolean }) => ok)).toEqual([true, true]);
  await must(world, "checkpoints", "copy", id, "--from", "two", "--to", "./here");
  expect(readFileSync(join(world.cwd, "here", id, "data/STEP"), "utf8")).toBe("7\n");
  // From volume to volume without a bucket, where it is already.
  expect(await data(world, "checkpoints", "copy", id, "--from", "one", "--to", "two")).toMatchObject({ movedBytes: 0, presentBytes: 2 });
});

test("a copy stands and is on record also where uploads that were broken off may not be listed", async () => {
  const s3 = await server();
  const proxy = await faultProxy(s3.url);
  onTestFinished(() => proxy.close());
  proxy.strike((_, { method, path }) => (method === "GET" && /[?&]uploads/.test(path) ? "denied" : null));
  const world = testWorld({ env: { ...s3.env, AWS_ENDPOINT_URL_S3: proxy.url } });
  const id = "c-20261121T053818Z-00000014";
  sealSample(world.cwd, { id, files: { STEP: "1\n" } });
  const place = `s3://${s3.bucket}/p`;
  expect((await must(world, "checkpoints", "copy", `./spot/checkpoints/${id}`, "--to", place)).stderr).toContain(
    "could not be tidied away",
  );
  expect(await data(world, "checkpoints", "ls", "--in", place)).toMatchObject([{ id, verifiedAt: expect.any(String) }]);
});

test("a volume whose checkpoints share what they hold, with holes, takes another one for which there is room", async () => {
  const { world, path } = await volumeHere("disk");
  const [one, two, three] = [idAt(1), idAt(2), idAt(3)];
  // A gigabyte and a half by its length, next to nothing on the disk; and the same file again.
  const large = { size: 1_500_000_000 };
  const sealLarge = (volume: string, id: string) => {
    const folder = sealSample(volume, { id, files: { weights: "x" } });
    const manifest = parseManifest(readFileSync(join(folder, "MANIFEST")));
    const entries = manifest.entries.map((entry) => (entry.kind === "file" ? { ...entry, ...large } : entry));
    writeFileSync(join(folder, "MANIFEST"), formatManifest({ ...manifest, entries }));
    truncateSync(join(folder, "data/weights"), large.size);
  };
  for (const id of [one, two]) sealLarge(path, id);
  expect(await data(world, "checkpoints", "ls")).toMatchObject([{ bytes: large.size }, { bytes: large.size }]);
  sealSample(world.cwd, { id: three, files: { STEP: "1\n" } });
  await must(world, "checkpoints", "copy", `./spot/checkpoints/${three}`, "--to", "disk");
  // What may be more than there is room for is refused before any of it comes.
  sealLarge(world.cwd, idAt(4));
  const refused = await spot(world, "checkpoints", "copy", `./spot/checkpoints/${idAt(4)}`, "--to", "disk");
  expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining("1500000000 more are to come")]);
});

test("what cannot be is refused with its own exit code, and secrets stay where they are", async () => {
  const s3 = await server();
  const secret = "a-secret-that-nobody-may-see-1234";
  const env = { ...s3.env, AWS_ACCESS_KEY_ID: "nobody", AWS_SECRET_ACCESS_KEY: secret };
  const world = testWorld({ env });
  const id = "c-20261121T053818Z-00000014";
  sealSample(world.cwd, { id, files: { STEP: "1\n" } });
  const folder = `./spot/checkpoints/${id}`;
  const copy = (from: string, to: string, ...more: readonly string[]) => spot(world, "checkpoints", "copy", from, "--to", to, ...more);
  const cases: readonly (readonly [number, string, string])[] = [
    [4, folder, `s3://${s3.bucket}/p`],
    [2, folder, "s3://"],
    [2, folder, "s3://b/../c"],
    [2, `s3://${s3.bucket}/no-id`, "./x"],
    [9, "nobody", "./x"],
    [9, folder, "no-such-volume"],
    [2, folder, "./spot/checkpoints"],
  ];
  for (const [code, from, to] of cases) {
    const outcome = await copy(from, to);
    expect([from, to, outcome.code, outcome.stderr]).toEqual([from, to, code, expect.any(String)]);
  }
  const right = testWorld({ env: s3.env, home: world.home });
  for (const [code, from, to] of [
    [9, folder, "s3://there-is-no-such-bucket/p"],
    [9, `s3://${s3.bucket}/p/${id}`, "./x"],
    [9, `s3://there-is-no-such-bucket/p/${id}`, "./x"],
    [0, folder, `s3://${s3.bucket}/p`],
  ] as const)
    expect([from, to, (await spot(right, "checkpoints", "copy", from, "--to", to)).code]).toEqual([from, to, code]);
  writeFileSync(join(world.cwd, folder, "data/STEP"), "2\n");
  expect((await spot(right, "checkpoints", "copy", folder, "--to", `s3://${s3.bucket}/other`)).code).toBe(7);
  expect(await data(right, "checkpoints", "ls", `s3://${s3.bucket}/other`)).toEqual([]);
  for (const text of [world.written(), world.said()]) expect(text).not.toContain(secret);
  for (const name of readdirSync(world.home).filter((one) => one.startsWith("state.db")))
    expect(readFileSync(join(world.home, name), "latin1")).not.toContain(secret);
  // A password in the endpoint would stand in the state.
  const loud = testWorld({ env: { ...s3.env, AWS_ENDPOINT_URL_S3: "http://user:pass-1234@127.0.0.1:1" } });
  expect((await spot(loud, "checkpoints", "ls", "s3://bucket/p")).code).toBe(2);
  expect(loud.said()).not.toContain("pass-1234");
});

test("the copies in a bucket are pruned by the same rules, instance by instance, and our records follow", async () => {
  const s3 = await server();
  const world = testWorld({ env: s3.env });
  const place = `s3://${s3.bucket}/team`;
  const ids = [idAt(1), idAt(2), idAt(3)];
  const all = [...ids.map((id) => ({ id, instance: "train" })), { id: idAt(4), instance: "other" }];
  for (const [index, { id, instance }] of all.entries()) {
    sealSample(world.cwd, { id, instance, files: { log: `log ${index}`, weights: "w" }, created: 1_700_000_000 + index });
    await must(world, "checkpoints", "copy", `./spot/checkpoints/${id}`, "--to", place);
  }
  const prune = async (...more: readonly string[]) =>
    JSON.parse((await must(world, "checkpoints", "prune", ...more, "--keep-last", "1", "--json")).stdout);
  const outcomes = (rows: readonly { id: string; outcome: string }[]) => rows.map(({ id, outcome }) => [id, outcome]);
  const plan = await prune(place, "--dry-run");
  expect(outcomes(plan.data)).toEqual([
    [idAt(4), "kept"],
    [ids[2], "kept"],
    [ids[1], "goes"],
    [ids[0], "goes"],
  ]);
  expect(plan.freedBytes).toBe(2 * "log 0w".length);
  expect(outcomes((await prune("other", "--in", place, "--yes")).data)).toEqual([[idAt(4), "kept"]]);
  expect(await spot(world, "checkpoints", "prune", place, "nobody", "--keep-last", "1", "--yes")).toMatchObject({ code: 9 });
  expect(await spot(world, "checkpoints", "prune", place, "--in", place, "--keep-last", "1", "--yes")).toMatchObject({ code: 2 });
  const unasked = await spot(world, "checkpoints", "prune", place, "--keep-last", "1");
  expect(unasked).toMatchObject({ code: 2, stderr: expect.stringMatching(/Remove 2 checkpoints and free 12 B in s3:/) });
  expect(await data(world, "checkpoints", "ls", place)).toHaveLength(4);
  const done = await prune("train", "--in", place, "--yes");
  expect([outcomes(done.data), done.freedBytes]).toEqual([
    [
      [ids[2], "kept"],
      [ids[1], "gone"],
      [ids[0], "gone"],
    ],
    plan.freedBytes,
  ]);
  expect((await data(world, "checkpoints", "ls", place)).map(({ id }: { id: string }) => id)).toEqual([idAt(4), ids[2]]);
  const state = await openState(join(world.home, "state.db"));
  expect((await state.bucketCopies()).map(({ checkpoint }) => checkpoint).sort()).toEqual([ids[2], idAt(4)]);
  const told = (await state.events({})).filter((event) => event.data["action"] === "checkpoints-prune");
  await state.close();
  expect(told).toMatchObject([{ instance: "train", data: { bucket: place, count: 2, freedBytes: plan.freedBytes } }]);
  await must(world, "checkpoints", "copy", `${place}/${ids[2]}`, "--to", "./back");
});
