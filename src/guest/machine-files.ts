import { posix } from "node:path";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { EXIT } from "../model/exit-codes.ts";
import { notFoundProblem, Problem } from "../model/problem.ts";
import { besides, type Place, stageName } from "../platform/place-files.ts";
import type { RunResult } from "../platform/process.ts";
import { stripControl } from "../platform/terminal.ts";
import type { Reach } from "../providers/provider.ts";
import { readAll } from "./pack.ts";
import { endedProblem, guestExec, runScript, streamScript, type VerbOptions } from "./run-verb.ts";

// A path of the machine, where its root is a folder of another one as well. Sets $path.
const PLACE = `fail() { printf '%s\\n' "$1" >&2; exit 1; }
place() {
  case $1 in
    "\${SPOT_ROOT-}"/*) path=$1 ;;
    *) path=\${SPOT_ROOT-}$1 ;;
  esac
}
place "$1"
`;

const LOOK = `${PLACE}
if [ -d "$path" ]; then echo folder
elif [ -f "$path" ]; then echo "file $(stat -c %a "$path" 2>/dev/null || stat -f %Lp "$path")"
elif [ -e "$path" ] || [ -L "$path" ]; then echo other
else echo none
fi
`;

const SEND_FILE = `${PLACE}
exec cat <"$path"
`;

/**
 * Packs the folder it stands in. GNU tar's 1 says that a file changed while it was read: the archive is whole, and the file
 * is as a copy of a growing file can be. Other tars say 1 for whatever went wrong.
 */
export const PACK_HERE = `tar -cf - .
code=$?
if [ "$code" = 1 ] && tar --version 2>/dev/null | grep -q 'GNU tar'; then exit 0; fi
exit "$code"
`;

const SEND_FOLDER = `${PLACE}
cd "$path" || exit 1
${PACK_HERE}`;

// $1 is a folder that is made for it. What arrives gets its name only by a second call, made when all of it has arrived.
// What fills an archive up behind its end is read as well: whoever sends it must not meet a closed pipe.
const RECEIVE = `${PLACE}
[ -d "\${path%/*}/" ] || fail "there is no folder \${1%/*}"
(umask 077 && mkdir "$path") || exit 1
undo() { rm -rf "$path"; exit 1; }
if [ "$2" = folder ]; then
  mkdir "$path/new" && tar -xof - -C "$path/new" || undo
  cat >/dev/null
else
  cat >"$path/new" || undo
  [ "$(($(wc -c <"$path/new")))" = "$3" ] || { echo 'not all of it has arrived' >&2; undo; }
  chmod "$4" "$path/new" || undo
fi
`;

// $1 is the folder of RECEIVE, $2 the name. Into a folder that is there already, file by file.
const SETTLE = `${PLACE}
from=$path
place "$2"
refuse() { rm -rf "$from"; fail "$1"; }
merge() {
  for entry in "$1"/* "$1"/.[!.]* "$1"/..?*; do
    [ -e "$entry" ] || [ -L "$entry" ] || continue
    to=$2/\${entry##*/}
    if [ -d "$entry" ] && [ ! -L "$entry" ]; then
      if [ -d "$to" ]; then
        (merge "$entry" "$to") || return 1
        continue
      fi
      if [ -e "$to" ] || [ -L "$to" ]; then echo "$to is there already, and no folder" >&2; return 1; fi
    elif [ -d "$to" ]; then
      echo "$to is there already, and a folder" >&2
      return 1
    fi
    mv -f "$entry" "$to" || return 1
  done
}
if [ ! -d "$from/new" ]; then
  [ ! -d "$path" ] || refuse "$2 is there already, and a folder"
  mv -f "$from/new" "$path" || refuse "$2 could not be put in its place"
elif [ -d "$path" ]; then
  merge "$from/new" "\${path%/}" || refuse "not all of it could be put in its place"
else
  if [ -e "$path" ] || [ -L "$path" ]; then refuse "$2 is there already, and no folder"; fi
  mv "$from/new" "$path" || refuse "$2 could not be put in its place"
fi
rm -rf "$from"
`;

const DISCARD = `${PLACE}
rm -rf "$path"
`;

/** What stands at a path of a machine. `mode`: permission bits. */
export type Found = { readonly kind: "none" | "folder" | "other" } | { readonly kind: "file"; readonly mode: number };

function said({ stdout, stderr, code }: RunResult): string {
  if (code !== 0) throw endedProblem({ code, stderr });
  return stdout.trim();
}

/** @throws Problem when the machine cannot be reached. */
export async function lookInside(reach: Reach, path: string, options: VerbOptions): Promise<Found> {
  const [kind, mode] = said(await runScript(reach, LOOK, [path], options)).split(" ");
  if (kind === "file") return { kind, mode: Number.parseInt(mode ?? "", 8) & 0o777 || 0o644 };
  return { kind: kind === "folder" || kind === "none" ? kind : "other" };
}

/** A place in a machine's file system, for the functions below. */
export interface FarPlace {
  readonly reach: Reach;
  /** Absolute. */
  readonly path: string;
}

/**
 * What a person means by a path in a machine: a relative one is meant from the workload's folder, as for `spot exec`. The
 * machines of the embedded cloud share the file system of this one: what is absolute lies below their own root, and `folder`
 * is where their workload runs.
 * @throws Problem when the workload's folder cannot be entered.
 */
export async function farPlace(reach: Reach, path: string, folder: string, options: VerbOptions): Promise<FarPlace> {
  if (reach.kind === "ssh") return { reach, path: path.startsWith("/") ? path : below(await workFolder(reach, options), path) };
  const { SPOT_ROOT: root = "" } = reach.env;
  const absolute = !path.startsWith("/") ? below(folder, path) : path.startsWith(`${root}/`) ? path : `${root}${path}`;
  return { reach: { ...reach, env: { ...reach.env, SPOT_ROOT: "" } }, path: absolute };
}

function below(folder: string, path: string): string {
  return path === "" ? `${folder}/.` : `${folder === "/" ? "" : folder}/${path}`;
}

async function workFolder(reach: Reach, options: VerbOptions): Promise<string> {
  const result = await guestExec(reach, ["pwd"], options);
  const folder = result.stdout.trim();
  if (result.code === 0 && folder.startsWith("/")) return folder;
  throw new Problem({
    code: "SPOT_E_GUEST",
    message: `the workload's folder cannot be entered: ${stripControl(result.stderr).trim().split("\n").at(-1) ?? ""}`,
    hint: "a path that begins with / does not need it",
    exit: EXIT.failed,
  });
}

/** Reads a file of a machine, whole. */
export async function readInside<Result>(
  reach: Reach,
  path: string,
  kind: "file" | "folder",
  read: (stdout: Readable) => Promise<Result>,
  options: VerbOptions,
): Promise<Result> {
  return readAll(await streamScript(reach, kind === "file" ? SEND_FILE : SEND_FOLDER, [path], options), read);
}

export type Sent = { readonly kind: "folder" } | { readonly kind: "file"; readonly size: number; readonly mode: number };

/** What is sent; `sent` rejects when not all of it could be read. */
export interface Content {
  readonly stream: Readable;
  readonly sent: Promise<void>;
}

/**
 * Writes a file, or what a tar stream holds, into a machine: under another name first, and in its place when all of it has
 * arrived and `sent` has proved that all of it was sent. A folder that is there already is added to, file by file.
 * @throws Problem when it cannot be written, with what the machine said; what `sent` rejects with.
 */
export async function writeInside(reach: Reach, place: Place, what: Sent, open: () => Content, options: VerbOptions): Promise<void> {
  const stage = posix.join(besides(place), stageName());
  const details = what.kind === "file" ? [String(what.size), what.mode.toString(8)] : [];
  try {
    const program = await streamScript(reach, RECEIVE, [stage, what.kind, ...details], options);
    program.stdout.resume();
    // Only now: Node throws away what a program has written when it ends before anybody reads.
    const content = open();
    const [flow, sent, ended] = await Promise.allSettled([pipeline(content.stream, program.stdin), content.sent, program.done]);
    if (sent.status === "rejected") throw sent.reason;
    if (ended.status === "rejected") throw ended.reason;
    if (ended.value.code !== 0) throw endedProblem(ended.value);
    if (flow.status === "rejected") throw flow.reason;
  } catch (error) {
    // Best effort: a machine that is away keeps a folder whose name says what it is.
    if (!options.signal.aborted) await runScript(reach, DISCARD, [stage], options).catch(() => undefined);
    throw error;
  }
  said(await runScript(reach, SETTLE, [stage, place.final], options));
}

/** @throws Problem (exit 9) that says that the source is not there. */
export function missingSource(what: string): Problem {
  return notFoundProblem("file or folder", what, []);
}
