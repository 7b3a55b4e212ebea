import { EXIT } from "./model/exit-codes.ts";
import { runSpot } from "./program.ts";
import { realWorld } from "./world.ts";

/** Fires once for each reason to stop early; a second Ctrl-C does not wait for anything. */
function listenForTheEnd(): AbortController {
  const controller = new AbortController();
  process.on("SIGINT", () => {
    if (controller.signal.aborted) process.exit(EXIT.interrupted);
    controller.abort("SIGINT");
  });
  process.on("SIGTERM", () => {
    if (controller.signal.aborted) process.exit(EXIT.terminated);
    controller.abort("SIGTERM");
  });
  // Whoever read our answer has gone (`spot watch | head -1`): stop, and say nothing about it.
  process.stdout.on("error", (error) => {
    if (!isBrokenPipe(error)) throw error;
    controller.abort("EPIPE");
  });
  return controller;
}

function isBrokenPipe(error: Error): boolean {
  return "code" in error && error.code === "EPIPE";
}

function flushed(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => {
    if (stream.destroyed || !stream.writable) resolve();
    else stream.write("", () => resolve());
  });
}

/** Runs one command line to its end and ends the process with its exit code. */
export async function main(packageRoot: string, program: string): Promise<void> {
  const { signal } = listenForTheEnd();
  const code = await runSpot(process.argv.slice(2), realWorld({ packageRoot, program, signal }));
  // stderr needs no flush: Node writes to it at once.
  await flushed(process.stdout);
  // A connection that is still being kept alive must not hold the terminal.
  process.exit(code);
}
