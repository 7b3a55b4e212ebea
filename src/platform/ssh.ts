import { EXIT } from "../model/exit-codes.ts";
import { Problem } from "../model/problem.ts";
import { runOnStreams, type Screens } from "./attached-program.ts";
import { deadline } from "./clock.ts";
import { hasErrorCode } from "./files.ts";
import { type RunResult, runProgram } from "./process.ts";
import { ensureControlFolder, knownHostsFile, passwordEnvironment, privateKeyFile, type SshAccess } from "./ssh-files.ts";
import { ensureSshKey, programMissing } from "./ssh-key.ts";
import { type SshTarget, type SshUse, sshArguments } from "./ssh-options.ts";
import { runLeavingBackground } from "./ssh-process.ts";
import { type StreamedProgram, startStreamed } from "./streamed-program.ts";
import { stripControl } from "./terminal.ts";

/** ssh's own exit code when it, and not the command, has failed. */
export const SSH_FAILED = 255;
/** For a connection and a command that does nothing, in milliseconds. */
const GREETING_MS = 20_000;
const FAREWELL_MS = 2_000;

interface RunLimits {
  readonly timeoutMs: number;
  /** The command's standard input; none by default. */
  readonly input?: Uint8Array;
  readonly signal: AbortSignal;
}

interface Prepared {
  readonly argv: readonly string[];
  readonly env: SshAccess["env"];
}

async function prepare(access: SshAccess, target: SshTarget, use: Omit<SshUse, "controlFolder">, signal: AbortSignal): Promise<Prepared> {
  const controlFolder = await ensureControlFolder(access.home);
  const argv = ["ssh", ...sshArguments(access.home, target, { ...use, controlFolder })];
  await ensureSshKey(access, signal);
  const { password } = target;
  const asked = password === null ? {} : await passwordEnvironment(access.home, { ...target, password });
  return { argv, env: { ...access.env, ...asked } };
}

function lastWords(stderr: string): string {
  return stripControl(stderr).trim().split("\n").at(-1)?.trim() ?? "";
}

/** A machine that cannot be come into now; the same call may succeed later. */
export function unreachable(message: string, hint?: string, cause?: unknown): Problem {
  return new Problem({
    code: "SPOT_E_GUEST_UNREACHABLE",
    message,
    ...(hint === undefined ? {} : { hint }),
    exit: EXIT.failed,
    retryable: true,
    cause,
  });
}

/** What ssh said when it failed, as a problem: another host key is never the same as a machine that does not answer. */
export function sshProblem(access: SshAccess, target: SshTarget, stderr: string): Problem {
  const where = `${target.host}:${target.port}`;
  if (/HOST IDENTIFICATION HAS CHANGED|Host key verification failed|REVOKED HOST KEY/.test(stderr))
    return new Problem({
      code: "SPOT_E_HOST_KEY_CHANGED",
      message: `the machine at ${where} does not show the host key that was pinned for ${target.alias} when it was first met`,
      hint: "either it was set up anew, or somebody stands between; nothing was sent to it. When you know that it was set up anew, forget the old key",
      exit: EXIT.failed,
      next: [`ssh-keygen -R ${target.alias} -f ${shellPath(knownHostsFile(access.home))}`],
    });
  const words = lastWords(stderr);
  if (/Permission denied|Too many authentication failures/.test(stderr))
    return unreachable(
      `the machine at ${where} lets ${target.user} in with none of our keys${target.password === null ? "" : ", and not with its password"}: ${words}`,
      `our key is ${privateKeyFile(access.home)}.pub; a machine that is just booting may not have it yet`,
    );
  return unreachable(`the machine at ${where} cannot be reached by ssh: ${words === "" ? "ssh did not say why" : words}`);
}

function shellPath(path: string): string {
  return /^[A-Za-z0-9/._-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}

const refusesKeys = (result: { readonly code: number; readonly stderr: string }) =>
  result.code === SSH_FAILED && /Permission denied|Too many authentication failures/.test(result.stderr);

/** Ends a shared connection that does not answer any more, so that the next call makes a new one. */
async function hangUp({ argv, env }: Prepared): Promise<void> {
  const limit = deadline(new AbortController().signal, FAREWELL_MS);
  const at = argv.indexOf("--");
  await runProgram([...argv.slice(0, at), "-O", "exit", ...argv.slice(at)], { env, signal: limit.signal }).catch(() => undefined);
  limit.done();
}

async function attempt(
  access: SshAccess,
  target: SshTarget,
  command: string,
  options: RunLimits & { readonly keys: SshUse["keys"] },
): Promise<RunResult> {
  const prepared = await prepare(access, target, { for: "quiet", terminal: false, keys: options.keys }, options.signal);
  const limit = deadline(options.signal, options.timeoutMs);
  try {
    return await runLeavingBackground([...prepared.argv, command], { env: prepared.env, input: options.input, signal: limit.signal });
  } catch (error) {
    options.signal.throwIfAborted();
    if (limit.signal.aborted) {
      await hangUp(prepared);
      throw unreachable(`the machine at ${target.host}:${target.port} did not answer within ${options.timeoutMs / 1000} seconds`);
    }
    if (hasErrorCode(error, "ENOENT")) throw programMissing("ssh", error);
    throw error;
  } finally {
    limit.done();
  }
}

/** Which of the user's keys opened a machine. Our own are tried first: a server hears only so many. */
async function run(
  access: SshAccess,
  target: SshTarget,
  command: string,
  options: RunLimits,
): Promise<{ readonly result: RunResult; readonly keys: SshUse["keys"] }> {
  const result = await attempt(access, target, command, { ...options, keys: "ours" });
  const agent = access.env["SSH_AUTH_SOCK"];
  if (!refusesKeys(result) || agent === undefined || agent === "") return { result, keys: "ours" };
  return { result: await attempt(access, target, command, { ...options, keys: "all" }), keys: "all" };
}

/**
 * Runs a line of shell in a machine, with nobody sitting there, and returns what it printed, whatever its exit code.
 * Connections are shared: the next call within a minute costs a round trip.
 * @throws Problem when the machine cannot be reached in that time, or shows another host key.
 */
export async function runSsh(access: SshAccess, target: SshTarget, command: string, options: RunLimits): Promise<RunResult> {
  const { result } = await run(access, target, command, options);
  if (result.code === SSH_FAILED) throw sshProblem(access, target, result.stderr);
  return result;
}

/** Runs a line of shell in a machine with its streams through us, after the connection has been made. */
export async function streamSsh(access: SshAccess, target: SshTarget, command: string, signal: AbortSignal): Promise<StreamedProgram> {
  const { result, keys } = await run(access, target, ":", { timeoutMs: GREETING_MS, signal });
  if (result.code === SSH_FAILED) throw sshProblem(access, target, result.stderr);
  const { argv, env } = await prepare(access, target, { for: "quiet", terminal: false, keys }, signal);
  return startStreamed([...argv, command], { env, signal });
}

/**
 * Runs a line of shell in a machine on our streams, or its login shell (`command` null). Resolves with the exit status.
 * `terminal`: a person works in it, and may be asked for what opens a key. `screens`: as `runOnStreams` takes them.
 * @throws Problem when the machine cannot be reached, or shows another host key.
 */
export async function attachSsh(
  access: SshAccess,
  target: SshTarget,
  command: string | null,
  options: { readonly terminal: boolean; readonly screens: Screens | null; readonly signal: AbortSignal },
): Promise<number> {
  const { result, keys: opening } = await run(access, target, ":", { timeoutMs: GREETING_MS, signal: options.signal });
  const askable = options.terminal && refusesKeys(result);
  if (result.code === SSH_FAILED && !askable) throw sshProblem(access, target, result.stderr);
  const keys = askable ? "all" : opening;
  const { argv, env } = await prepare(access, target, { for: "person", terminal: options.terminal, keys }, options.signal);
  return runOnStreams(command === null ? argv : [...argv, command], options.screens, { env, signal: options.signal });
}
