import { type ChildProcess, spawn } from "node:child_process";

export interface RunResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

const MOST_OUTPUT_BYTES = 16 * 1024 * 1024;

/** Runs a program to its end and collects what it says. A signal's end is reported as 128 + number, as a shell does. */
export function runProgram(
  argv: readonly string[],
  options: { readonly cwd?: string; readonly env: Readonly<Record<string, string | undefined>>; readonly signal: AbortSignal },
): Promise<RunResult> {
  return new Promise((resolve, reject) => {
    const [file = "", ...rest] = argv;
    const child = spawn(file, rest, {
      cwd: options.cwd,
      env: { ...options.env },
      stdio: ["ignore", "pipe", "pipe"],
      signal: options.signal,
    });
    const collected = { stdout: "", stderr: "" };
    const collect = (name: "stdout" | "stderr") => (chunk: string) => {
      if (collected[name].length < MOST_OUTPUT_BYTES) collected[name] += chunk;
    };
    child.stdout.setEncoding("utf8").on("data", collect("stdout"));
    child.stderr.setEncoding("utf8").on("data", collect("stderr"));
    child.on("error", reject);
    child.on("close", (code, signalName) => resolve({ code: exitStatus(code, signalName), ...collected }));
  });
}

/** How a program on our streams is started. `signal`: ends it when the time of `--timeout` is over. */
export interface AttachedOptions {
  readonly cwd?: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly signal?: AbortSignal;
}

/**
 * The exit status of a program on our streams.
 * @throws the signal's reason when its time was over. Ctrl-C is no such reason: the terminal tells the program itself.
 */
export function statusOf(child: ChildProcess, signal: AbortSignal | undefined): Promise<number> {
  const isLate = () => signal?.aborted === true && signal.reason instanceof DOMException && signal.reason.name === "TimeoutError";
  const end = () => void (isLate() && child.kill("SIGTERM"));
  signal?.addEventListener("abort", end);
  return new Promise<number>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signalName) => (isLate() ? reject(signal?.reason) : resolve(exitStatus(code, signalName))));
  }).finally(() => signal?.removeEventListener("abort", end));
}

/** Runs a program on this terminal: its streams are ours. Resolves with its exit status. @throws as `statusOf`. */
export function runAttached(argv: readonly string[], options: AttachedOptions): Promise<number> {
  const [file = "", ...rest] = argv;
  return statusOf(spawn(file, rest, { cwd: options.cwd, env: { ...options.env }, stdio: "inherit" }), options.signal);
}

const SIGNALS: Readonly<Record<string, number>> = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGQUIT: 3,
  SIGABRT: 6,
  SIGKILL: 9,
  SIGSEGV: 11,
  SIGPIPE: 13,
  SIGTERM: 15,
};

/** What a shell would report: the exit code, or 128 + the number of the signal. */
export function exitStatus(code: number | null, signalName: NodeJS.Signals | null): number {
  return code ?? 128 + (SIGNALS[signalName ?? ""] ?? 1);
}
