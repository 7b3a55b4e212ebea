import { EXIT } from "../model/exit-codes.ts";
import { Problem } from "../model/problem.ts";
import { hasErrorCode } from "../platform/files.ts";
import { type RunResult, runProgram } from "../platform/process.ts";
import type { Reach } from "../providers/provider.ts";
import { type GuestStatus, parseGuestError, parseGuestStatus, parseSnapshotResult, type SnapshotResult } from "./protocol.ts";

export interface VerbOptions {
  readonly signal: AbortSignal;
}

function unreachable(message: string, hint: string, cause?: unknown): Problem {
  return new Problem({ code: "SPOT_E_GUEST_UNREACHABLE", message, hint, exit: EXIT.failed, retryable: true, cause });
}

/**
 * Runs one verb of the agent inside a machine and returns what it printed, whatever its exit code.
 * @throws Problem when the machine cannot be reached.
 */
export async function runAgentVerb(reach: Reach, verb: readonly string[], options: VerbOptions): Promise<RunResult> {
  if (reach.kind === "ssh")
    throw unreachable(
      `the agent on ${reach.host} cannot be reached`,
      "this version reaches only machines of the embedded cloud; ssh comes with the first real cloud",
    );
  const { SPOT_ROOT: root = "" } = reach.env;
  const agent = `${root}/var/lib/spot/agent.sh`;
  try {
    return await runProgram(["/bin/sh", agent, ...verb], { cwd: reach.cwd, env: reach.env, signal: options.signal });
  } catch (error) {
    // A working directory that is gone is reported by Node as ENOENT of the program.
    if (hasErrorCode(error, "ENOENT", "ENOTDIR"))
      throw unreachable("the machine's disk is gone", "it may have been reclaimed meanwhile", error);
    throw error;
  }
}

function requireSuccess(verb: string, result: RunResult): string {
  if (result.code === 0) return result.stdout;
  const said = parseGuestError(result.stdout) ?? result.stderr.trim().split("\n").at(-1) ?? "";
  throw new Problem({
    code: "SPOT_E_GUEST",
    message: said === "" ? `the agent's ${verb} ended with exit code ${result.code}` : said,
    exit: result.code === EXIT.verification ? EXIT.verification : EXIT.failed,
  });
}

/** @throws Problem when the machine cannot be reached or its agent has not started. */
export async function guestStatus(reach: Reach, options: VerbOptions): Promise<GuestStatus> {
  return parseGuestStatus(requireSuccess("status", await runAgentVerb(reach, ["status"], options)));
}

/**
 * Runs the checkpoint hook and seals a checkpoint.
 * @param deadline epoch milliseconds by which it must be done, or null.
 * @throws Problem (exit 7) with the reason when nothing could be sealed.
 */
export async function guestSnapshot(reach: Reach, reason: string, deadline: number | null, options: VerbOptions): Promise<SnapshotResult> {
  const verb = ["snapshot", reason, ...(deadline === null ? [] : [String(Math.floor(deadline / 1000))])];
  return parseSnapshotResult(requireSuccess("snapshot", await runAgentVerb(reach, verb, options)));
}

/** Tells the agent of a notice that the provider's API gave. `deadline` in epoch milliseconds. */
export async function guestNotice(reach: Reach, deadline: number, kind: string, options: VerbOptions): Promise<void> {
  requireSuccess("notice", await runAgentVerb(reach, ["notice", String(Math.floor(deadline / 1000)), kind], options));
}
