import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { spot, type TestWorld } from "../world.ts";
import { cloudWorld, data, machines } from "./cloud.ts";

/** What lies on the only volume that there is; undefined while there is none. */
function onVolume({ home }: TestWorld, file: string): boolean {
  const volumes = join(home, "local", "volumes");
  return existsSync(volumes) && readdirSync(volumes).some((id) => existsSync(join(volumes, id, file)));
}

/** An `up` whose workload never serves, interrupted once this file is on its volume. */
async function interrupted(world: TestWorld, volume: string, script: string, file: string) {
  const ctrlC = new AbortController();
  const order = ["up", "--name", "late", "--gpu", "A10G", "--volume", `${volume}:1:/data`, "--ready-cmd", "false", "--yes"];
  const running = spot({ ...world, signal: ctrlC.signal }, ...order, "--", "sh", "-c", script);
  await expect.poll(() => onVolume(world, file), { timeout: 30_000 }).toBe(true);
  ctrlC.abort("SIGINT");
  const { code, stderr } = await running;
  return { code, stderr, volumes: (await data(world, "volumes", "ls")).map(({ name }: { readonly name: string }) => name) };
}

test("an up that never served takes its volume back only while nothing has been written on it", async () => {
  const world = await cloudWorld();
  const untouched = await interrupted(world, "other", "exec sleep 1000", "spot/cache");
  expect(untouched).toMatchObject({ code: 130, stderr: expect.not.stringContaining("other stays"), volumes: [] });
  // Straight to the volume, where no checkpoint takes it along.
  const written = await interrupted(world, "work", 'echo 1 >"$SPOT_VOLUME_DIR/out"; exec sleep 1000', "out");
  expect(written).toMatchObject({
    code: 130,
    stderr: expect.stringMatching(/volume work stays and goes on billing[\s\S]*spot volumes rm work/),
    volumes: ["work"],
  });
  expect(await machines(world)).toBe(0);
}, 90_000);
