import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { listBucket } from "../../src/checkpoints/travel/bucket-checkpoints.ts";
import { verifyCheckpoint } from "../../src/checkpoints/verify.ts";
import { FAULTS, type Fault, type FaultProxy } from "../clouds/s3/fault-proxy.ts";
import type { S3Server } from "../clouds/s3/servers.ts";
import { someBytes, type Way, wayTo } from "./travel-bench.ts";

export const FAULTY_ID = "c-20261121T053818Z-00000014";
const MIB = 1024 * 1024;
const never = new AbortController().signal;

/** Small, and all that there is: an object in parts, a whole one, a pack, twins, an empty file. */
export const FAULTY_FILES = {
  STEP: "12\n",
  "sub/model": someBytes(6 * MIB, 3),
  "sub/optim": someBytes(1.5 * MIB, 4),
  a: "twin",
  b: "twin",
  empty: "",
};

export interface Tally {
  points: number;
  /** The copy failed in words, and was done again. */
  again: number;
  /** The copy went through all the same. */
  through: number;
  readonly damage: string[];
}

/** Uploads and downloads again and again, with each request struck once by each fault, until none is left to strike. */
export async function strikeEach(
  make: () => Promise<S3Server>,
  before: (url: string) => Promise<FaultProxy>,
  folder: string,
  back: string,
  tally: Tally,
  limits: { readonly stride: number; readonly faults?: readonly Fault[]; readonly readBack: boolean },
): Promise<void> {
  for (const fault of limits.faults ?? FAULTS)
    for (let n = 0; ; n += limits.stride) {
      const server = await make();
      const proxy = await before(server.url);
      const way = await wayTo(server, proxy.url);
      try {
        const struckUp = await strike(
          proxy,
          fault,
          n,
          tally,
          () => way.up(folder, { readBack: limits.readBack }),
          `up ${fault} ${n}`,
          async () => {
            await whatIsListedVerifies(server, back, tally, `up ${fault} ${n}`);
          },
        );
        const struckDown = await strike(
          proxy,
          fault,
          n,
          tally,
          () => way.down(FAULTY_ID, back),
          `down ${fault} ${n}`,
          async () => {
            await whatLiesThereVerifies(back, tally, `down ${fault} ${n}`);
          },
        );
        rmSync(join(back, FAULTY_ID), { recursive: true, force: true });
        if (!struckUp && !struckDown) break;
      } finally {
        await way.bucket.close();
        await proxy.close();
        await server.close();
      }
    }
}

/** @returns whether there was a request of that number. */
async function strike(
  proxy: FaultProxy,
  fault: Fault,
  n: number,
  tally: Tally,
  copy: () => Promise<unknown>,
  name: string,
  check: () => Promise<void>,
): Promise<boolean> {
  let struck = false;
  proxy.strike((at) => {
    if (at !== n) return null;
    struck = true;
    return fault;
  });
  try {
    await copy();
    tally.through += 1;
  } catch (error) {
    tally.again += 1;
    // In words that a person can do something with, never a bug.
    if (!(error instanceof Error) || error.name !== "Problem") tally.damage.push(`${name}: ${String(error)}`);
    await check();
    proxy.strike(() => null);
    await copy().catch((again: unknown) => tally.damage.push(`${name}, once more: ${String(again)}`));
  }
  if (struck) tally.points += 1;
  await check();
  return struck;
}

async function whatIsListedVerifies(server: S3Server, back: string, tally: Tally, name: string): Promise<void> {
  const way: Way = await wayTo(server);
  const look = `${back}-look`;
  try {
    const { sealed, damaged } = await listBucket(way.bucket, never);
    for (const { id } of damaged) tally.damage.push(`${name}: ${id} is listed and its manifest is damaged`);
    for (const { id } of sealed) {
      await way
        .down(id, look)
        .catch((error: unknown) => tally.damage.push(`${name}: ${id} is listed and does not come back: ${String(error)}`));
    }
  } finally {
    rmSync(look, { recursive: true, force: true });
    await way.bucket.close();
  }
}

/** Whatever has a checkpoint's name in a folder is one. */
export async function whatLiesThereVerifies(folder: string, tally: Pick<Tally, "damage">, name: string): Promise<void> {
  if (!existsSync(folder)) return;
  for (const id of readdirSync(folder).filter((one) => one.startsWith("c-"))) {
    const { ok, problems } = await verifyCheckpoint(join(folder, id));
    if (!ok) tally.damage.push(`${name}: ${id} has its name and does not verify: ${JSON.stringify(problems[0])}`);
  }
}
