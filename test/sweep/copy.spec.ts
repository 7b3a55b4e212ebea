import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import { expect, onTestFinished, test } from "vitest";
import { listBucket } from "../../src/checkpoints/travel/bucket-checkpoints.ts";
import { sealSample } from "../checkpoints/sealing.ts";
import { wayTo } from "../checkpoints/travel-bench.ts";
import { FAULTY_FILES, FAULTY_ID, strikeEach, type Tally, whatLiesThereVerifies } from "../checkpoints/travel-faults.ts";
import { motoAvailable } from "../clouds/aws/moto.ts";
import { type FaultProxy, faultProxy } from "../clouds/s3/fault-proxy.ts";
import { motoS3, s3rverS3 } from "../clouds/s3/servers.ts";
import { temporaryFolder } from "../world.ts";

/** Every n-th request only, for a quick look: SPOT_SWEEP_COPY_STRIDE=5. */
const STRIDE = Number(process.env["SPOT_SWEEP_COPY_STRIDE"] ?? 1);

const SERVERS = [
  { name: "moto", make: motoS3, has: motoAvailable() },
  { name: "s3rver", make: s3rverS3, has: true },
].filter(({ has }) => has);

// moto keeps the checksum that it is told and checks none, so a byte that changes on its way there is found by reading back alone.
test.each(SERVERS)("each request to $name fails once in each way: nothing is listed that does not verify", async ({ make, name }) => {
  const folder = sealSample(temporaryFolder(), { id: FAULTY_ID, files: FAULTY_FILES });
  const tally: Tally = { points: 0, again: 0, through: 0, damage: [] };
  await strikeEach(make, faultProxy, folder, temporaryFolder(), tally, { stride: STRIDE, readBack: true });
  process.stderr.write(`copy at ${name}: ${tally.points} points, ${tally.through} went through, ${tally.again} were done again\n`);
  expect(tally.damage).toEqual([]);
  expect(tally.points).toBeGreaterThan(100 / STRIDE);
});

/** The copy in a process of its own, to be killed. */
async function program(): Promise<string> {
  const folder = temporaryFolder();
  const outfile = join(folder, "copy.mjs");
  await build({
    entryPoints: [join(import.meta.dirname, "../checkpoints/travel-program.ts")],
    outfile,
    bundle: true,
    platform: "node",
    format: "esm",
    logLevel: "error",
    banner: { js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);' },
  });
  return outfile;
}

interface Copying {
  readonly child: ChildProcess;
  readonly ended: Promise<number | null>;
}

function copying(file: string, order: object): Copying {
  const child = spawn(process.execPath, [file, JSON.stringify(order)], { stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  child.stderr.on("data", (chunk: Buffer) => {
    said += chunk.toString();
  });
  const ended = once(child, "close").then(([code]) => {
    if (typeof code === "number" && code !== 0) throw new Error(`the copy ended with ${code}: ${said}`);
    return code as number | null;
  });
  return { child, ended };
}

/** Kills the copy when its n-th request comes, lets it go on, and kills it at the next but so many. @returns how often it was killed. */
async function killedOften(file: string, order: object, proxy: FaultProxy, first: number, check: () => Promise<void>): Promise<number> {
  for (let kills = 0; ; kills++) {
    const run = copying(file, order);
    proxy.strike((n) => {
      if (n === first + kills) run.child.kill("SIGKILL");
      return null;
    });
    if ((await run.ended) === 0) return kills;
    await check();
    if (kills > 200) throw new Error("it never ends");
  }
}

test.each(SERVERS)("kill -9 at each request of a copy to and from $name, and on", async ({ make, name }) => {
  const file = await program();
  const folder = sealSample(temporaryFolder(), { id: FAULTY_ID, files: FAULTY_FILES });
  const tally = { damage: [] as string[] };
  let kills = 0;
  for (let first = 1; first < 8; first += STRIDE) {
    const server = await make();
    const proxy = await faultProxy(server.url);
    const back = temporaryFolder();
    onTestFinished(async () => {
      await proxy.close();
      await server.close();
    });
    const env = { ...server.env, AWS_ENDPOINT_URL_S3: proxy.url };
    const order = { env, bucket: server.bucket, folder, back, id: FAULTY_ID };
    const way = await wayTo(server);
    const never = new AbortController().signal;
    kills += await killedOften(file, { ...order, what: "up" }, proxy, first, async () => {
      const { sealed, damaged } = await listBucket(way.bucket, never);
      for (const { what } of damaged) tally.damage.push(what);
      const look = temporaryFolder();
      for (const { id } of sealed) await way.down(id, look).catch((error: unknown) => tally.damage.push(String(error)));
      rmSync(look, { recursive: true });
    });
    kills += await killedOften(file, { ...order, what: "down" }, proxy, first, () => whatLiesThereVerifies(back, tally, `down ${first}`));
    await whatLiesThereVerifies(back, tally, `at the end ${first}`);
    expect(readdirSync(back)).toEqual([FAULTY_ID]);
    await way.bucket.close();
  }
  process.stderr.write(`copy at ${name}: ${kills} kills\n`);
  expect(tally.damage).toEqual([]);
  expect(kills).toBeGreaterThan(10);
});
