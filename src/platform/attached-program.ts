import { spawn } from "node:child_process";
import type { Readable } from "node:stream";
import { type AttachedOptions, runAttached, statusOf } from "./process.ts";
import { type OutputStream, stripControl } from "./terminal.ts";

/** Where a program's words go. */
export interface Screens {
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
}

/** Copies what comes to a terminal, without anything that a terminal would obey. */
function copySafely(from: Readable | null, to: OutputStream): void {
  from?.setEncoding("utf8").on("data", (text: string) => to.write(stripControl(text)));
}

/**
 * Runs a program on our streams and resolves with its exit status. Files and pipes get its bytes as they are. With `screens`,
 * a terminal among them gets no control sequences; without (null), what the program prints passes as it is.
 */
export function runOnStreams(argv: readonly string[], screens: Screens | null, options: AttachedOptions): Promise<number> {
  if (screens === null || !(screens.stdout.isTTY || screens.stderr.isTTY)) return runAttached(argv, options);
  const { stdout, stderr } = screens;
  const [file = "", ...rest] = argv;
  const child = spawn(file, rest, {
    cwd: options.cwd,
    env: { ...options.env },
    stdio: ["inherit", stdout.isTTY ? "pipe" : "inherit", stderr.isTTY ? "pipe" : "inherit"],
  });
  copySafely(child.stdout, stdout);
  copySafely(child.stderr, stderr);
  return statusOf(child, options.signal);
}
