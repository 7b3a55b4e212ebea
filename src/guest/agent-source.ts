import { readFile } from "node:fs/promises";
import { join } from "node:path";

/**
 * The agent's text: its parts, in the order that the file `parts` beside them gives.
 * @param packageRoot the folder of package.json.
 */
export async function readAgent(packageRoot: string): Promise<string> {
  const folder = join(packageRoot, "src", "guest", "agent");
  const names = (await readFile(join(folder, "parts"), "utf8")).trim().split("\n");
  return (await Promise.all(names.map((name) => readFile(join(folder, name), "utf8")))).join("\n");
}
