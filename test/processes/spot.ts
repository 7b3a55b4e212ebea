import { spawn } from "node:child_process";
import { readdirSync, readFileSync, rmSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { PACKAGE_ROOT } from "../world.ts";

const SPOT = join(PACKAGE_ROOT, "bin", "spot");

export interface Ended {
  /** Null when a signal ended it. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly ms: number;
}

export interface Running {
  readonly ended: Promise<Ended>;
  /** SIGKILL unless told; false when it had already ended. */
  kill(signal?: NodeJS.Signals): boolean;
  readonly pid: number;
  /** What it has said on stderr so far. */
  said(): string;
}

export interface StartOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** The command line in front of it: what it is to be started by. */
  readonly by?: readonly string[];
}

/** Starts the built program as a process of its own. */
export function startSpot(home: string, argv: readonly string[], options: StartOptions = {}): Running {
  const start = performance.now();
  const env = { PATH: process.env["PATH"], HOME: home, TMPDIR: "/tmp", SPOT_HOME: home, NO_COLOR: "1", ...options.env };
  const [program = "", ...rest] = [...(options.by ?? []), process.execPath, SPOT, ...argv];
  const child = spawn(program, rest, { env, cwd: home, stdio: ["ignore", "pipe", "pipe"] });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  const ended = new Promise<Ended>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, stdout, stderr, ms: performance.now() - start }));
  });
  return {
    ended,
    kill: (signal = "SIGKILL") => child.exitCode === null && child.signalCode === null && child.kill(signal),
    pid: child.pid ?? 0,
    said: () => stderr,
  };
}

export function runSpot(home: string, argv: readonly string[], options: StartOptions = {}): Promise<Ended> {
  return startSpot(home, argv, options).ended;
}

/** What `--json` printed. */
export function dataOf(ended: Ended): readonly Readonly<Record<string, unknown>>[] {
  return JSON.parse(ended.stdout).data;
}

/** Asks the embedded cloud of a home itself, past everything that is ours. */
export function askCloud(home: string, path: string): Promise<Readonly<Record<string, unknown>>> {
  return new Promise((resolve, reject) => {
    const call = request({ socketPath: join(home, "local", "cloud.sock"), path, timeout: 10_000 }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (part: string) => {
        text += part;
      });
      response.on("end", () => resolve(JSON.parse(text)));
    });
    call.on("error", reject).end();
  });
}

/** Ids of the instances that living processes of this home carry as their mark, and how many carry each. Linux only. */
export function markedProcesses(home: string): ReadonlyMap<string, number> {
  const found = new Map<string, number>();
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    let environment: string;
    try {
      environment = readFileSync(`/proc/${pid}/environ`, "utf8");
    } catch {
      continue;
    }
    const id = /(?:^|\0)SPOT_LOCAL_INSTANCE=([^\0]+)/.exec(environment)?.[1];
    if (id !== undefined && environment.includes(`${home}/`)) found.set(id, (found.get(id) ?? 0) + 1);
  }
  return found;
}

/** Ends everything of a home: its instances, its cloud, its folder. */
export async function clearHome(home: string): Promise<void> {
  await runSpot(home, ["local", "reset", "--yes"]);
  await runSpot(home, ["local", "stop", "--yes"]);
  rmSync(home, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
}
