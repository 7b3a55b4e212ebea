import { spawn } from "node:child_process";
import { exitStatus, type RunResult } from "./process.ts";

/** How long after its end a program's last words are waited for, in milliseconds. */
const LAST_WORDS_MS = 2_000;
const MOST_OUTPUT_CHARACTERS = 16 * 1024 * 1024;

/**
 * Runs ssh to its end and collects what it says. The connection that it leaves behind for the next call may hold its streams
 * (OpenSSH before 8.5 lets it hold stderr), so their end is not waited for longer than a moment.
 * Rejects with the signal's reason when that fires first.
 */
export function runLeavingBackground(
  argv: readonly string[],
  options: {
    readonly env: Readonly<Record<string, string | undefined>>;
    /** Its standard input; none by default. */
    readonly input?: Uint8Array | undefined;
    readonly signal: AbortSignal;
  },
): Promise<RunResult> {
  const { signal, input } = options;
  signal.throwIfAborted();
  return new Promise((resolve, reject) => {
    const [file = "", ...rest] = argv;
    const child = spawn(file, rest, { env: { ...options.env }, stdio: [input === undefined ? "ignore" : "pipe", "pipe", "pipe"] });
    // Who does not read all of it says by its exit code what it thinks of that.
    child.stdin?.on("error", () => {});
    child.stdin?.end(input);
    const collected = { stdout: "", stderr: "" };
    for (const name of ["stdout", "stderr"] as const)
      child[name]?.setEncoding("utf8").on("data", (chunk: string) => {
        if (collected[name].length < MOST_OUTPUT_CHARACTERS) collected[name] += chunk;
      });
    const settle = (act: () => void) => {
      signal.removeEventListener("abort", onAbort);
      act();
    };
    const onAbort = () => {
      child.kill("SIGTERM");
      settle(() => reject(signal.reason));
    };
    signal.addEventListener("abort", onAbort, { once: true });
    child.on("error", (error) => settle(() => reject(error)));
    child.on("exit", (code, signalName) => {
      const end = () => {
        clearTimeout(timer);
        child.stdout?.destroy();
        child.stderr?.destroy();
        settle(() => resolve({ code: exitStatus(code, signalName), ...collected }));
      };
      const timer = setTimeout(end, LAST_WORDS_MS);
      child.on("close", end);
    });
  });
}
