import { mkdir, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { readFileIfThere, writeFileAtomic } from "./files.ts";
import { type Keeper, type KeeperWorld, type ServicePlan, STILL } from "./service-plan.ts";

/** What XML keeps as it is in a text; a bare carriage return would come back as a newline. */
function xml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll("\r", "&#13;");
}

const string = (text: string) => `<string>${xml(text)}</string>`;

/** A watch that is told to end finishes its step first. */
const LOOK_MS = 200;
const MOST_LOOKS = 500;

/** A shell that reads the user's file and becomes the program: launchd reads no such file itself. */
const READ_FIRST = 'set -a; . "$1"; set +a; shift; exec "$@"';

/** The agent as launchd.plist(5) has it. */
export function launchdPlist(name: string, { node, program, environment, envFile, logFile }: ServicePlan): string {
  const command = [node, program, "watch", "--act", "--quiet", "--no-color"];
  const argv = envFile === null ? command : ["/bin/sh", "-c", READ_FIRST, "spot", envFile, ...command];
  const entry = (key: string, ...lines: readonly string[]) => [`  <key>${key}</key>`, ...lines.map((line) => `  ${line}`)];
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    '<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">',
    "<!-- Written by `spot service install`, which also changes it; `spot service uninstall` removes it. -->",
    '<plist version="1.0">',
    "<dict>",
    ...entry("Label", string(name)),
    ...entry("ProgramArguments", "<array>", ...argv.map((word) => `  ${string(word)}`), "</array>"),
    ...entry(
      "EnvironmentVariables",
      "<dict>",
      ...Object.entries(environment).flatMap(([key, value]) => [`  <key>${xml(key)}</key>`, `  ${string(value)}`]),
      "</dict>",
    ),
    ...entry("RunAtLoad", "<true/>"),
    ...entry("KeepAlive", "<true/>"),
    ...entry("ThrottleInterval", "<integer>10</integer>"),
    ...entry("ExitTimeOut", "<integer>90</integer>"),
    // The embedded cloud, its machines and ssh's shared connections outlive the watch.
    ...entry("AbandonProcessGroup", "<true/>"),
    ...entry("StandardOutPath", string(logFile)),
    ...entry("StandardErrorPath", string(logFile)),
    "</dict>",
    "</plist>",
    "",
  ].join("\n");
}

/** launchd's agents of this user, on macOS. */
export function launchdKeeper({ userHome, tag, run, uid, logFile, clock }: KeeperWorld): Keeper {
  const name = `spot-fleet.watch${tag}`;
  const path = join(userHome, "Library", "LaunchAgents", `${name}.plist`);
  const domain = `gui/${uid}`;
  const loaded = async () => (await run(["launchctl", "print", `${domain}/${name}`])).code === 0;
  /** It answers before the program has ended, and until then another one of that name is refused. */
  const unload = async () => {
    if (!(await loaded())) return;
    await run.change(["launchctl", "bootout", `${domain}/${name}`]);
    for (let looks = 0; looks < MOST_LOOKS && (await loaded()); looks++) await clock.sleep(LOOK_MS);
  };
  return {
    kind: "launchd",
    name,
    path,
    log: `tail ${logFile}`,
    async unfit() {
      const { code, stderr } = await run(["launchctl", "print", domain]);
      if (code === 0) return null;
      return code === 127
        ? "there is no launchctl"
        : `launchctl does not answer for ${domain}: ${stderr.trim() || `it ended with ${code}`}`;
    },
    installed: () => readFileIfThere(path),
    text: (plan) => Promise.resolve(launchdPlist(name, plan)),
    async put(text) {
      await mkdir(dirname(path), { recursive: true });
      // What is loaded stays as it was read: it is unloaded before the file changes.
      await unload();
      await writeFileAtomic(path, text, 0o644);
      await run.change(["launchctl", "bootstrap", domain, path]);
    },
    async remove() {
      await unload();
      await rm(path, { force: true });
    },
    async state() {
      const { code, stdout } = await run(["launchctl", "print", `${domain}/${name}`]);
      if (code !== 0) return { ...STILL, trouble: "it is not loaded" };
      const field = (key: string) => new RegExp(`^\\s*${key} = (.+)$`, "m").exec(stdout.toString())?.[1]?.trim();
      const pid = Number(field("pid") ?? Number.NaN);
      const running = field("state") === "running";
      const runs = Number(field("runs") ?? Number.NaN);
      return {
        running,
        pid: Number.isInteger(pid) ? pid : null,
        since: null,
        restarts: Number.isInteger(runs) ? Math.max(0, runs - 1) : null,
        trouble: running ? null : `${field("state") ?? "not running"} (last exit code ${field("last exit code") ?? "unknown"})`,
      };
    },
  };
}
