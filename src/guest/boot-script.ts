import { usageProblem } from "../model/problem.ts";
import type { MachineKind } from "../providers/provider.ts";
import { forMachine, withShortNames } from "./agent-text.ts";
import { cacheWords } from "./caches.ts";
import { type GuestPeers, peersAtBoot } from "./peers-at-boot.ts";

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
  /** A checkpoint by the clock, as it was ordered; 0: none; null: nobody said. */
  readonly checkpointEverySeconds: number | null;
  /** Where nobody said: the mean time between interruptions, in seconds, from which the agent chooses (Daly). Null or absent: none. */
  readonly betweenSeconds?: number | null;
  /** Epoch seconds. */
  readonly ttlEndsAt: number | null;
  /**
   * How long a notice lasts, in seconds, where the cloud's metadata service says only that there is one (gcp). Null or absent:
   * the agent takes the least that is usual there.
   */
  readonly noticeSeconds?: number | null;
  /** The checkpoint that is copied to its volume, which began empty: until it is there the workload is held back. Absent: none. */
  readonly awaits?: string | null;
  /** How long the machine may be idle before it ends; null means until somebody ends it. */
  readonly idleSeconds: number | null;
  /** `gpu`: a workload that runs and leaves the GPUs alone is idle too. Absent or `exit`: only one that is over. */
  readonly idleBy?: "exit" | "gpu";
  /** False: nothing is said to frameworks of where their caches are; else they lie on the volume, where there is one. */
  readonly caches?: boolean;
  /** What else was ordered, for whoever takes the machine over without our records (`fleet/spec/spec-order.ts`); null for nothing. */
  readonly order?: string | null;
  /**
   * Our public key, one line as in `authorized_keys`. A container lets it in as root; elsewhere the cloud does that, and it is
   * not looked at. Null for none.
   */
  readonly authorizedKey: string | null;
  /** Of a shared state: who else comes in. Absent: nobody. */
  readonly peers?: GuestPeers;
}

const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]*$/;
/** Set by the agent and its shell; a workload's own value would never arrive. */
const AGENTS_OWN = /^(?:IFS|PWD|OLDPWD|PPID|OPTIND|SPOT_SET_.*|SPOT_ROOT)$/;

/** Everything lies below SPOT_ROOT, which only machines of the embedded cloud and of tests have. */
// biome-ignore lint/suspicious/noTemplateCurlyInString: the shell's own expansion
const FIND_ROOT = "spot_root=${SPOT_ROOT-}";

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

function everyWord(seconds: number | null): string | number | null {
  if (seconds === null) return null;
  return seconds === 0 ? "none" : Math.max(1, Math.round(seconds));
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
    EVERY: everyWord(settings.checkpointEverySeconds),
    ...(settings.betweenSeconds == null ? {} : { BETWEEN: Math.max(1, Math.round(settings.betweenSeconds)) }),
    TTL_ENDS_AT: settings.ttlEndsAt === null ? null : Math.floor(settings.ttlEndsAt),
    ...(settings.volumeMount === null || settings.caches === false ? {} : { CACHES: cacheWords(settings.env) }),
    ...(settings.awaits == null ? {} : { AWAITS: settings.awaits }),
    NOTICE_SECONDS: (settings.noticeSeconds ?? 0) > 0 ? Math.floor(settings.noticeSeconds ?? 0) : null,
    IDLE: settings.idleSeconds === null ? null : Math.max(0, Math.round(settings.idleSeconds)),
    // Where there is no workload, nothing but the GPU can tell that nobody needs the machine.
    IDLE_BY: settings.command.length === 0 ? "gpu" : (settings.idleBy ?? null),
  };
  const all = settings.order == null ? values : { ...values, ORDER: settings.order };
  const lines = Object.entries(all).map(([name, value]) => {
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

/** A file is replaced by rename: a shell that runs the old agent goes on reading the old one. */
function writeFileLines(path: string, text: string): readonly string[] {
  const mark = endMark(text);
  const lines = text.endsWith("\n") ? text.slice(0, -1) : text;
  return [`cat >"$spot_lib/${path}.new" <<'${mark}'`, lines, mark];
}

/** What the agent's `# [only WORD...]` are asked of: what the machine is, and what was ordered. */
function wordsOf({ machine, idleSeconds, awaits }: AgentSettings): ReadonlySet<string> {
  const { kind, notices, volumes } = machine;
  return new Set([kind, notices, volumes, ...(idleSeconds === null ? [] : ["idle"]), ...(awaits == null ? [] : ["copied"])]);
}

/**
 * The agent as that machine gets it at boot: as it is on the embedded cloud; elsewhere as short as it can be made, without the
 * verbs that a controller brings when it wants them (`carried.ts`).
 */
export function agentFor(settings: AgentSettings, agentSource: string): string {
  if (settings.machine.kind === "process") return agentSource;
  return withShortNames(forMachine(agentSource, wordsOf(settings)));
}

/**
 * A machine with systemd gets a unit. A stop reaches the agent alone, which seals and then ends the workload; what is left
 * after that is killed. Exit code 7 is the agent's refusal to begin (no checkpoint verifies), which another try would not
 * change. A workload that the kernel ends for want of memory must not take the agent with it. The start is not waited for:
 * cloud-init is a service itself, and others may wait for it.
 *
 * At a shutdown it is stopped before any disk is unmounted, also the volume that the agent has mounted itself: that comes of
 * `After=local-fs.target`. A cloud may cut the power long before TimeoutStopSec (Compute Engine after 30 s): the agent knows.
 */
const VM_START = `if [ -d "$spot_root/run/systemd/system" ]; then
  spot_variables=
  if [ -n "$spot_root" ]; then spot_variables="Environment=\\"SPOT_ROOT=$spot_root\\""; fi
  mkdir -p "$spot_root/etc/systemd/system"
  cat >"$spot_root/etc/systemd/system/spot-agent.service" <<SPOT_END_OF_UNIT
[Unit]
Description=spot agent: runs the workload and seals its checkpoints
After=local-fs.target network.target
StartLimitIntervalSec=0

[Service]
$spot_variables
ExecStart=/bin/sh "$spot_lib/agent.sh" run
Restart=on-failure
RestartSec=2
RestartPreventExitStatus=7
KillMode=mixed
TimeoutStopSec=100
OOMPolicy=continue
TasksMax=infinity

[Install]
WantedBy=multi-user.target
SPOT_END_OF_UNIT
  systemctl daemon-reload
  systemctl enable spot-agent.service
  systemctl --no-block "$spot_how" spot-agent.service
else
  nohup sh "$spot_lib/agent.sh" run >>"$spot_lib/console.log" 2>&1 </dev/null &
fi`;

/** The container's main process: it ends only when it is told to. A signal ends a `wait`, not what is waited for. */
const CONTAINER_START = `spot_asked=
spot_child=
spot_end() {
  spot_asked=yes
  if [ -n "$spot_child" ]; then kill -s TERM "$spot_child" 2>/dev/null || :; fi
}
trap spot_end TERM INT
spot_lines=$(wc -l <"$spot_lib/console.log")
tail -n "+$((spot_lines + 1))" -f "$spot_lib/console.log" &
spot_tail=$!
sh "$spot_lib/agent.sh" run >>"$spot_lib/console.log" 2>&1 &
spot_child=$!
if [ -n "$spot_asked" ]; then spot_end; fi
while kill -0 "$spot_child" 2>/dev/null; do wait "$spot_child" || :; done
if [ -z "$spot_asked" ]; then
  echo 'spot: the agent has ended; this container stays, so that somebody can look' >>"$spot_lib/console.log"
fi
while [ -z "$spot_asked" ]; do
  sleep 3600 &
  spot_child=$!
  wait "$spot_child" || :
done
kill "$spot_tail" 2>/dev/null || :`;

function letInLines(key: string): readonly string[] {
  refuseNul("the public key", key);
  if (key.includes("\n")) throw usageProblem("a public key is one line");
  return [
    `spot_key=${shellWord(key)}`,
    `spot_keys="$spot_root/root/.ssh/authorized_keys"
spot_let_in() {
  mkdir -p "$spot_root/root/.ssh" && chmod 700 "$spot_root/root/.ssh" && true >>"$spot_keys" && chmod 600 "$spot_keys" || return 1
  if grep -qxF -e "$spot_key" "$spot_keys"; then return 0; fi
  # A last line without its end must not swallow ours.
  if [ -n "$(tail -c 1 "$spot_keys")" ]; then echo >>"$spot_keys" || return 1; fi
  printf '%s\\n' "$spot_key" >>"$spot_keys"
}
spot_let_in || echo 'spot: the public key could not be written: nobody can come in by SSH' >>"$spot_lib/console.log"`,
  ];
}

function startLines(settings: AgentSettings): readonly string[] {
  const beside = settings.peers === undefined ? [] : peersAtBoot(settings.peers);
  switch (settings.machine.kind) {
    case "process":
      return ['exec sh "$spot_lib/agent.sh" run'];
    case "container":
      return [...(settings.authorizedKey === null ? [] : letInLines(settings.authorizedKey)), ...beside, CONTAINER_START];
    case "vm":
      return [...beside, VM_START];
  }
}

/**
 * The shell script that a machine runs at boot: it writes the agent and its settings and sees to it that the agent runs. It
 * may run again at every boot, and beside a running agent.
 *
 * `process`: it becomes the agent. `container`: it is the main process, passes SIGTERM on to the agent and stays when the
 * agent ends. `vm`: it runs as root and returns; systemd runs the agent, or where there is none the script leaves it behind.
 * What agent and workload print is appended to `/var/lib/spot/console.log` on both of these.
 * @throws Problem (usage) for a variable's name that no shell takes, or a NUL character.
 */
export function bootScript(settings: AgentSettings, agentSource: string): string {
  return [
    "#!/bin/sh",
    "set -eu",
    FIND_ROOT,
    'spot_lib="$spot_root/var/lib/spot"',
    'mkdir -p "$spot_lib"',
    "spot_umask=$(umask)",
    "umask 077",
    ...writeFileLines("settings.env", settingsText(settings)),
    ...writeFileLines("agent.sh", agentFor(settings, agentSource)),
    // An agent that systemd has started already from an earlier machine's disk has the wrong settings.
    "spot_how=start",
    'if [ -f "$spot_lib/settings.env" ] && ! cmp -s "$spot_lib/settings.env.new" "$spot_lib/settings.env"; then spot_how=restart; fi',
    'mv -f "$spot_lib/settings.env.new" "$spot_lib/settings.env"',
    'mv -f "$spot_lib/agent.sh.new" "$spot_lib/agent.sh"',
    ...(settings.machine.kind === "process" ? [] : ['true >>"$spot_lib/console.log"']),
    'umask "$spot_umask"',
    ...startLines(settings),
    "",
  ].join("\n");
}
