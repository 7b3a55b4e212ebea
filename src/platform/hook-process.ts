import { spawn } from "node:child_process";
import { exitStatus } from "./process.ts";

/** After SIGTERM, before SIGKILL. */
const FAREWELL_MS = 2_000;
/** How long after its end a hook's last words are waited for: what it left in the background may hold its streams. */
const LAST_WORDS_MS = 500;
const LONGEST_LINE = 4_096;

/** How a hook ended; `code` as a shell reports it. */
export interface HookEnd {
  readonly code: number;
  /** Its time was over, or the signal fired, and it was ended with everything that it had started. */
  readonly why: "exited" | "overran" | "stopped";
}

export interface HookOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** For its standard input. */
  readonly input: string;
  readonly limitMs: number;
  readonly signal: AbortSignal;
  readonly onLine: (line: string) => void;
}

/** Runs a line of shell in a process group of its own, so that it and its children can be ended together. @throws Error when it cannot be started. */
export function runHook(command: string, options: HookOptions): Promise<HookEnd> {
  const { env, cwd, input, limitMs, signal, onLine } = options;
  signal.throwIfAborted();
  const child = spawn("/bin/sh", ["-c", command], { cwd, env: { ...env }, stdio: ["pipe", "pipe", "pipe"], detached: true });
  for (const stream of [child.stdout, child.stderr]) lines(stream, onLine);
  // It need not read what it is given.
  child.stdin.on("error", () => {});
  child.stdin.end(input);
  return new Promise((resolve, reject) => {
    let why: HookEnd["why"] = "exited";
    let killing: NodeJS.Timeout | undefined;
    const end = (reason: HookEnd["why"]) => {
      if (why !== "exited") return;
      why = reason;
      killGroup(child.pid, "SIGTERM");
      killing = setTimeout(() => killGroup(child.pid, "SIGKILL"), FAREWELL_MS);
    };
    const stop = () => end("stopped");
    const timer = setTimeout(() => end("overran"), limitMs);
    signal.addEventListener("abort", stop, { once: true });
    const settle = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", stop);
    };
    child.on("error", (error) => {
      settle();
      reject(error);
    });
    child.on("exit", (code, signalName) => {
      settle();
      // Its children must not outlive a hook that was ended.
      if (why !== "exited") killGroup(child.pid, "SIGKILL");
      clearTimeout(killing);
      const done = () => {
        clearTimeout(last);
        child.stdout.destroy();
        child.stderr.destroy();
        resolve({ code: exitStatus(code, signalName), why });
      };
      const last = setTimeout(done, LAST_WORDS_MS);
      child.on("close", done);
    });
  });
}

function killGroup(pid: number | undefined, name: "SIGTERM" | "SIGKILL"): void {
  try {
    if (pid !== undefined) process.kill(-pid, name);
  } catch {
    // It has ended by itself.
  }
}

function lines(stream: NodeJS.ReadableStream, onLine: (line: string) => void): void {
  let rest = "";
  stream.setEncoding("utf8");
  stream.on("data", (chunk: string) => {
    const parts = `${rest}${chunk}`.split("\n");
    rest = (parts.pop() ?? "").slice(-LONGEST_LINE);
    for (const line of parts) onLine(line);
  });
  stream.on("close", () => {
    if (rest !== "") onLine(rest);
    rest = "";
  });
}
