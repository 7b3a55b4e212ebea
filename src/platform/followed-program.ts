import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

/** A program that runs beside this one and is heard line by line. */
export interface FollowedProgram {
  /** Asks it to end (SIGTERM) and waits until it has. */
  end(): Promise<void>;
  /** Its exit status, once it has ended; 128 + number for a signal is reported as 128. */
  readonly ended: Promise<number>;
}

/** Starts a program; each line of its stdout is handed over as it comes. Its stderr is dropped. */
export function startFollowing(
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  line: (text: string) => void,
): Promise<FollowedProgram> {
  const [file = "", ...rest] = argv;
  const child = spawn(file, rest, { env: { ...env }, stdio: ["ignore", "pipe", "ignore"] });
  createInterface({ input: child.stdout }).on("line", line);
  const ended = new Promise<number>((resolve) => child.once("close", (code) => resolve(code ?? 128)));
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("spawn", () =>
      resolve({
        ended,
        async end() {
          child.kill("SIGTERM");
          await ended;
        },
      }),
    );
  });
}
