import { readdir } from "node:fs/promises";
import { join } from "node:path";

/** What an agent and a file system put on a volume by themselves, below its root. */
const OURS: ReadonlySet<string> = new Set(["spot/volume", "spot/pace", "spot/pace.tmp", "spot/cache/.room"]);
const FOLDER_OF_FILE_SYSTEM = "lost+found";

/**
 * Whether nothing lies on a volume that a workload, or anybody else, has put there: no file but our own, whatever folders there
 * are. @throws when it cannot be read to its end: then nobody knows.
 * @param path where the volume is mounted here.
 */
export async function isBare(path: string, below = ""): Promise<boolean> {
  for (const entry of await readdir(join(path, below), { withFileTypes: true })) {
    const name = below === "" ? entry.name : `${below}/${entry.name}`;
    if (name === FOLDER_OF_FILE_SYSTEM || (entry.isFile() && OURS.has(name))) continue;
    // A link may be all that tells where something is.
    if (!entry.isDirectory() || !(await isBare(path, name))) return false;
  }
  return true;
}
