import { createHash } from "node:crypto";
import type { RunResult } from "../platform/process.ts";
import type { World } from "../platform/world.ts";
import { readAgent } from "./agent-source.ts";
import { withoutComments } from "./agent-text.ts";

/**
 * The verbs that only a controller calls. User data takes little, so a rented machine does not get them at boot: whoever wants
 * one of them brings the whole agent by the way in that he has, once for each version of it (`# [only carried]`).
 */
export const CARRIED_VERBS: ReadonlySet<string> = new Set([
  "stop",
  "volume",
  "release",
  "sealed",
  "prune",
  "verify",
  "pack",
  "manifest",
  "give",
  "receive",
  "freeze",
  "thaw",
  "marks",
  "ready-http",
]);

/** The agent as it is brought: all of its sections, with long names and without comments. */
export interface CarriedText {
  /** The first 12 hex digits of its SHA-256. It is kept as /var/lib/spot/verbs-HASH.sh. */
  readonly hash: string;
  readonly text: string;
}

/** Reads it at the first call and keeps it. */
export function carriedText({ packageRoot }: Pick<World, "packageRoot">): () => Promise<CarriedText> {
  let read: Promise<CarriedText> | undefined;
  return () => {
    read ??= readAgent(packageRoot).then(carriedOf);
    return read;
  };
}

export function carriedOf(agentSource: string): CarriedText {
  const text = withoutComments(agentSource);
  return { hash: createHash("sha256").update(text).digest("hex").slice(0, 12), text };
}

/** Runs a script of ours in the machine, as root; `args` are its $1, $2 and so on, `input` is its standard input. */
export type ScriptRunner = (script: string, args: readonly string[], input?: Uint8Array) => Promise<RunResult>;

const MISSING = 93;
const MISSING_WITHOUT_GZIP = 94;

/** The first line of what runs: by it the agent knows that it is we who came in, and no person (`count_people`). */
// biome-ignore lint/suspicious/noTemplateCurlyInString: the machine's shell expands it
const FILE = 'file="${SPOT_ROOT-}/var/lib/spot/verbs-$1.sh"';

/**
 * $1 is the text's hash, the rest a verb and its words; without a verb it only says whether the text is there. A text that is
 * used is touched, so that another version of `spot`, which brings its own, does not take it away meanwhile.
 */
export const RUN_CARRIED = `${FILE}
[ -s "$file" ] || { command -v gzip >/dev/null && exit ${MISSING}; exit ${MISSING_WITHOUT_GZIP}; }
touch "$file" 2>/dev/null
shift
[ $# -gt 0 ] || exit 0
exec sh "$file" "$@"
`;

/** $1 is the text's hash, $2 how it comes on standard input, $3 its bytes, the rest a verb and its words, or nothing. */
const BRING = `${FILE}
lib=\${file%/*}
[ -d "$lib" ] || { cat >/dev/null; echo 'the agent has not been set up here' >&2; exit 1; }
part="$lib/.verbs.$$"
(
  umask 077
  if [ "$2" = gzip ]; then gzip -dc >"$part"; else cat >"$part"; fi && [ "$(($(wc -c <"$part")))" = "$3" ] && { sync "$part" 2>/dev/null || sync; } && mv -f "$part" "$file"
) || { rm -f "$part"; echo 'not all of the agent has arrived' >&2; exit 1; }
for old in "$lib"/verbs-*.sh "$lib"/.verbs.*; do
  [ "$old" = "$file" ] || find "$old" -mtime +1 -exec rm -f {} \\; 2>/dev/null
done
shift 3
[ $# -gt 0 ] || exit 0
exec sh "$file" "$@" </dev/null
`;

/**
 * Runs a verb that a rented machine may not have yet: one round trip, and a second one when the text has to be brought.
 * Without a verb the text is brought when it is missing, and nothing is run.
 */
export async function runCarried({ hash, text }: CarriedText, verb: readonly string[], run: ScriptRunner): Promise<RunResult> {
  const result = await run(RUN_CARRIED, [hash, ...verb]);
  if (result.code !== MISSING && result.code !== MISSING_WITHOUT_GZIP) return result;
  const bytes = Buffer.from(text);
  const { gzipSync } = await import("node:zlib");
  const [how, input] = result.code === MISSING ? ["gzip", gzipSync(bytes, { level: 9 })] : ["plain", bytes];
  return run(BRING, [hash, how, String(bytes.length), ...verb], input);
}
