import { pruneSealed } from "../../src/checkpoints/prune.ts";
import { restoreCheckpoint } from "../../src/checkpoints/restore.ts";
import { copyToArrival } from "../../src/checkpoints/travel/arrival.ts";
import { folderArrival } from "../../src/checkpoints/travel/folder-arrival.ts";
import { folderSource } from "../../src/checkpoints/travel/source.ts";
import { type FileFault, strikeFiles } from "./file-faults.ts";

/** What can be done to checkpoints from outside a machine. */
const DEEDS: Readonly<Record<string, (...words: readonly string[]) => Promise<unknown>>> = {
  restore: async (folder = "", target = "") => (await restoreCheckpoint(folder, target)).id,
  prune: (volume = "", ...ids) => pruneSealed(volume, ids),
  async copy(folder = "", target = "") {
    const signal = new AbortController().signal;
    const source = await folderSource(folder);
    return copyToArrival(source, await folderArrival(target, source, false, signal), { signal, dryRun: false });
  },
};

const [, , at = "", fault = "", log = "", deed = "", ...words] = process.argv;
await strikeFiles({ at: Number(at), fault: fault as FileFault, log });
try {
  process.stdout.write(`${JSON.stringify({ done: await DEEDS[deed]?.(...words) })}\n`);
} catch (error) {
  process.stdout.write(`${JSON.stringify({ failed: String(error) })}\n`);
  process.exitCode = 1;
}
