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

function outputStream(stream: NodeJS.WriteStream, env: Environment): OutputStream {
  return {
    get isTTY() {
      return stream.isTTY === true;
    },
    get columns() {
      const stated = Number(env["COLUMNS"]);
      return stream.columns ?? (Number.isInteger(stated) && stated > 0 ? stated : UNKNOWN_WIDTH);
    },
    node: stream,
    write(text) {
      if (!stream.destroyed && stream.writable) stream.write(text);
    },
  };
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
    stdout: outputStream(process.stdout, env),
    stderr: outputStream(process.stderr, env),
    stdinIsTTY: process.stdin.isTTY === true,
    clock: systemClock,
    rng: systemRng,
    signal,
    selfCommand: [process.execPath, program],
  };
}
