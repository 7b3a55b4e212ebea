import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { platform } from "node:os";
import { hasErrorCode } from "./files.ts";

/** A process, told apart from a later one that was given the same number. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Opaque; equal only for the same process. */
  readonly startTime: string;
}

interface ProcessEntry {
  readonly pid: number;
  readonly group: number;
  readonly session: number;
  readonly zombie: boolean;
  readonly startTime: string;
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    // A process may end between any two looks at it; somebody else's may not be read.
    if (hasErrorCode(error, "ENOENT", "ESRCH", "EACCES", "EPERM")) return undefined;
    throw error;
  }
}

/** proc_pid_stat(5): the name in parentheses may hold anything, so the fields are counted from its end. */
function linuxEntry(pid: number, bootId: string): ProcessEntry | undefined {
  const text = readText(`/proc/${pid}/stat`);
  if (text === undefined) return undefined;
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return {
    pid,
    group: Number(fields[2]),
    session: Number(fields[3]),
    zombie: fields[0] === "Z" || fields[0] === "X",
    // Clock ticks since the boot: only together with the boot's own id is it the same process.
    startTime: `${bootId}:${fields[19]}`,
  };
}

function linuxBootId(): string {
  return readText("/proc/sys/kernel/random/boot_id")?.trim() ?? "";
}

function psEntries(selection: readonly string[]): readonly ProcessEntry[] {
  let text: string;
  try {
    text = execFileSync("ps", [...selection, "-o", "pid=,pgid=,stat=,lstart="], {
      encoding: "utf8",
      env: { PATH: "/usr/bin:/bin", LC_ALL: "C" },
      stdio: ["ignore", "pipe", "ignore"],
    });
  } catch {
    return []; // ps ends with 1 when it found nobody
  }
  return text.split("\n").flatMap((line) => {
    const match = /^\s*(\d+)\s+(\d+)\s+(\S+)\s+(.+?)\s*$/.exec(line);
    if (match === null) return [];
    const group = Number(match[2]);
    return [
      {
        pid: Number(match[1]),
        group,
        // ps on macOS shows no session number; a leader's group and session have the same one.
        session: group,
        zombie: match[3]?.startsWith("Z") === true,
        startTime: match[4] ?? "",
      },
    ];
  });
}

function entryOf(pid: number): ProcessEntry | undefined {
  return platform() === "linux" ? linuxEntry(pid, linuxBootId()) : psEntries(["-p", String(pid)])[0];
}

function allEntries(): readonly ProcessEntry[] {
  if (platform() !== "linux") return psEntries(["-ax"]);
  const bootId = linuxBootId();
  return readdirSync("/proc").flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    const entry = linuxEntry(Number(name), bootId);
    return entry === undefined ? [] : [entry];
  });
}

/**
 * Opaque; equal only for processes of one computer that see each other by their numbers: containers on it are computers of
 * their own, and so is the same computer after its next start. Empty where it cannot be told.
 */
export function computerId(): string {
  if (platform() === "linux") {
    const [boot, numbers] = [linuxBootId(), linkTarget("/proc/self/ns/pid")];
    return boot === "" || numbers === "" ? "" : `${boot} ${numbers}`;
  }
  try {
    const said = execFileSync("/usr/sbin/sysctl", ["-n", "kern.bootsessionuuid"], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    });
    return said.trim();
  } catch {
    return "";
  }
}

function linkTarget(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return "";
  }
}

/** Who has this number now; undefined when nobody has, or only a zombie. */
export function identifyProcess(pid: number): ProcessIdentity | undefined {
  const entry = entryOf(pid);
  return entry === undefined || entry.zombie ? undefined : { pid, startTime: entry.startTime };
}

const whichOne = ({ startTime }: ProcessIdentity) => createHash("sha256").update(startTime).digest("hex").slice(0, 12);

/** What a process calls its temporary folders by, so that others can tell when it has ended: `NUMBER.12HEX`. */
export function ownTag(): string {
  const self = identifyProcess(process.pid);
  return `${process.pid}.${self === undefined ? "0".repeat(12) : whichOne(self)}`;
}

/** Whether the process of that tag still runs on this computer. */
export function isTagAlive(tag: string): boolean {
  const [pid = "", which] = tag.split(".");
  const holder = /^\d+$/.test(pid) ? identifyProcess(Number(pid)) : undefined;
  return holder !== undefined && whichOne(holder) === which;
}

export function isProcessAlive(identity: ProcessIdentity): boolean {
  return identifyProcess(identity.pid)?.startTime === identity.startTime;
}

function carries(pid: number, marker: string): boolean {
  return platform() === "linux" && (readText(`/proc/${pid}/environ`)?.split("\0").includes(marker) ?? false);
}

/**
 * Everybody alive that belongs to a session: its leader's group, its session, and, on Linux, whoever carries `marker`
 * (`NAME=value`) in the environment it was started with, whatever session it moved to.
 */
export function sessionMembers(leader: ProcessIdentity | null, marker: string): readonly number[] {
  const entries = allEntries();
  const holder = leader === null ? undefined : entries.find(({ pid }) => pid === leader.pid);
  // A living stranger with the leader's number means that the whole session ended before: a number is not given away
  // while it still names a group or a session.
  const session = leader === null || (holder !== undefined && holder.startTime !== leader.startTime) ? undefined : leader.pid;
  return entries
    .filter(({ pid, zombie }) => !zombie && pid !== process.pid)
    .filter((entry) => (session !== undefined && (entry.session === session || entry.group === session)) || carries(entry.pid, marker))
    .map(({ pid }) => pid);
}

/** Sends a signal; a process that has ended meanwhile is no error. */
export function signalProcess(pid: number, signal: "SIGTERM" | "SIGKILL"): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (!hasErrorCode(error, "ESRCH")) throw error;
  }
}
