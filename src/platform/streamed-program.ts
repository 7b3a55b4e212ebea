import { spawn } from "node:child_process";
import type { Readable, Writable } from "node:stream";
import { exitStatus } from "./process.ts";

/** A program whose input and output pass through us. */
export interface StreamedProgram {
  readonly stdin: Writable;
  readonly stdout: Readable;
  /** Its exit status (128 + number for a signal) and the end of what it said on stderr, once all its streams have ended. */
  readonly done: Promise<{ readonly code: number; readonly stderr: string }>;
}

const MOST_STDERR = 64 * 1024;

/**
 * Starts a program with pipes on its three streams. `signal` ends it. `done` rejects when it cannot be started, and with the
 * signal's reason when that has fired.
 */
export function startStreamed(
  argv: readonly string[],
  options: { readonly cwd?: string; readonly env: Readonly<Record<string, string | undefined>>; readonly signal: AbortSignal },
): StreamedProgram {
  const [file = "", ...rest] = argv;
  options.signal.throwIfAborted();
  const child = spawn(file, rest, { cwd: options.cwd, env: { ...options.env }, stdio: ["pipe", "pipe", "pipe"] });
  const end = () => child.kill("SIGTERM");
  options.signal.addEventListener("abort", end, { once: true });
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
    stderr = `${stderr}${chunk}`.slice(-MOST_STDERR);
  });
  // Whoever reads may stop before the end, and so may whoever is written to; the exit status tells.
  child.stdin.on("error", () => {});
  const done = new Promise<{ readonly code: number; readonly stderr: string }>((resolve, reject) => {
    const settle = (act: () => void) => {
      options.signal.removeEventListener("abort", end);
      if (options.signal.aborted) reject(options.signal.reason);
      else act();
    };
    child.on("error", (error) => settle(() => reject(error)));
    child.on("close", (code, signalName) => settle(() => resolve({ code: exitStatus(code, signalName), stderr })));
  });
  // Awaited by the caller, perhaps only after the streams: until then a rejection is nobody's news.
  done.catch(() => {});
  return { stdin: child.stdin, stdout: child.stdout, done };
}
