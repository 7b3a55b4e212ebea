import { dirname, resolve } from "node:path";
import { EXIT } from "../model/exit-codes.ts";
import { Problem, usageProblem } from "../model/problem.ts";
import { hasErrorCode, isFile, isFolder, writeFileAtomic } from "../platform/files.ts";
import type { CommandContext } from "./command.ts";
import { textFlag } from "./price-flags.ts";

/**
 * Where `--html FILE` writes; undefined without that flag. A file that is there is only replaced when a person or `--yes` says so.
 * @throws Problem when it cannot be written there (usage), or was declined.
 */
export async function pagePlace(context: CommandContext): Promise<string | undefined> {
  const file = textFlag(context, "html");
  if (file === undefined) return undefined;
  if (file === "") throw usageProblem("--html: there is no name of a file");
  const path = resolve(context.world.cwd, file);
  if (await isFolder(path)) throw usageProblem(`--html: ${path} is a folder`, "name the file that is to be written");
  if (!(await isFolder(dirname(path)))) throw usageProblem(`--html: there is no folder ${dirname(path)}`);
  const isReplaced = context.options["dryRun"] !== true && (await isFile(path));
  if (isReplaced && !(await context.confirm(`${file} exists. Overwrite it?`, "--yes")))
    throw new Problem({ code: "SPOT_E_DECLINED", message: `${file} was left as it is`, exit: EXIT.refused });
  return path;
}

/**
 * Writes a page for its owner, whole or not at all, and says so; with `--dry-run` nothing.
 * @throws Problem when the file cannot be written.
 */
export async function writePage(context: CommandContext, path: string, text: string): Promise<void> {
  if (context.options["dryRun"] === true) {
    context.progress.note(`${path} would be written`);
    return;
  }
  try {
    await writeFileAtomic(path, text);
  } catch (error) {
    throw new Problem({
      code: "SPOT_E_SYSTEM",
      message: `the page was not written to ${path}: ${unwrittenWhy(error)}`,
      exit: EXIT.failed,
      hint: "a file of that name is as it was",
      cause: error,
    });
  }
  context.progress.note(`the page was written to ${path}`);
}

function unwrittenWhy(error: unknown): string {
  if (hasErrorCode(error, "ENOSPC", "EDQUOT")) return "the disk is full";
  if (hasErrorCode(error, "EACCES", "EPERM")) return "its folder may not be written to";
  if (hasErrorCode(error, "EROFS")) return "the file system is read-only";
  return error instanceof Error ? error.message : String(error);
}
