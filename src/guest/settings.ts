import { Problem } from "../model/problem.ts";
import type { Reach } from "../providers/provider.ts";
import { requireSuccess, runScript, type VerbOptions } from "./run-verb.ts";

/** What the agent of a machine was told at boot, as far as it may leave the machine. Null: not set. */
export interface GuestSettings {
  readonly instance: string | null;
  readonly volumeName: string | null;
  readonly volumeMount: string | null;
  readonly workdir: string | null;
  readonly checkpointHook: string | null;
  /** 0: none was wanted by the clock. */
  readonly checkpointEverySeconds: number | null;
  /** Epoch seconds. */
  readonly ttlEndsAt: number | null;
  readonly idleSeconds: number | null;
  /** The names of the workload's variables; their values stay on the machine. */
  readonly envNames: readonly string[];
  /** Null when it is written in a way that is not understood. */
  readonly command: readonly string[] | null;
  /** What else was ordered, as JSON text (`AgentSettings.order`). */
  readonly order: string | null;
}

/**
 * Reads the agent's settings as the agent does, by running them. Each section begins with `@NAME`, each of its lines with a
 * space, so that nothing in a value can look like a section. Of the environment only names are written, and of the file only
 * what follows the workload's function, which comes last.
 */
const READ = `settings="\${SPOT_ROOT-}/var/lib/spot/settings.env"
[ -r "$settings" ] || { echo 'the agent has no settings' >&2; exit 1; }
. "$settings"
tell() {
  printf '@%s\\n' "$1"
  printf '%s\\n' "$2" | sed 's/^/ /'
}
tell instance "\${SPOT_SET_INSTANCE-}"
tell volumeName "\${SPOT_SET_VOLUME_NAME-}"
tell volumeMount "\${SPOT_SET_VOLUME_MOUNT-}"
tell workdir "\${SPOT_SET_WORKDIR-}"
tell checkpointHook "\${SPOT_SET_HOOK-}"
tell checkpointEverySeconds "\${SPOT_SET_EVERY-}"
tell ttlEndsAt "\${SPOT_SET_TTL_ENDS_AT-}"
tell idleSeconds "\${SPOT_SET_IDLE-}"
tell order "\${SPOT_SET_ORDER-}"
printf '@envNames\\n'
env -i sh -c '. "$1" && spot_environment && exec awk "BEGIN { for (name in ENVIRON) print \\" \\" name }"' sh "$settings"
printf '@command\\n'
awk '$0 == "spot_command() {" { at = NR } { line[NR] = $0 } END { for (n = at + 1; n <= NR; n++) print " " line[n] }' "$settings"
`;

/** @throws Problem when the machine cannot be reached or has no settings. */
export async function guestSettings(reach: Reach, options: VerbOptions): Promise<GuestSettings> {
  return parseGuestSettings(requireSuccess("settings", await runScript(reach, READ, [], options)));
}

/** Set by the shell that asks. */
const SHELLS_OWN = ["_", "PWD", "OLDPWD", "SHLVL"];
const LONGEST = 65_536;

/** @throws Problem when it is no such answer. */
export function parseGuestSettings(stdout: string): GuestSettings {
  const sections = new Map<string, string[]>();
  let current: string[] | undefined;
  for (const line of stdout.split("\n")) {
    if (line.startsWith("@")) {
      current = [];
      sections.set(line.slice(1), current);
    } else if (line.startsWith(" ")) current?.push(line.slice(1));
  }
  if (!sections.has("instance") || !sections.has("command"))
    throw new Problem({ code: "SPOT_E_GUEST_PROTOCOL", message: "the agent's settings were not understood", exit: 1 });
  const text = (name: string) => {
    const value = (sections.get(name) ?? []).join("\n");
    return value === "" || value.length > LONGEST ? null : value;
  };
  const number = (name: string) => {
    const value = text(name);
    return value !== null && /^\d{1,15}$/.test(value) ? Number(value) : null;
  };
  return {
    instance: text("instance"),
    volumeName: text("volumeName"),
    volumeMount: text("volumeMount"),
    workdir: text("workdir"),
    checkpointHook: text("checkpointHook"),
    checkpointEverySeconds: text("checkpointEverySeconds") === "none" ? 0 : number("checkpointEverySeconds"),
    ttlEndsAt: number("ttlEndsAt"),
    idleSeconds: number("idleSeconds"),
    envNames: (sections.get("envNames") ?? []).filter((name) => /^[A-Za-z_]\w{0,127}$/.test(name) && !SHELLS_OWN.includes(name)).sort(),
    command: commandIn((sections.get("command") ?? []).join("\n")),
    order: text("order"),
  };
}

/** The words of `exec 'a' 'b'`, as `boot-script.ts` writes them; none for a machine that only waits. */
function commandIn(body: string): readonly string[] | null {
  if (/^ {2}while :; do sleep 3600; done\n\}/.test(body)) return [];
  const match = /^ {2}exec ((?:'[^']*'(?:\\''[^']*')*)(?: '[^']*'(?:\\''[^']*')*)*)\n\}\s*$/.exec(body);
  const words = match?.[1];
  if (words === undefined) return null;
  return [...words.matchAll(/'[^']*'(?:\\''[^']*')*/g)].map(([word]) => word.slice(1, -1).replaceAll("'\\''", "'"));
}
