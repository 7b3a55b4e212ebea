import { mkdir, readdir } from "node:fs/promises";
import type { Readable } from "node:stream";
import { EXIT } from "../model/exit-codes.ts";
import { Problem, usageProblem } from "../model/problem.ts";
import type { StreamedProgram } from "../platform/streamed-program.ts";
import { ArchiveDamage } from "../platform/tar-reader.ts";
import { stripControl } from "../platform/terminal.ts";
import { emptyFolder, unpackTar } from "../platform/unpack.ts";
import type { Reach } from "../providers/provider.ts";
import { endedProblem, streamAgentVerb, type VerbOptions } from "./run-verb.ts";

/**
 * Reads all that a program inside a machine writes, by `read`, and waits for its end.
 * @throws Problem when it failed, with what it said; what `read` throws when only that failed.
 */
export async function readAll<Result>(program: StreamedProgram, read: (stdout: Readable) => Promise<Result>): Promise<Result> {
  program.stdin.end();
  const reading = read(program.stdout).catch((error: unknown) => {
    // So that a program which has more to say ends as well.
    program.stdout.destroy();
    throw error;
  });
  const [result, ended] = await Promise.allSettled([reading, program.done]);
  if (ended.status === "rejected") throw ended.reason;
  if (result.status === "rejected" && !(result.reason instanceof ArchiveDamage)) throw result.reason;
  // An archive is cut short because its sender failed; one that only holds what it must not did not fail.
  if (ended.value.code !== 0 && !(result.status === "rejected" && result.reason.message !== "the archive is cut short"))
    throw endedProblem(ended.value);
  if (result.status === "fulfilled") return result.value;
  throw new Problem({
    code: "SPOT_E_ARCHIVE",
    message: `what the machine sent was not taken: ${stripControl(result.reason.message)}`,
    exit: EXIT.failed,
    cause: result.reason,
  });
}

/**
 * Fetches a checkpoint from the machine's volume, as it lies there (MANIFEST, data/), into a new or an empty folder. What
 * arrives is unproven: verify it against its manifest (`verifyCheckpoint`, which wants a folder of the checkpoint's name). A failure leaves the folder empty.
 * @throws Problem when the machine cannot be reached, has no such checkpoint (exit 7), or sends what must not be unpacked.
 */
export async function guestPack(reach: Reach, id: string, folder: string, options: VerbOptions): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  if ((await readdir(folder)).length > 0)
    throw usageProblem(`${folder} is not empty`, "a checkpoint is fetched into a new or an empty folder only");
  try {
    const program = await streamAgentVerb(reach, ["pack", id], options);
    await readAll(program, (stdout) => unpackTar(stdout, folder, options.signal));
  } catch (error) {
    await emptyFolder(folder);
    throw error;
  }
}
