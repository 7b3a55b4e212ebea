import { readdirSync } from "node:fs";
import { join } from "node:path";
import type { TestWorld } from "../world.ts";
import { cloudWorld, must } from "./cloud.ts";

/** A world with one volume that this computer sees, and no machine; `path` is where it lies. */
export async function volumeHere(name: string): Promise<{ readonly world: TestWorld; readonly path: string }> {
  const world = await cloudWorld();
  await must(world, "volumes", "create", name, "--size", "1", "--provider", "local");
  const folder = join(world.home, "local", "volumes");
  const [id = ""] = readdirSync(folder);
  return { world, path: join(folder, id) };
}
