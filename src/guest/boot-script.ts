import { usageProblem } from "../model/problem.ts";
import type { MachineKind } from "../providers/provider.ts";

/** What the agent inside one machine is told at boot. */
export interface AgentSettings {
  /** What the machine is, and how its agent hears of a notice and ends the machine. */
  readonly machine: MachineKind;
  /** The instance's name. */
  readonly instance: string;
  /** The volume's name, for the manifests; null without a volume. */
  readonly volumeName: string | null;
  /** Where the volume is mounted, e.g. "/data"; null without a volume. */
  readonly volumeMount: string | null;
  /** The workload: program and arguments, started without a shell between. Empty: none, the machine only waits. */
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly workdir: string | null;
  /** A shell command that makes the workload write a checkpoint. */
  readonly checkpointHook: string | null;
  readonly checkpointEverySeconds: number | null;
  /** Epoch seconds. */
  readonly ttlEndsAt: number | null;
  /** How long the machine stays up after the workload has ended; null means until somebody ends it. */
  readonly idleSeconds: number | null;
}

const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]*$/;
/** Set by the agent and its shell; a workload's own value would never arrive. */
const AGENTS_OWN = /^(?:IFS|PWD|OLDPWD|PPID|OPTIND|SPOT_SET_.*|SPOT_ROOT)$/;

/** One shell word that means exactly `text`. */
export function shellWord(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

function refuseNul(what: string, text: string): void {
  if (text.includes("\0")) throw usageProblem(`${what} holds a NUL character, which no process can be given`);
}

function exports(env: Readonly<Record<string, string>>): readonly string[] {
  return Object.entries(env).map(([name, value]) => {
    if (!VARIABLE.test(name) || AGENTS_OWN.test(name))
      throw usageProblem(`${JSON.stringify(name)} cannot be set for a workload`, "a variable's name has letters, digits and underscores");
    refuseNul(`the value of ${name}`, value);
    return `  export ${name}=${shellWord(value)}`;
  });
}

/** The text of `settings.env`, which the agent reads as shell. */
function settingsText(settings: AgentSettings): string {
  for (const word of settings.command) refuseNul("the command", word);
  const program = settings.command[0];
  if (program?.startsWith("-") === true) throw usageProblem(`a program's name cannot begin with "-": ${JSON.stringify(program)}`);
  const values: Readonly<Record<string, string | number | null>> = {
    MACHINE: settings.machine.kind,
    NOTICES: settings.machine.notices,
    ENDS_ITSELF: settings.machine.endsItself ? "yes" : "no",
    VOLUME_COMES: settings.machine.volumes,
    INSTANCE: settings.instance,
    VOLUME_NAME: settings.volumeName,
    VOLUME_MOUNT: settings.volumeMount,
    WORKDIR: settings.workdir,
    HOOK: settings.checkpointHook,
    EVERY: settings.checkpointEverySeconds === null ? null : Math.max(1, Math.round(settings.checkpointEverySeconds)),
    TTL_ENDS_AT: settings.ttlEndsAt === null ? null : Math.floor(settings.ttlEndsAt),
    IDLE: settings.idleSeconds === null ? null : Math.max(0, Math.round(settings.idleSeconds)),
  };
  const lines = Object.entries(values).map(([name, value]) => {
    const text = value === null ? "" : String(value);
    refuseNul(name, text);
    return `SPOT_SET_${name}=${shellWord(text)}`;
  });
  const command = settings.command.length === 0 ? "while :; do sleep 3600; done" : `exec ${settings.command.map(shellWord).join(" ")}`;
  return [...lines, "spot_environment() {", "  :", ...exports(settings.env), "}", "spot_command() {", `  ${command}`, "}", ""].join("\n");
}

/** A here-document's end that no line of the text is. */
function endMark(text: string): string {
  let mark = "SPOT_END_OF_FILE";
  while (text.split("\n").includes(mark)) mark += "_";
  return mark;
}

function writeFileLines(path: string, text: string): readonly string[] {
  const mark = endMark(text);
  return [`cat >"$spot_lib/${path}" <<'${mark}'`, text.endsWith("\n") ? text.slice(0, -1) : text, mark];
}

/**
 * The shell script that a machine runs at boot: it writes the agent and its settings and becomes the agent. It may run
 * again at every boot.
 * @throws Problem (usage) for a variable's name that no shell takes, or a NUL character.
 */
export function bootScript(settings: AgentSettings, agentSource: string): string {
  return [
    "#!/bin/sh",
    "set -eu",
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the shell's own expansion
    'spot_lib="${SPOT_ROOT-}/var/lib/spot"',
    'mkdir -p "$spot_lib"',
    "spot_umask=$(umask)",
    "umask 077",
    ...writeFileLines("settings.env", settingsText(settings)),
    ...writeFileLines("agent.sh", agentSource),
    'umask "$spot_umask"',
    'exec sh "$spot_lib/agent.sh" run',
    "",
  ].join("\n");
}
