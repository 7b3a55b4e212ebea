import { EXIT } from "../model/exit-codes.ts";
import { Problem } from "../model/problem.ts";
import { deadline } from "../platform/clock.ts";
import { hasErrorCode } from "../platform/files.ts";
import { type RunResult, runProgram } from "../platform/process.ts";
import { runSsh, SSH_FAILED, streamSsh, unreachable } from "../platform/ssh.ts";
import type { SshAccess } from "../platform/ssh-files.ts";
import { type StreamedProgram, startStreamed } from "../platform/streamed-program.ts";
import { stripControl } from "../platform/terminal.ts";
import type { Reach } from "../providers/provider.ts";
import { shellWord } from "./boot-script.ts";
import { CARRIED_VERBS, type CarriedText, RUN_CARRIED, runCarried, type ScriptRunner } from "./carried.ts";
import {
  type GuestCheckpoint,
  type GuestStatus,
  type PruneResult,
  parseDamaged,
  parseGuestError,
  parseGuestStatus,
  parseMarks,
  parsePruned,
  parseReady,
  parseSealed,
  parseSnapshotResult,
  parseUnfit,
  parseVerified,
  parseVolumeResult,
  type SnapshotResult,
  saysDamaged,
  type VerifiedCheckpoint,
  type VolumeResult,
} from "./protocol.ts";

export interface VerbOptions {
  readonly signal: AbortSignal;
  /** How rented machines are come into; not needed for the embedded cloud's. */
  readonly ssh?: SshAccess;
  /** What a rented machine is brought where it lacks the verb; not needed for the embedded cloud's. */
  readonly carried?: () => Promise<CarriedText>;
  /** No longer than this, in milliseconds; without it each verb has its own limit. */
  readonly timeoutMs?: number;
}

const SECOND = 1000;
const MINUTE = 60 * SECOND;
/**
 * How long a verb may take, the connection included. Hashing a volume of terabytes takes hours. `sealed` reads every manifest: of
 * 700 checkpoints with 100,000 files each (12 MB) at 50 MB/s in three minutes.
 */
const LIMITS: Readonly<Record<string, number>> = {
  status: 20 * SECOND,
  notice: 20 * SECOND,
  "ready-http": 20 * SECOND,
  marks: 20 * SECOND,
  sealed: 3 * MINUTE,
  volume: 3 * MINUTE,
  release: 3 * MINUTE,
  snapshot: 120 * MINUTE,
  verify: 360 * MINUTE,
  prune: 120 * MINUTE,
};
const OTHER_LIMIT = MINUTE;
/** What an agent that does not know a verb ends with. */
const NO_SUCH_VERB = 2;

/**
 * The line of shell that becomes these words as root. A machine whose root is a folder (`SPOT_ROOT`) belongs to whoever comes
 * in; on any other it takes sudo, unless the login is root's.
 */
function rootLine(words: string): string {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: the machine's shell expands it
  const become = 'if [ -n "${SPOT_ROOT-}" ] || [ "$(id -u)" = 0 ]; then set --; else set -- sudo -n; fi;';
  return `${become} exec "$@" ${words}`;
}

/** The line of shell that becomes a verb of the agent. */
export function agentLine(verb: readonly string[]): string {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: the machine's shell expands it
  return rootLine(['sh "${SPOT_ROOT-}/var/lib/spot/agent.sh"', ...verb.map(shellWord)].join(" "));
}

function requireAccess(reach: Extract<Reach, { kind: "ssh" }>, { ssh }: VerbOptions): SshAccess {
  if (ssh === undefined) throw unreachable(`the machine at ${reach.host} is reached by ssh only`);
  return ssh;
}

function scriptLine(script: string, args: readonly string[]): string {
  return rootLine(["sh", "-c", shellWord(script), "sh", ...args.map(shellWord)].join(" "));
}

async function requireCarried({ carried }: VerbOptions): Promise<CarriedText> {
  if (carried === undefined) throw new Error("a verb that is brought to a machine needs its text");
  return carried();
}

function farRunner(reach: Extract<Reach, { kind: "ssh" }>, options: VerbOptions, timeoutMs: number): ScriptRunner {
  const ssh = requireAccess(reach, options);
  const { signal } = options;
  return (script, args, input) =>
    runSsh(ssh, reach, scriptLine(script, args), { signal, timeoutMs, ...(input === undefined ? {} : { input }) });
}

const isCarried = (verb: readonly string[]) => CARRIED_VERBS.has(verb[0] ?? "");

function agentArguments(reach: Extract<Reach, { kind: "process" }>, verb: readonly string[]): readonly string[] {
  const { SPOT_ROOT: root = "" } = reach.env;
  return ["/bin/sh", `${root}/var/lib/spot/agent.sh`, ...verb];
}

/** A working directory that is gone is reported by Node as ENOENT of the program. */
function withoutDisk(error: unknown): unknown {
  return hasErrorCode(error, "ENOENT", "ENOTDIR")
    ? unreachable("the machine's disk is gone", "it may have been reclaimed meanwhile", error)
    : error;
}

/**
 * Runs one verb of the agent inside a machine and returns what it printed, whatever its exit code.
 * @throws Problem when the machine cannot be reached, or does not answer in time.
 */
export async function runAgentVerb(reach: Reach, verb: readonly string[], options: VerbOptions): Promise<RunResult> {
  const { signal, timeoutMs = LIMITS[verb[0] ?? ""] ?? OTHER_LIMIT } = options;
  if (reach.kind === "ssh") {
    if (isCarried(verb)) return runCarried(await requireCarried(options), verb, farRunner(reach, options, timeoutMs));
    return runSsh(requireAccess(reach, options), reach, agentLine(verb), { signal, timeoutMs });
  }
  const limit = deadline(signal, timeoutMs);
  try {
    return await runProgram(agentArguments(reach, verb), { cwd: reach.cwd, env: reach.env, signal: limit.signal });
  } catch (error) {
    if (limit.signal.aborted && !signal.aborted)
      throw unreachable(`the agent did not answer ${JSON.stringify(verb[0])} within ${timeoutMs / SECOND} seconds`, undefined, error);
    throw withoutDisk(error);
  } finally {
    limit.done();
  }
}

/**
 * Starts one verb of the agent with its streams through us, for as long as the signal lets it.
 * @throws Problem when the machine cannot be reached.
 */
export async function streamAgentVerb(reach: Reach, verb: readonly string[], options: VerbOptions): Promise<StreamedProgram> {
  if (reach.kind === "ssh") {
    const ssh = requireAccess(reach, options);
    if (!isCarried(verb)) return streamSsh(ssh, reach, agentLine(verb), options.signal);
    const text = await requireCarried(options);
    requireSuccess(verb[0] ?? "", await runCarried(text, [], farRunner(reach, options, OTHER_LIMIT)));
    return streamSsh(ssh, reach, scriptLine(RUN_CARRIED, [text.hash, ...verb]), options.signal);
  }
  return startHere(agentArguments(reach, verb), reach, options);
}

function startHere(argv: readonly string[], reach: Extract<Reach, { kind: "process" }>, { signal }: VerbOptions): StreamedProgram {
  const program = startStreamed(argv, { cwd: reach.cwd, env: reach.env, signal });
  const done = program.done.catch((error: unknown) => Promise.reject(withoutDisk(error)));
  done.catch(() => {});
  return { ...program, done };
}

/**
 * Runs a script of ours inside a machine, as root, with its streams through us; `args` are its $1, $2 and so on.
 * @throws Problem when the machine cannot be reached.
 */
export async function streamScript(reach: Reach, script: string, args: readonly string[], options: VerbOptions): Promise<StreamedProgram> {
  if (reach.kind === "ssh") return streamSsh(requireAccess(reach, options), reach, scriptLine(script, args), options.signal);
  return startHere(["/bin/sh", "-c", script, "sh", ...args], reach, options);
}

/**
 * Runs a short script of ours inside a machine, as root, to its end; `args` are its $1, $2 and so on.
 * @throws Problem when the machine cannot be reached, or does not answer in time.
 */
export async function runScript(reach: Reach, script: string, args: readonly string[], options: VerbOptions): Promise<RunResult> {
  const { signal, timeoutMs = OTHER_LIMIT } = options;
  if (reach.kind === "ssh") return farRunner(reach, options, timeoutMs)(script, args);
  try {
    return await runProgram(["/bin/sh", "-c", script, "sh", ...args], { cwd: reach.cwd, env: reach.env, signal });
  } catch (error) {
    throw withoutDisk(error);
  }
}

/** Why a program that was streamed did not end well. */
export function endedProblem({ code, stderr }: { readonly code: number; readonly stderr: string }): Problem {
  // tar's last words are only that something went wrong before.
  const lines = stderr
    .trim()
    .split("\n")
    .filter((line) => !line.includes("Exiting with failure status"));
  const words = stripControl(parseGuestError(stderr) ?? lines.at(-1) ?? "").trim();
  if (code === SSH_FAILED) return unreachable(`the connection to the machine was lost${words === "" ? "" : `: ${words}`}`);
  return new Problem({
    code: "SPOT_E_GUEST",
    message: words === "" ? `the machine ended with exit code ${code}` : words,
    exit: code === EXIT.verification ? EXIT.verification : EXIT.failed,
  });
}

/** The code of a Problem that says: what lies on the volume is not as it was sealed. */
export const GUEST_DAMAGED = "SPOT_E_GUEST_DAMAGED";

/** The words of a verb that ended well. @throws Problem with what the agent said. */
export function requireSuccess(verb: string, result: RunResult): string {
  if (result.code === 0) return result.stdout;
  const said = stripControl(parseGuestError(result.stdout) ?? result.stderr.trim().split("\n").at(-1) ?? "");
  throw new Problem({
    code: saysDamaged(result.stdout) ? GUEST_DAMAGED : "SPOT_E_GUEST",
    message: said === "" ? `the agent's ${verb} ended with exit code ${result.code}` : said,
    exit: result.code === EXIT.verification ? EXIT.verification : EXIT.failed,
  });
}

async function ask(reach: Reach, verb: readonly [string, ...string[]], options: VerbOptions): Promise<string> {
  return requireSuccess(verb[0], await runAgentVerb(reach, verb, options));
}

/** @throws Problem when the machine cannot be reached or its agent has not started. */
export async function guestStatus(reach: Reach, options: VerbOptions): Promise<GuestStatus> {
  return parseGuestStatus(await ask(reach, ["status"], options));
}

/** What is done by now since it began, in the words that `marksOf` reads; undefined of an agent that is older than that question. */
export async function guestMarks(reach: Reach, options: VerbOptions): Promise<string | undefined> {
  const result = await runAgentVerb(reach, ["marks"], options);
  if (result.code === NO_SUCH_VERB) return undefined;
  return parseMarks(requireSuccess("marks", result));
}

/**
 * Runs the checkpoint hook and seals a checkpoint.
 * @param deadline epoch milliseconds by which it must be done, or null.
 * @throws Problem (exit 7) with the reason when nothing could be sealed.
 */
export async function guestSnapshot(reach: Reach, reason: string, deadline: number | null, options: VerbOptions): Promise<SnapshotResult> {
  const until = deadline === null ? [] : [String(Math.floor(deadline / SECOND))];
  const result = await runAgentVerb(reach, ["snapshot", reason, ...until], options);
  const unfit = parseUnfit(result.stdout);
  return unfit === undefined ? parseSnapshotResult(requireSuccess("snapshot", result)) : { kind: "does-not-fit", fit: unfit };
}

/** Tells the agent of a notice that the provider's API gave. `deadline` in epoch milliseconds. */
export async function guestNotice(reach: Reach, deadline: number, kind: string, options: VerbOptions): Promise<void> {
  await ask(reach, ["notice", String(Math.floor(deadline / SECOND)), kind], options);
}

/** Takes back what `guestNotice` told. */
export async function guestNoticeWithdrawn(reach: Reach, options: VerbOptions): Promise<void> {
  await ask(reach, ["notice", "none"], options);
}

/** Tells the agent under which name its volume has come; it waits up to a minute for it. @throws Problem (exit 7) when it is not to be mounted. */
export async function guestVolume(reach: Reach, device: string, sizeGb: number, options: VerbOptions): Promise<VolumeResult> {
  return parseVolumeResult(await ask(reach, ["volume", device, String(Math.round(sizeGb))], options));
}

/** Ends the workload and lets go of the volume. @throws Problem (exit 7) when the volume stays in use. */
export async function guestRelease(reach: Reach, options: VerbOptions): Promise<void> {
  await ask(reach, ["release"], options);
}

/** The whole checkpoints on the machine's volume, newest first. */
export async function guestSealed(reach: Reach, options: VerbOptions): Promise<readonly GuestCheckpoint[]> {
  return parseSealed(await ask(reach, ["sealed"], options));
}

/** What lies on the machine's volume under a checkpoint's name without a manifest that holds. */
export async function guestDamaged(reach: Reach, options: VerbOptions): Promise<ReturnType<typeof parseDamaged>> {
  return parseDamaged(await ask(reach, ["sealed"], options));
}

/**
 * Hashes a checkpoint on the machine's volume against its manifest.
 * @throws Problem (exit 7): `GUEST_DAMAGED`, which names up to five files that differ, or why it could not be verified.
 */
export async function guestVerify(reach: Reach, id: string, options: VerbOptions): Promise<VerifiedCheckpoint> {
  return parseVerified(await ask(reach, ["verify", id], options));
}

/**
 * Tells the agent that a checkpoint on its volume is damaged: its next seal shares nothing with what is sealed there. It waits for a
 * seal that runs. @throws Problem when it could not be told.
 */
export async function guestTellDamaged(reach: Reach, id: string, options: VerbOptions): Promise<void> {
  const result = await runAgentVerb(reach, ["verify", id, "damaged"], options);
  if (saysDamaged(result.stdout)) return;
  requireSuccess("verify", result);
  // One from before this word reads the checkpoint itself.
  throw new Problem({ code: "SPOT_E_GUEST", message: `its agent finds ${id} whole`, exit: EXIT.failed });
}

/**
 * Has sealed checkpoints removed from the machine's volume, or only says what that would free.
 * @throws Problem (exit 7) with the agent's reason when one of them is the newest of its instance or in use: then none is removed.
 */
export async function guestPrune(reach: Reach, ids: readonly string[], dryRun: boolean, options: VerbOptions): Promise<PruneResult> {
  const result = await runAgentVerb(reach, ["prune", ...(dryRun ? ["--dry-run"] : []), ...ids], options);
  if (result.code === NO_SUCH_VERB && parseGuestError(result.stdout) === undefined)
    throw new Problem({
      code: "SPOT_E_GUEST_OLD",
      message: "the agent of this machine is older than pruning",
      exit: EXIT.failed,
      hint: "its next machine brings a newer agent: hibernate and restore it, or prune while no machine has the volume",
    });
  return parsePruned(requireSuccess("prune", result));
}

/** Whether something inside the machine answers HTTP there with a status below 400. */
export async function guestReadyHttp(reach: Reach, port: string, path: string, options: VerbOptions): Promise<boolean> {
  return parseReady(await ask(reach, ["ready-http", port, path], options));
}

/** Runs a command in the workload's environment and folder, to its end. */
export async function guestExec(reach: Reach, argv: readonly string[], options: VerbOptions): Promise<RunResult> {
  return runAgentVerb(reach, ["exec", "--", ...argv], options);
}
