import { readFile, stat } from "node:fs/promises";
import { usageProblem } from "../model/problem.ts";
import { hasErrorCode } from "./files.ts";
import { userNumber } from "./service-programs.ts";

/** What systemd, sh and cron's shell all read alike: no variables, no backslashes, blanks only in quotes. */
const LINE = /^([A-Za-z_][A-Za-z0-9_]*)=(?:[A-Za-z0-9_@%+=:,./-]*|'[^'\\]*'|"[^"\\$`]*")$/;
/** A path that systemd takes as it is: it knows wildcards there, and no quotes. */
const PLAIN_PATH = /^\/[^*?[\]\\\p{Cc}]*[^*?[\]\\\p{Cc}\s]$/u;

/**
 * The names that a file of `NAME=value` lines sets, once it is sure that nobody else can read it and that whoever reads it
 * reads the same. Never the values.
 * @throws Problem (usage), without a word of what is in it.
 */
export async function envFileNames(path: string): Promise<readonly string[]> {
  if (!PLAIN_PATH.test(path)) throw usageProblem(`--environment-file: systemd would read wildcards or escapes in ${JSON.stringify(path)}`);
  const found = await stat(path).catch((error: unknown) => {
    const why = hasErrorCode(error, "ENOENT") ? "it is not there" : error instanceof Error ? error.message : String(error);
    throw usageProblem(`--environment-file: ${path} cannot be read: ${why}`);
  });
  if (!found.isFile()) throw usageProblem(`--environment-file: ${path} is no file`);
  if (found.uid !== userNumber()) throw usageProblem(`--environment-file: ${path} belongs to somebody else`);
  if ((found.mode & 0o077) !== 0)
    throw usageProblem(`--environment-file: others may read or change ${path}`, "it is to hold secrets: 0600", [`chmod 600 ${path}`]);
  const lines = (await readFile(path, "utf8")).split("\n");
  return lines.flatMap((line, index) => {
    if (line.trim() === "" || line.startsWith("#")) return [];
    const name = LINE.exec(line)?.[1];
    if (name === undefined)
      throw usageProblem(
        `--environment-file: line ${index + 1} of ${path} is not read alike by everybody`,
        "NAME=value, with the value in quotes when it has blanks, and without a backslash, a dollar sign or `export`",
      );
    return [name];
  });
}
