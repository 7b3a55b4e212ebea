import { spawn } from "node:child_process";

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

/** Runs a program on this terminal: its streams are ours. Resolves with its exit status. */
export function runAttached(
  argv: readonly string[],
  options: { readonly cwd?: string; readonly env: Readonly<Record<string, string | undefined>> },
): Promise<number> {
  return new Promise((resolve, reject) => {
    const [file = "", ...rest] = argv;
    const child = spawn(file, rest, { cwd: options.cwd, env: { ...options.env }, stdio: "inherit" });
    child.on("error", reject);
    child.on("close", (code, signalName) => resolve(exitStatus(code, signalName)));
  });
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
