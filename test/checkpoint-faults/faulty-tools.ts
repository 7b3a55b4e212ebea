import { accessSync, constants, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import type { Plan } from "./walk.ts";

/** What happens at the n-th call of an outside program. */
export const TOOL_FAULTS = [
  "killed-before",
  "killed-after",
  "failed",
  "half-done",
  "done-but-failed",
  "volume-gone",
  "volume-bare",
] as const;
export type ToolFault = (typeof TOOL_FAULTS)[number];

export type ToolPlan = Plan<ToolFault>;

export interface FaultyTools {
  /** To be put into PATH. */
  readonly path: string;
  /** Where the first process of what is to be killed writes its pid. */
  readonly mainFile: string;
  arm(plan: ToolPlan): void;
  /** Ends the counting. `struck` is the call that was struck; undefined where it never came, or had no such fault to give. */
  disarm(): { readonly struck: string | undefined; readonly calls: readonly string[] };
}

/** What a shell does by itself. */
const BUILTINS = new Set(["[", "echo", "false", "kill", "printf", "pwd", "read", "test", "true"]);

/**
 * Stands before each program. The number of a call is the first file that does not exist yet, so that programs that run side by
 * side never share one; a shell makes it without another process.
 */
const wrapper = (folder: string, name: string, real: string) => `#!/bin/sh
{ read -r fault_at fault_how fault_only <${folder}/plan; } 2>/dev/null || exec ${real} "$@"
case "${name} $*" in $fault_only) ;; *) exec ${real} "$@" ;; esac
set -C
fault_call=1
{ read -r fault_call <${folder}/next; } 2>/dev/null
while ! { echo "${name} $*" >${folder}/calls/$fault_call; } 2>/dev/null; do
  if [ ! -d ${folder}/calls ]; then exec ${real} "$@"; fi
  fault_call=$((fault_call + 1))
done
echo $((fault_call + 1)) 2>/dev/null >|${folder}/next
set +C
[ "$fault_call" = "$fault_at" ] || exec ${real} "$@"
fault_name=${name} fault_real=${real}
. ${folder}/strike.sh
`;

/** Half of what a program does: a copy lacks files and its last one is cut, an output ends in the middle. */
const strikeScript = (folder: string, volume: string) => `PATH=$(cat ${folder}/path) && export PATH
echo "$fault_name $*" >${folder}/struck
fault_complain() {
  if [ $((fault_call % 2)) -eq 0 ]; then echo "$fault_name: No space left on device" >&2; else echo "$fault_name: Input/output error" >&2; fi
  exit 1
}
fault_kill() {
  kill -9 "-$(cat ${folder}/main)"
  kill -9 "$$"
}
fault_halve() {
  fault_files=$(find "$1" -type f -printf x | wc -c)
  find "$1" -type f -print0 | tail -z -n $((fault_files / 2)) | xargs -0 rm -f
  [ "$2" = cut ] && find "$1" -type f -print0 | tail -z -n 1 | xargs -0 -r sh -c 'head -c $(($(wc -c <"$1") / 2)) "$1" >"$1.cut" && mv "$1.cut" "$1"' sh
}
case $fault_how in
  killed-before) fault_kill ;;
  killed-after)
    "$fault_real" "$@"
    fault_kill
    ;;
  failed) fault_complain ;;
  done-but-failed)
    "$fault_real" "$@"
    fault_complain
    ;;
  volume-gone | volume-bare)
    mv ${volume} ${volume}.gone
    if [ "$fault_how" = volume-bare ]; then mkdir ${volume}; fi
    exec "$fault_real" "$@"
    ;;
esac
case $fault_name in
  cp)
    "$fault_real" "$@"
    for fault_last; do :; done
    fault_halve "$fault_last" cut
    fault_complain
    ;;
  rm)
    for fault_last; do
      if [ -d "$fault_last" ]; then fault_halve "$fault_last" whole; fi
    done
    fault_complain
    ;;
  xargs)
    cat >${folder}/input
    head -c $(($(wc -c <${folder}/input) / 2)) ${folder}/input | "$fault_real" "$@"
    fault_complain
    ;;
  chmod | ln | mkdir | mv | perl | rmdir | sh | sleep | sync | touch)
    rm ${folder}/struck
    exec "$fault_real" "$@"
    ;;
esac
"$fault_real" "$@" >${folder}/output
head -c $(($(wc -c <${folder}/output) / 2)) ${folder}/output
fault_complain
`;

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/** Puts a program of ours before every program in PATH that the agent's text names. */
export function makeFaultyTools(folder: string, agentSource: string, volume: string): FaultyTools {
  const bin = join(folder, "bin");
  mkdirSync(bin, { recursive: true });
  const places = (process.env["PATH"] ?? "/usr/bin:/bin").split(delimiter);
  for (const name of new Set(agentSource.match(/[a-z][a-z0-9_.]*/g))) {
    const real = BUILTINS.has(name) ? undefined : places.map((place) => join(place, name)).find(isProgram);
    if (real !== undefined) writeFileSync(join(bin, name), wrapper(folder, name, real), { mode: 0o755 });
  }
  writeFileSync(join(folder, "path"), places.join(delimiter));
  writeFileSync(join(folder, "strike.sh"), strikeScript(folder, volume));
  const calls = join(folder, "calls");
  const all = ["plan", "next", "struck", "main"].map((name) => join(folder, name));
  return {
    path: [bin, ...places].join(delimiter),
    mainFile: join(folder, "main"),
    arm({ at, fault, only = "*" }) {
      for (const path of [...all, calls]) rmSync(path, { recursive: true, force: true });
      mkdirSync(calls);
      writeFileSync(join(folder, "plan"), `${at} ${fault} ${only}\n`);
    },
    disarm() {
      rmSync(join(folder, "plan"), { force: true });
      const struckFile = join(folder, "struck");
      const numbers = existsSync(calls) ? readdirSync(calls).map(Number) : [];
      return {
        struck: existsSync(struckFile) ? readFileSync(struckFile, "utf8").trim() : undefined,
        calls: numbers.sort((a, b) => a - b).map((number) => readFileSync(join(calls, String(number)), "utf8").trim()),
      };
    },
  };
}
