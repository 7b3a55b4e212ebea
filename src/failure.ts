import { CommanderError } from "commander";
import { usageFromCommander } from "./command-tree.ts";
import { asksForMachineOutput } from "./global-flags.ts";
import { EXIT } from "./model/exit-codes.ts";
import { Problem } from "./model/problem.ts";
import { painterFor } from "./output/painter.ts";
import { problemJson, problemText } from "./output/problem-text.ts";
import { hasErrorCode } from "./platform/files.ts";
import type { World } from "./platform/world.ts";

/** Says on stderr what went wrong, as people or as scripts read it, and gives the exit code. */
export async function reportFailure(error: unknown, argv: readonly string[], verb: readonly string[], world: World): Promise<number> {
  // Help that was asked for ends the parsing like an error does.
  if (error instanceof CommanderError && error.exitCode === 0) return EXIT.done;
  const { problemOf } = await import("./fleet/faults.ts");
  const known = error instanceof CommanderError ? usageFromCommander(error, verb) : problemOf(error);
  // Whoever read our answer has gone: nobody is left to be told.
  if (world.signal.reason === "EPIPE" && !(known instanceof Problem)) return EXIT.done;
  const found = known instanceof Problem ? known : (stopped(known, world.signal) ?? systemProblem(known) ?? bug(known, verb, world));
  const problem = pointed(found, verb);
  if (asksForMachineOutput(argv)) world.stderr.write(problemJson(problem));
  else world.stderr.write(problemText(problem, await painterFor(world.stderr, world.env, !argv.includes("--no-color"))));
  return problem.exit;
}

/** Every error says what to run next: of a mistake in the words that does not, the command's own help. */
function pointed(problem: Problem, verb: readonly string[]): Problem {
  if (problem.exit !== EXIT.usage || problem.next.length > 0 || verb.length === 0) return problem;
  const { code, message, exit, hint, retryable } = problem;
  return new Problem({
    code,
    message,
    exit,
    retryable,
    next: [`${["spot", ...verb].join(" ")} --help`],
    ...(hint === undefined ? {} : { hint }),
  });
}

/** An error that only says that the command was told to stop. */
function stopped(error: unknown, signal: AbortSignal): Problem | undefined {
  const name = error instanceof Error ? error.name : "";
  // A question that was closed with Ctrl-C: the prompt reads the key by itself, no signal arrives.
  if (signal.reason === "SIGINT" || name === "ExitPromptError")
    return new Problem({ code: "SPOT_E_INTERRUPTED", message: "interrupted", exit: EXIT.interrupted, retryable: true, next: ["spot ls"] });
  if (signal.reason === "SIGTERM")
    return new Problem({ code: "SPOT_E_TERMINATED", message: "terminated", exit: EXIT.terminated, retryable: true, next: ["spot ls"] });
  if (name === "TimeoutError")
    return new Problem({
      code: "SPOT_E_TIMEOUT",
      message: `gave up: ${(error as Error).message}`,
      exit: EXIT.timeout,
      retryable: true,
      next: ["spot ls"],
    });
  return undefined;
}

const SYSTEM_WORDS: Readonly<Record<string, string>> = {
  ENOSPC: "the disk is full",
  EDQUOT: "the disk quota is used up",
  EROFS: "the file system is read-only",
  EACCES: "permission denied",
  EPERM: "not permitted",
  EMFILE: "too many open files",
  ENFILE: "too many open files",
  ENOTDIR: "a part of the path is not a folder",
  EISDIR: "it is a folder",
};

/** What the machine under us refused, in words. */
function systemProblem(error: unknown): Problem | undefined {
  if (!hasErrorCode(error, ...Object.keys(SYSTEM_WORDS))) return undefined;
  const what = error.path === undefined ? "" : ` (${error.path})`;
  return new Problem({
    code: "SPOT_E_SYSTEM",
    message: `${SYSTEM_WORDS[error.code ?? ""] ?? error.message}${what}`,
    exit: EXIT.failed,
    hint: "SPOT_HOME moves everything that spot writes to another folder",
    next: ["spot doctor"],
    cause: error,
  });
}

/** Anything else is ours to mend: enough of it for a report, none of the environment. */
function bug(error: unknown, verb: readonly string[], world: World): Problem {
  const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
  const lines = stack
    .split("\n")
    .slice(0, 6)
    .map((line) => line.replaceAll(world.packageRoot, "").trim());
  return new Problem({
    code: "SPOT_E_BUG",
    message: `this is a bug in spot: ${lines.join("\n")}`,
    exit: EXIT.bug,
    hint: `while running: ${["spot", ...verb].join(" ")} (${world.platform})`,
    next: ["spot doctor", "spot reconcile"],
    cause: error,
  });
}
