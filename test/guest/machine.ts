import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { readAgent } from "../../src/guest/agent-source.ts";
import { type AgentSettings, bootScript } from "../../src/guest/boot-script.ts";
import { type GuestStatus, parseGuestStatus } from "../../src/guest/protocol.ts";
import { runAgentVerb } from "../../src/guest/run-verb.ts";
import { systemClock } from "../../src/platform/clock.ts";
import type { Reach } from "../../src/providers/provider.ts";

export const agentSource = await readAgent(fileURLToPath(new URL("../..", import.meta.url)));

export const noSettings: AgentSettings = {
  machine: { kind: "process", notices: "local", endsItself: true, volumes: "mounted" },
  instance: "train",
  volumeName: "disk",
  volumeMount: "/data",
  command: ["sleep", "1000"],
  env: {},
  workdir: null,
  checkpointHook: null,
  checkpointEverySeconds: null,
  ttlEndsAt: null,
  idleSeconds: null,
  authorizedKey: null,
};

/** A machine without a cloud: a root, a volume, a metadata endpoint and the agent itself, all real. */
export interface Machine {
  readonly root: string;
  readonly volume: string;
  readonly checkpointFolder: string;
  readonly sealedFolder: string;
  readonly metadata: { notice: string | null; terminated: number; asked: number; refused: number };
  readonly reach: Extract<Reach, { kind: "process" }>;
  /** Starts (again) what the machine runs at boot. */
  boot(settings?: Partial<AgentSettings>): ChildProcess;
  verb(...words: readonly string[]): ReturnType<typeof runAgentVerb>;
  status(): Promise<GuestStatus>;
  log(): string;
  /** SIGKILL to all of it, as at a deadline. */
  kill(): Promise<void>;
  /** A new root, as on a new machine; the volume stays. */
  newRoot(): void;
  close(): Promise<void>;
}

async function metadataServer(token: string, state: Machine["metadata"]): Promise<Server> {
  const server = createServer((request, response) => {
    if (request.headers["x-spot-token"] !== token) {
      state.refused += 1;
      response.writeHead(401).end();
    } else if (request.method === "POST" && request.url === "/metadata/v1/terminate") {
      state.terminated += 1;
      response.writeHead(202).end();
    } else if (request.url === "/metadata/v1/notice") {
      state.asked += 1;
      if (state.notice === null) response.writeHead(404).end();
      else response.writeHead(200).end(`${state.notice}\n`);
    } else response.writeHead(400).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server;
}

/** Programs that any of the images we serve has; `sh` is the shell under test. */
const BASE_TOOLS =
  "awk base64 cat chmod chown cmp cp cut date dd df du env find grep gzip head kill ln ls mkdir mv nohup od readlink rm rmdir sed sha256sum sleep sort stat sync tail tar timeout touch tr uniq wc xargs".split(
    " ",
  );
/** Programs that the agent uses where they are. */
const WELCOME_TOOLS = ["getconf", "perl", "ps", "setsid"];

export interface Kind {
  readonly name: string;
  readonly options: MachineOptions;
}

const SYSTEM: Kind = { name: "the system's sh", options: {} };
/** With more programs than a machine with only Node has: `npm run test:shells` wants them all, and CI installs them. */
const EVERYWHERE: readonly Kind[] = [
  { name: "the system's sh and nothing but node to ask with", options: { path: ["node"] } },
  { name: "dash with curl", options: { shell: ["dash"], path: ["curl"] } },
  { name: "busybox alone", options: { shell: ["busybox", "sh"], path: ["wget"] } },
  { name: "bash --posix with python3", options: { shell: ["bash", "--posix"], path: ["python3"] } },
  { name: "dash with wget", options: { shell: ["dash"], path: ["wget"] } },
];

/** The kinds of machine that the agent is tested on. */
export const KINDS: readonly Kind[] = process.env["SPOT_TEST_SHELLS"] === "all" ? [SYSTEM, ...EVERYWHERE] : [SYSTEM];

function find(name: string): string | undefined {
  return (process.env["PATH"] ?? "")
    .split(":")
    .map((folder) => join(folder, name))
    .find((path) => existsSync(path));
}

function which(name: string): string {
  // A version manager's stand-in for python3 needs more programs than this PATH has.
  if (name === "python3") return execFileSync("python3", ["-c", "import sys; print(sys.executable)"], { encoding: "utf8" }).trim();
  const found = name === "node" ? process.execPath : find(name);
  if (found === undefined) throw new Error(`this test needs ${name}`);
  return found;
}

/** A PATH with the base tools, these web programs and nothing else. */
export function makePath(base: string, shell: readonly string[], web: readonly string[]): string {
  const folder = join(base, "bin");
  mkdirSync(folder);
  // Where the shell is busybox, so is everything else, as on Alpine.
  const busybox = shell[0] === "busybox" ? execFileSync("busybox", ["--list"], { encoding: "utf8" }).split("\n") : [];
  for (const name of [...BASE_TOOLS, ...WELCOME_TOOLS.filter((tool) => find(tool) !== undefined), ...web]) {
    const program = busybox.includes(name) ? `${which("busybox")} ${name}` : which(name);
    writeFileSync(join(folder, name), `#!/bin/sh\nexec ${program} "$@"\n`, { mode: 0o755 });
  }
  const [program = "sh", ...rest] = shell;
  writeFileSync(join(folder, "sh"), `#!/bin/sh\nexec ${[which(program), ...rest].join(" ")} "$@"\n`, { mode: 0o755 });
  return folder;
}

export interface MachineOptions {
  /** The shell that runs the agent; default is the system's `sh`. */
  readonly shell?: readonly string[];
  /** The only web programs in PATH; default is the PATH of this process. */
  readonly path?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Where its folder is made; default is the system's place for such things. */
  readonly below?: string;
}

export async function makeMachine(options: MachineOptions = {}): Promise<Machine> {
  const base = realpathSync(mkdtempSync(join(options.below ?? tmpdir(), "spot-guest-")));
  const root = join(base, "root");
  const volume = join(base, "volume");
  mkdirSync(volume);
  const token = "secret-of-this-test";
  const metadata = { notice: null as string | null, terminated: 0, asked: 0, refused: 0 };
  const server = await metadataServer(token, metadata);
  const port = (server.address() as AddressInfo).port;
  const marker = `machine-${base}`;
  const env = {
    PATH: options.path === undefined ? (process.env["PATH"] ?? "/usr/bin:/bin") : makePath(base, options.shell ?? ["sh"], options.path),
    HOME: join(root, "home"),
    TMPDIR: join(root, "tmp"),
    LANG: "C.UTF-8",
    SPOT_ROOT: root,
    SPOT_LOCAL_INSTANCE: marker,
    ...options.env,
  };
  const log = join(base, "console.log");
  writeFileSync(log, "");
  const makeRoot = () => {
    for (const folder of ["home", "tmp"]) mkdirSync(join(root, folder), { recursive: true });
    symlinkSync(volume, join(root, "data"));
    writeFileSync(join(root, "metadata.env"), `SPOT_METADATA_URL=http://127.0.0.1:${port}\nSPOT_METADATA_TOKEN=${token}\n`, {
      mode: 0o600,
    });
  };
  makeRoot();
  const reach = { kind: "process", cwd: root, env, log } as const;
  const children: ChildProcess[] = [];
  const verb = (...words: readonly string[]) => runAgentVerb(reach, words, { signal: AbortSignal.timeout(60_000) });
  const machine: Machine = {
    root,
    volume,
    checkpointFolder: join(root, "var/lib/spot/checkpoint"),
    sealedFolder: join(volume, "spot/checkpoints"),
    metadata,
    reach,
    boot(settings = {}) {
      const script = bootScript({ ...noSettings, ...settings }, agentSource);
      writeFileSync(join(base, "boot.sh"), script, { mode: 0o700 });
      const child = spawn("/bin/sh", ["-c", 'exec sh "$0" >>"$LOG" 2>&1', join(base, "boot.sh")], {
        cwd: root,
        env: { ...env, LOG: log },
        detached: true,
        stdio: "ignore",
      });
      children.push(child);
      return child;
    },
    verb,
    async status() {
      const result = await verb("status");
      if (result.code !== 0) throw new Error(result.stdout + result.stderr);
      return parseGuestStatus(result.stdout);
    },
    log: () => readFileSync(log, "utf8"),
    async kill() {
      for (const child of children) {
        if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) continue;
        const ended = new Promise((resolve) => child.once("exit", resolve));
        killGroup(child.pid);
        await ended;
      }
      killMarked(marker);
    },
    newRoot() {
      rmSync(root, { recursive: true, force: true });
      makeRoot();
    },
    async close() {
      await machine.kill();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      rmSync(base, { recursive: true, force: true });
    },
  };
  return machine;
}

export function killGroup(pid: number): void {
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // It has ended by itself.
  }
}

/** What left the group: found by its environment, as the embedded cloud does. */
export function killMarked(marker: string): void {
  for (const entry of readdirSync("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      if (readFileSync(`/proc/${entry}/environ`, "utf8").split("\0").includes(`SPOT_LOCAL_INSTANCE=${marker}`))
        process.kill(Number(entry), "SIGKILL");
    } catch {
      // It has ended, or is not ours.
    }
  }
}

/** The process of this machine's agent that runs this verb. */
export function agentProcess(root: string, verb: string): number | undefined {
  const words = `${join(root, "var/lib/spot/agent.sh")}\0${verb}\0`;
  const found = readdirSync("/proc").find((entry) => {
    try {
      return /^\d+$/.test(entry) && readFileSync(`/proc/${entry}/cmdline`, "utf8").includes(words);
    } catch {
      return false; // it has ended meanwhile
    }
  });
  return found === undefined ? undefined : Number(found);
}

/**
 * Asks again and again until the answer is not undefined. To ask a machine costs it several processes: of many that wait side
 * by side on a busy computer, each asks the more rarely the longer an answer takes.
 * @throws when that never happens, with what was waited for.
 */
export async function eventually<T>(what: string, ask: () => Promise<T | undefined> | T | undefined): Promise<T> {
  const until = systemClock.monotonic() + 60_000;
  while (systemClock.monotonic() < until) {
    const asked = systemClock.monotonic();
    const answer = await ask();
    if (answer !== undefined) return answer;
    await systemClock.sleep(Math.min(500, Math.max(40, 4 * (systemClock.monotonic() - asked))));
  }
  throw new Error(`never came: ${what}`);
}

/** Starts a verb that can be killed with everything it started, as when the machine loses power. */
export function spawnMarked(machine: Machine, verb: readonly string[]): { kill(): Promise<void> } {
  const agent = join(machine.root, "var/lib/spot/agent.sh");
  const child = spawn("/bin/sh", [agent, ...verb], { cwd: machine.root, env: machine.reach.env, detached: true, stdio: "ignore" });
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  return {
    async kill() {
      if (child.pid !== undefined) killGroup(child.pid);
      await ended;
    },
  };
}
