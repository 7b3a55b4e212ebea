import { rm, rmdir } from "node:fs/promises";
import { hasErrorCode } from "../platform/files.ts";
import { emptyFolder } from "../platform/unpack.ts";

/**
 * Removes a folder with all that is in it, if it is there: also folders that their maker made read-only. The rights of files
 * are left as they are, for sealed checkpoints share them by hard links.
 */
export async function discardFolder(folder: string): Promise<void> {
  try {
    await rm(folder, { recursive: true, force: true });
  } catch (error) {
    if (!hasErrorCode(error, "EACCES", "EPERM", "ENOTEMPTY")) throw error;
    await emptyFolder(folder);
    await rmdir(folder);
  }
}
