import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { Writable } from "node:stream";

export interface SessionProcess {
  readonly pid: number;
  /** Lets the script begin. Until then, and if this process ends before, nothing of it has run. */
  release(): void;
  /** Its exit status, 128 + signal when it was killed. */
  readonly exited: Promise<number>;
}

// The script waits for a word on descriptor 3. When the one who started it dies before it has written down whom it
// started, the descriptor closes and the script never runs: no process without a record.
const GATE = 'IFS= read -r word <&3 && [ "$word" = go ] || exit 125; exec 3<&-; exec /bin/sh "$0"';

function started(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("spawn", () => {
      if (child.pid === undefined) reject(new Error("the process has no number"));
      else resolve(child.pid);
    });
  });
}

const KILLED_STATUS = 137;

/** Starts `/bin/sh <script>` as the leader of a session of its own, which outlives this process. Output is appended to `outputPath`. */
export async function startSession(options: {
  readonly script: string;
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  readonly outputPath: string;
}): Promise<SessionProcess> {
  const output = openSync(options.outputPath, "a", 0o600);
  try {
    const child = spawn("/bin/sh", ["-c", GATE, options.script], {
      cwd: options.cwd,
      env: { ...options.env },
      detached: true,
      stdio: ["ignore", output, output, "pipe"],
    });
    const exited = new Promise<number>((resolve) => child.once("exit", (code) => resolve(code ?? KILLED_STATUS)));
    const pid = await started(child);
    const gate = child.stdio[3];
    if (!(gate instanceof Writable)) throw new Error("the process has no gate");
    gate.on("error", () => {}); // it may have been killed before the word came
    child.unref();
    return { pid, exited, release: () => gate.end("go\n", () => gate.destroy()) };
  } finally {
    closeSync(output);
  }
}

export interface DetachedProgram {
  readonly pid: number;
  /** Undefined while it runs. */
  exitCode(): number | undefined;
  /** What it has said on stderr so far. */
  complaint(): string;
  /** Stops listening to it; it goes on by itself. */
  letGo(): void;
}

/** Starts a program that outlives this one. Its stdout goes nowhere; its stderr is heard until `letGo`. */
export async function startDetached(argv: readonly string[], env: Readonly<Record<string, string>>): Promise<DetachedProgram> {
  const [file = "", ...rest] = argv;
  const child = spawn(file, rest, { cwd: "/", env: { ...env }, detached: true, stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  let code: number | undefined;
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
    if (said.length < 10_000) said += chunk;
  });
  child.once("close", (status) => {
    code = status ?? KILLED_STATUS;
  });
  const pid = await started(child);
  return {
    pid,
    exitCode: () => code,
    complaint: () => said,
    letGo() {
      child.stderr.destroy();
      child.unref();
    },
  };
}
