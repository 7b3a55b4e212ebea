import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { closeSync, existsSync, mkdirSync, openSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from "node:fs";
import { userInfo } from "node:os";
import { join, sep } from "node:path";
import { systemClock } from "../../src/platform/clock.ts";
import { freePort } from "../free-port.ts";

export interface Address {
  readonly host: string;
  readonly port: number;
  readonly user: string;
}

/** One boot of a machine: its sshd, and what its boot script has started. */
export interface RunningMachine {
  readonly address: Address;
  /** Of everything that runs in it, sshd and its sessions included. */
  commandLines(): readonly string[];
  kill(): Promise<void>;
}

/** What a machine starts: `argv` is null when nothing is to be started but its sshd. `env` is the whole environment. */
export interface Boot {
  /** The room's own files of this machine: configuration and logs. */
  readonly home: string;
  readonly root: string;
  /** Stand-ins for programs that need a kernel of the machine's own; they come first in PATH. */
  readonly shims: string;
  readonly argv: readonly string[] | null;
  readonly env: Readonly<Record<string, string>>;
}

const MARK = "SPOT_ROOM_MACHINE";

/** The sshd of this machine, undefined where none is installed. */
export function sshServer(): string | undefined {
  return ["/usr/sbin/sshd", "/usr/local/sbin/sshd", "/sbin/sshd"].find((path) => existsSync(path));
}

/** What every process of the machine finds in its environment. */
function machineEnvironment({ home, root, shims }: Boot): Readonly<Record<string, string>> {
  return {
    SPOT_ROOT: root,
    PATH: [shims, process.env["PATH"] ?? "/usr/sbin:/usr/bin:/sbin:/bin"].join(":"),
    TMPDIR: join(root, "tmp"),
    [MARK]: home,
  };
}

export async function startMachine(boot: Boot): Promise<RunningMachine> {
  const { server, address } = await startSshServer(boot);
  const started = [server];
  if (boot.argv !== null) started.push(startMain(boot, boot.argv));
  return {
    address,
    commandLines: () => condemned(boot, livingPids(started)).map(commandLine),
    kill: () => killMachine(boot, started),
  };
}

/** As a cloud does: no terminal, no HOME, a session of its own; what it says goes to the cloud's console. */
function startMain(boot: Boot, argv: readonly string[]): ChildProcess {
  const console = openSync(join(boot.home, "console.log"), "a");
  try {
    const [file = "", ...rest] = argv;
    const child = spawn(file, rest, {
      cwd: boot.root,
      env: { ...boot.env, ...machineEnvironment(boot) },
      detached: true,
      stdio: ["ignore", console, console],
    });
    child.on("error", (error) => writeFileSync(join(boot.home, "console.log"), `cannot start ${file}: ${error.message}\n`, { flag: "a" }));
    child.unref();
    return child;
  } finally {
    closeSync(console);
  }
}

/** A session begins in the machine's home, not in that of the user who runs the tests. */
const SESSION = `cd "$HOME" || exit 1
command=\${SSH_ORIGINAL_COMMAND-}
unset SSH_ORIGINAL_COMMAND
if [ -n "$command" ]; then exec "\${SHELL:-/bin/sh}" -c "$command"; fi
exec "\${SHELL:-/bin/sh}"
`;

function quoted(text: string): string {
  return `"${text.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;
}

/** From 9.8 on, sshd locks out an address after failures; here everybody comes from the same one. */
function hasPenalties(program: string): boolean {
  const said = spawnSync(program, ["-V"], { encoding: "utf8" });
  const match = /OpenSSH_(\d+)\.(\d+)/.exec(`${said.stdout}${said.stderr}`);
  const [major, minor] = [Number(match?.[1] ?? 0), Number(match?.[2] ?? 0)];
  return major > 9 || (major === 9 && minor >= 8);
}

function configuration(boot: Boot, program: string, port: number): string {
  const { home, root } = boot;
  const env = Object.entries({ ...machineEnvironment(boot), HOME: join(root, "root") });
  return [
    `ListenAddress 127.0.0.1:${port}`,
    `HostKey ${quoted(join(home, "host_key"))}`,
    `PidFile ${quoted(join(home, "sshd.pid"))}`,
    `AuthorizedKeysFile ${quoted(join(root, "root/.ssh/authorized_keys"))}`,
    `SetEnv ${env.map(([name, value]) => quoted(`${name}=${value}`)).join(" ")}`,
    `ForceCommand . ${join(home, "session.sh")}`,
    "StrictModes no",
    "UsePAM no",
    "PermitRootLogin yes",
    "PasswordAuthentication no",
    "KbdInteractiveAuthentication no",
    "PrintMotd no",
    "PrintLastLog no",
    "LogLevel VERBOSE",
    "MaxStartups 200:30:400",
    ...(hasPenalties(program) ? ["PerSourcePenalties no"] : []),
    "",
  ].join("\n");
}

const PRIVILEGE_SEPARATION_FOLDER = "/run/sshd";
const TRIES = 5;

async function startSshServer(boot: Boot): Promise<{ readonly server: ChildProcess; readonly address: Address }> {
  const program = sshServer();
  if (program === undefined) throw new Error("no sshd here: ask machineRoomAvailable() first");
  if (process.getuid?.() === 0) mkdirSync(PRIVILEGE_SEPARATION_FOLDER, { recursive: true, mode: 0o755 });
  const key = join(boot.home, "host_key");
  if (!existsSync(key)) execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", key]);
  writeFileSync(join(boot.home, "session.sh"), SESSION);
  for (let attempt = 0; attempt < TRIES; attempt++) {
    // Free a moment ago; when somebody else was faster, another one is tried.
    const port = await freePort();
    const config = join(boot.home, "sshd_config");
    writeFileSync(config, configuration(boot, program, port));
    const log = join(boot.home, `sshd-${port}.log`);
    writeFileSync(log, "");
    const server = spawn(program, ["-D", "-f", config, "-E", log], { env: machineEnvironment(boot), detached: true, stdio: "ignore" });
    if (await listens(server, log)) return { server, address: { host: "127.0.0.1", port, user: userInfo().username } };
  }
  throw new Error(`sshd does not start: ${sshLog(boot.home)}`);
}

async function listens(server: ChildProcess, log: string): Promise<boolean> {
  while (server.exitCode === null && server.signalCode === null) {
    if (readFileSync(log, "utf8").includes("Server listening on")) {
      server.unref();
      return true;
    }
    await systemClock.sleep(10);
  }
  return false;
}

/** What the machine's sshd has said, over all of its boots. */
export function sshLog(home: string): string {
  return readdirSync(home)
    .filter((name) => /^sshd-\d+\.log$/.test(name))
    .map((name) => readFileSync(join(home, name), "utf8"))
    .join("");
}

interface Process {
  readonly pid: number;
  readonly parent: number;
  readonly group: number;
  readonly ours: boolean;
}

/** A process is the machine's when it carries its mark or stands in its root; sshd paints over its own environment. */
function processes({ home, root }: Boot): readonly Process[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .flatMap((name) => {
      const read = (what: () => string) => {
        try {
          return what();
        } catch {
          return ""; // it has ended, or is not ours to look into
        }
      };
      const stat = read(() => readFileSync(`/proc/${name}/stat`, "utf8"));
      const [state, parent, group] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      if (state === undefined || state === "" || state === "Z") return [];
      const folder = read(() => readlinkSync(`/proc/${name}/cwd`));
      const marked = read(() => readFileSync(`/proc/${name}/environ`, "utf8"))
        .split("\0")
        .includes(`${MARK}=${home}`);
      return [
        { pid: Number(name), parent: Number(parent), group: Number(group), ours: marked || `${folder}${sep}`.startsWith(`${root}${sep}`) },
      ];
    });
}

/** What must die: the marked, the groups that were started, and everything below those. */
function condemned(boot: Boot, roots: readonly number[]): readonly number[] {
  const all = processes(boot);
  const found = new Set(all.filter(({ pid, group, ours }) => ours || roots.includes(pid) || roots.includes(group)).map(({ pid }) => pid));
  for (let size = -1; size !== found.size; ) {
    size = found.size;
    for (const { pid, parent } of all) if (found.has(parent)) found.add(pid);
  }
  return [...found];
}

function signal(pid: number, name: "SIGSTOP" | "SIGKILL"): void {
  try {
    process.kill(pid, name);
  } catch {
    // It has ended by itself.
  }
}

function livingPids(started: readonly ChildProcess[]): readonly number[] {
  return started.flatMap(({ pid, exitCode, signalCode }) => (pid === undefined || exitCode !== null || signalCode !== null ? [] : [pid]));
}

function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ").trim();
  } catch {
    return ""; // it has ended meanwhile
  }
}

async function killMachine(boot: Boot, started: readonly ChildProcess[]): Promise<void> {
  const roots = livingPids(started);
  // Stopped first, so that nobody starts anything while the list is made.
  for (const pid of roots) signal(pid, "SIGSTOP");
  for (let left = condemned(boot, roots); left.length > 0; left = condemned(boot, roots)) {
    for (const pid of left) signal(pid, "SIGSTOP");
    for (const pid of condemned(boot, roots)) signal(pid, "SIGKILL");
    await systemClock.sleep(5);
  }
}
