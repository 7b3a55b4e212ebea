import { spawn } from "node:child_process";
import { userInfo } from "node:os";
import { EXIT } from "../model/exit-codes.ts";
import { Problem } from "../model/problem.ts";
import { hasErrorCode } from "./files.ts";
import { exitStatus } from "./process.ts";

export interface Ran {
  readonly argv: readonly string[];
  readonly code: number;
  /** Bytes: somebody's crontab may hold any. */
  readonly stdout: Buffer;
  readonly stderr: string;
}

/** Runs the programs of this machine that keep services. A program that is not there ends with 127, as a shell says. */
export interface Programs {
  (argv: readonly string[], input?: Buffer): Promise<Ran>;
  /** What was run so far that changes something, as it would be typed. */
  readonly changes: readonly string[];
  /** Runs what changes something, and gives what came of it. */
  try(argv: readonly string[], input?: Buffer): Promise<Ran>;
  /** The same. @throws Problem (exit 1) when it fails, with what it said. */
  change(argv: readonly string[], input?: Buffer): Promise<Ran>;
}

const NOT_THERE = 127;

export function servicePrograms(env: Readonly<Record<string, string | undefined>>, signal: AbortSignal): Programs {
  const changes: string[] = [];
  const run = (argv: readonly string[], input?: Buffer) => runOnce(argv, input, env, signal);
  const attempt = (argv: readonly string[], input?: Buffer) => {
    changes.push(argv.join(" "));
    return run(argv, input);
  };
  const change = async (argv: readonly string[], input?: Buffer) => {
    const ran = await attempt(argv, input);
    if (ran.code !== 0) throw failed(ran);
    return ran;
  };
  return Object.assign(run, { changes, try: attempt, change });
}

/** What a program said when it failed, as a Problem. */
export function failed({ argv, code, stdout, stderr }: Ran): Problem {
  const said = stderr.trim() || stdout.toString().trim();
  return new Problem({
    code: "SPOT_E_SERVICE",
    message: `${argv.join(" ")} ${code === NOT_THERE ? "is not there" : `ended with ${code}`}${said === "" ? "" : `: ${said}`}`,
    hint: "spot watch --act does the same in a terminal for as long as that is open",
    next: ["spot service status"],
    exit: EXIT.failed,
  });
}

function runOnce(
  argv: readonly string[],
  input: Buffer | undefined,
  env: Readonly<Record<string, string | undefined>>,
  signal: AbortSignal,
): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const [file = "", ...rest] = argv;
    const child = spawn(file, rest, { env: { ...env }, stdio: [input === undefined ? "ignore" : "pipe", "pipe", "pipe"], signal });
    const out: Buffer[] = [];
    let stderr = "";
    child.stdout?.on("data", (chunk: Buffer) => out.push(chunk));
    child.stderr?.setEncoding("utf8").on("data", (chunk: string) => {
      stderr += chunk;
    });
    // A program that ends without reading to the end says by its exit code what it thinks of it.
    child.stdin?.on("error", () => {}).end(input);
    child.on("error", (error) => {
      if (hasErrorCode(error, "ENOENT", "EACCES")) resolve({ argv, code: NOT_THERE, stdout: Buffer.alloc(0), stderr: "" });
      else reject(error);
    });
    child.on("close", (code, signalName) => resolve({ argv, code: exitStatus(code, signalName), stdout: Buffer.concat(out), stderr }));
  });
}

/** The number of this user; 0 where there are none. */
export function userNumber(): number {
  return Math.max(0, userInfo().uid);
}

export function userName(): string {
  return userInfo().username;
}
