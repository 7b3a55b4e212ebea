import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { systemClock } from "./platform/clock.ts";
import { systemRng } from "./platform/rng.ts";
import type { OutputStream } from "./platform/terminal.ts";
import type { World } from "./platform/world.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** `SPOT_HOME`, or the platform's usual folder for an application's data. */
export function spotHome(env: Environment, platform: NodeJS.Platform, cwd: string): string {
  const chosen = env["SPOT_HOME"];
  if (chosen !== undefined && chosen !== "") return resolve(cwd, chosen);
  const user = env["HOME"] === undefined || env["HOME"] === "" ? homedir() : env["HOME"];
  if (platform === "darwin") return join(user, "Library", "Application Support", "spot");
  const data = env["XDG_DATA_HOME"];
  // The XDG rules: a relative path is to be ignored.
  return data?.startsWith("/") === true ? join(data, "spot") : join(user, ".local", "share", "spot");
}

const UNKNOWN_WIDTH = 80;

/** The module comes with all of Node's networking: whoever does not ask need not load it. */
function isTerminal(descriptor: number): boolean {
  return process.getBuiltinModule("node:tty").isatty(descriptor);
}

/** The stream is made at its first use: each of the three costs every start a millisecond or two. */
function outputStream(descriptor: number, open: () => NodeJS.WriteStream, env: Environment): OutputStream {
  return {
    get isTTY() {
      return isTerminal(descriptor);
    },
    get columns() {
      const stated = Number(env["COLUMNS"]);
      // A terminal that was never told its size says 0.
      return open().columns || (Number.isInteger(stated) && stated > 0 ? stated : UNKNOWN_WIDTH);
    },
    get node() {
      return open();
    },
    write(text) {
      const stream = open();
      if (!stream.destroyed && stream.writable) stream.write(text);
    },
  };
}

/** Talk that nobody listens to any more is no reason to stop. */
function stderrStream(): NodeJS.WriteStream {
  const { stderr } = process;
  if (stderr.listenerCount("error") === 0)
    stderr.on("error", (error) => {
      if (!("code" in error && error.code === "EPIPE")) throw error;
    });
  return stderr;
}

export interface WorldParts {
  readonly packageRoot: string;
  /** The file that `node` runs to start this program again. */
  readonly program: string;
  readonly signal: AbortSignal;
}

/** The real world: this process, this user, this machine. */
export function realWorld({ packageRoot, program, signal }: WorldParts): World {
  const { env, platform, pid } = process;
  const cwd = process.cwd();
  return {
    env,
    cwd,
    packageRoot,
    home: spotHome(env, platform, cwd),
    platform,
    pid,
    stdout: outputStream(1, () => process.stdout, env),
    stderr: outputStream(2, stderrStream, env),
    get stdinIsTTY() {
      return isTerminal(0);
    },
    readStdin: (mostBytes, signal) => import("./platform/stdin.ts").then((stdin) => stdin.readStdin(mostBytes, signal)),
    clock: systemClock,
    rng: systemRng,
    signal,
    selfCommand: [process.execPath, program],
  };
}
