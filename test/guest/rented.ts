import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import {
  existsSync,
  ftruncateSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type AgentSettings, bootScript } from "../../src/guest/boot-script.ts";
import { CARRIED_VERBS, carriedOf, runCarried, type ScriptRunner } from "../../src/guest/carried.ts";
import { type GuestStatus, parseGuestStatus } from "../../src/guest/protocol.ts";
import { runAgentVerb } from "../../src/guest/run-verb.ts";
import { runLeavingBackground } from "../../src/platform/ssh-process.ts";
import type { MachineKind } from "../../src/providers/provider.ts";
import {
  askedForPowerOff,
  type DiskNames,
  makePowerSwitch,
  placeDeviceName,
  removeDeviceName,
  writeMetadataAddress,
} from "../clouds/machine-root.ts";
import { isMissing } from "../missing-program.ts";
import { agentSource, killMarked, type MachineOptions, makePath, noSettings } from "./machine.ts";

const shims = fileURLToPath(new URL("../clouds/shims", import.meta.url));

export const VM: MachineKind = { kind: "vm", notices: "controller", endsItself: false, volumes: "device" };
export const CONTAINER: MachineKind = { kind: "container", notices: "controller", endsItself: false, volumes: "mounted" };

export const DISK_BYTES = 8 << 20;

/** A pretended disk: `disk` is what the device node shows, `files` what its file system holds. */
export interface Disk {
  readonly folder: string;
  readonly disk: string;
  readonly files: string;
}

/** A machine as a cloud rents them, below a folder of its own, with the pretended disk tools first in its PATH. */
export interface Rented {
  readonly root: string;
  /** `var/lib/spot` below the root. */
  readonly lib: string;
  readonly env: Readonly<Record<string, string>>;
  readonly script: string;
  write(settings: Partial<AgentSettings>): string;
  /** Runs the boot script as the cloud does. Of a vm, until it returns. */
  boot(settings?: Partial<AgentSettings>): ChildProcess;
  /** Every process dies, mounts and /run are forgotten. */
  powerOff(): void;
  /** Where its metadata service is. */
  metadata(url: string): void;
  /** Whether it has asked to be powered off. */
  poweredOff(): boolean;
  /** What a service manager does after `powerOff`. */
  startAgent(): ChildProcess;
  /** Runs a script as the main process. */
  start(script: string): ChildProcess;
  disk(content?: string | Buffer): Disk;
  attach(name: string, disk: Disk, names?: DiskNames): void;
  detach(name: string): void;
  verb(...words: readonly string[]): ReturnType<typeof runAgentVerb>;
  status(): Promise<GuestStatus>;
  log(): string;
  close(): void;
}

export function makeRented(kind: MachineKind, options: MachineOptions = {}): Rented {
  const base = realpathSync(mkdtempSync(join(tmpdir(), "spot-rented-")));
  const root = join(base, "root");
  const lib = join(root, "var/lib/spot");
  const marker = `rented-${base}`;
  const path =
    options.path === undefined ? (process.env["PATH"] ?? "/usr/bin:/bin") : makePath(base, options.shell ?? ["sh"], options.path);
  const env = { PATH: `${shims}:${path}`, LANG: "C.UTF-8", SPOT_ROOT: root, SPOT_LOCAL_INSTANCE: marker, ...options.env };
  for (const folder of ["dev", "root", "tmp"]) mkdirSync(join(root, folder), { recursive: true });
  makePowerSwitch(root);
  const script = join(base, "boot.sh");
  const reach = { kind: "process", cwd: base, env, log: join(lib, "console.log") } as const;
  let disks = 0;
  const start = (argv: readonly string[]) =>
    spawn("/bin/sh", ["-c", 'exec sh "$@" >>"$LOG" 2>&1', "sh", ...argv], {
      cwd: root,
      env: { ...env, LOG: join(base, "stdout") },
      detached: true,
      stdio: "ignore",
    });
  // As over ssh, for this machine is none of the embedded cloud's. A bash whose standard input is a socket reads a .bashrc.
  const runScript: ScriptRunner = (script, args, input) =>
    runLeavingBackground(["sh", "-c", script, "sh", ...args], {
      env: { ...env, HOME: base },
      input,
      signal: AbortSignal.timeout(80_000),
    });
  const verb = (...words: readonly string[]) =>
    CARRIED_VERBS.has(words[0] ?? "")
      ? runCarried(carriedOf(agentSource), words, runScript)
      : runAgentVerb(reach, words, { signal: AbortSignal.timeout(80_000) });
  const rented: Rented = {
    root,
    lib,
    env,
    script,
    write(settings) {
      writeFileSync(script, bootScript({ ...noSettings, machine: kind, ...settings }, agentSource), { mode: 0o700 });
      return script;
    },
    boot(settings = {}) {
      return start([rented.write(settings)]);
    },
    powerOff() {
      for (let round = 0; round < 3; round++) killMarked(marker);
      execFileSync(join(shims, "umount"), ["-a"], { env });
      rmSync(join(root, "run"), { recursive: true, force: true });
    },
    metadata: (url) => writeMetadataAddress(root, url),
    poweredOff: () => askedForPowerOff(root),
    startAgent: () => start([join(lib, "agent.sh"), "run"]),
    start: (file) => start([file]),
    disk(content = "") {
      const folder = join(base, `disk-${disks++}`);
      mkdirSync(join(folder, "files"), { recursive: true });
      const file = openSync(join(folder, "disk"), "w");
      ftruncateSync(file, DISK_BYTES);
      writeSync(file, typeof content === "string" ? Buffer.from(content) : content, 0);
      return { folder, disk: join(folder, "disk"), files: join(folder, "files") };
    },
    attach(name, disk, names) {
      if (names !== undefined) placeDeviceName(root, name, names);
      symlinkSync(disk.disk, join(root, "dev", name));
    },
    detach(name) {
      rmSync(join(root, "dev", name));
      removeDeviceName(root, name);
    },
    verb,
    async status() {
      const result = await verb("status");
      if (result.code !== 0) throw new Error(result.stdout + result.stderr);
      return parseGuestStatus(result.stdout);
    },
    log: () => {
      const file = join(lib, "console.log");
      return existsSync(file) ? readFileSync(file, "utf8") : "";
    },
    close() {
      for (let round = 0; round < 3; round++) killMarked(marker);
      rmSync(base, { recursive: true, force: true });
    },
  };
  return rented;
}

/** The head of a pretended disk that holds a file system, or whatever these fields say. */
export function diskHead(fields: Readonly<Record<string, string>>): string {
  return `spot-shim-disk\n${Object.entries(fields)
    .map(([name, value]) => `${name}=${value}\n`)
    .join("")}\n`;
}

export function fileSystem(type = "ext4"): string {
  return diskHead({ UUID: randomUUID(), TYPE: type, USAGE: "filesystem" });
}

/** Whether a program is here; where it is not, it is said which test is skipped. */
export function has(program: string, test: string): boolean {
  const found = spawnSync("/bin/sh", ["-c", 'command -v "$0"', program], { stdio: "ignore" }).status === 0;
  if (!found) isMissing(program, test);
  return found;
}
