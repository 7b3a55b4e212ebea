import { readFileSync } from "node:fs";
import { join } from "node:path";
import { EXIT } from "./model/exit-codes.ts";
import type { World } from "./platform/world.ts";

export function printVersion(world: World): number {
  const { version } = JSON.parse(readFileSync(join(world.packageRoot, "package.json"), "utf8"));
  world.stdout.write(`${version}\n`);
  return EXIT.done;
}
