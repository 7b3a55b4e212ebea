// biome-ignore-all lint/suspicious/noTemplateCurlyInString: what looks like a placeholder here is the shell's own
/** A command as far as a shell must know it. */
export interface CommandTree {
  readonly name: string;
  readonly summary: string;
  readonly flags: readonly CompletedFlag[];
  readonly commands: readonly CommandTree[];
  /** What its positional arguments are. */
  readonly takes: "instances" | "files" | "nothing";
}

export interface CompletedFlag {
  /** With its dashes: `--gpu`. */
  readonly long: string;
  /** `-o`, or null. */
  readonly short: string | null;
  readonly summary: string;
  /** Null for a flag without a value; the words when only some are allowed; empty for any text. */
  readonly values: readonly string[] | null;
  /** Its value is a file or a folder. */
  readonly isFile: boolean;
}

export const SHELLS = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof SHELLS)[number];

/** Prints the names of the instances, one a line, from local state. */
const NAMES = "spot ls -o columns=name --no-header 2>/dev/null";

interface Place extends CommandTree {
  /** `checkpoints verify`; empty for the root. */
  readonly path: string;
}

function places(tree: CommandTree, path = ""): readonly Place[] {
  return [{ ...tree, path }, ...tree.commands.flatMap((child) => places(child, path === "" ? child.name : `${path} ${child.name}`))];
}

/** The root's flags go with every command. */
function flagsOf(place: CommandTree, root: CommandTree): readonly CompletedFlag[] {
  const own = new Set(place.flags.map((flag) => flag.long));
  return place === root ? root.flags : [...place.flags, ...root.flags.filter((flag) => !own.has(flag.long))];
}

const spellings = (flag: CompletedFlag) => (flag.short === null ? [flag.long] : [flag.long, flag.short]);

/** In single quotes for bash, zsh and, but for the backslash, fish. */
const quoted = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;

/** The walk over the words typed so far, the same in bash and zsh: `$path` becomes the verb, `--` ends what is ours. */
function walk(known: readonly string[], first: string, current: string, wordAt: string): readonly string[] {
  return [
    `  local path="" word i`,
    `  for ((i = ${first}; i < ${current}; i++)); do`,
    `    word="${wordAt}"`,
    `    [[ $word == -- ]] && { ${first === "1" ? "COMPREPLY=()" : "_normal -p spot"}; return 0; }`,
    `    case "\${path:+$path }$word" in`,
    `      ${known.map(quoted).join("|")}) path="\${path:+$path }$word" ;;`,
    `    esac`,
    `  done`,
  ];
}

function bashScript(root: CommandTree): string {
  const all = places(root);
  const cases = all.map((place) => {
    const words = place.commands.map((child) => child.name).join(" ");
    const flags = flagsOf(place, root).flatMap(spellings).join(" ");
    return `    ${quoted(place.path)}) words=${quoted(words)} flags=${quoted(flags)} takes=${place.takes} ;;`;
  });
  const valued = valueCases(all, (flag) => {
    if (flag.isFile) return 'COMPREPLY=($(compgen -f -- "$current"))';
    return flag.values?.length === 0 ? "COMPREPLY=()" : `COMPREPLY=($(compgen -W ${quoted((flag.values ?? []).join(" "))} -- "$current"))`;
  });
  return [
    "# bash completion of spot:  source <(spot completion bash)",
    "_spot() {",
    '  local current="${COMP_WORDS[COMP_CWORD]}" previous="${COMP_WORDS[COMP_CWORD-1]}" words="" flags="" takes=nothing',
    ...walk(
      all.map((place) => place.path).filter((path) => path !== ""),
      "1",
      "COMP_CWORD",
      "${COMP_WORDS[i]}",
    ),
    '  case "$path:$previous" in',
    ...valued,
    "  esac",
    '  case "$path" in',
    ...cases,
    "  esac",
    '  if [[ $current == -* ]]; then COMPREPLY=($(compgen -W "$flags" -- "$current"))',
    '  elif [[ -n $words ]]; then COMPREPLY=($(compgen -W "$words" -- "$current"))',
    `  elif [[ $takes == instances ]]; then COMPREPLY=($(compgen -W "$(${NAMES})" -- "$current"))`,
    '  elif [[ $takes == files ]]; then COMPREPLY=($(compgen -f -- "$current"))',
    "  fi",
    "}",
    "complete -o filenames -o bashdefault -F _spot spot",
    "",
  ].join("\n");
}

/** One branch for each kind of value, over `verb:flag`: the same letter may take a value here and none there. */
function valueCases(all: readonly Place[], reply: (flag: CompletedFlag) => string): readonly string[] {
  const patterns = new Map<string, string[]>();
  for (const place of all)
    for (const flag of place.flags.filter(({ values }) => values !== null)) {
      const words = spellings(flag).map((word) => (place.path === "" ? `*${quoted(`:${word}`)}` : quoted(`${place.path}:${word}`)));
      patterns.set(reply(flag), [...(patterns.get(reply(flag)) ?? []), ...words]);
    }
  return [...patterns].map(([action, words]) => `    ${words.join("|")}) ${action}; return 0 ;;`);
}

function zshScript(root: CommandTree): string {
  const all = places(root);
  const item = (word: string, summary: string) => quoted(`${word.replaceAll(":", "\\:")}:${summary}`);
  const cases = all.flatMap((place) => [
    `    ${quoted(place.path)})`,
    `      words_=(${place.commands.map((child) => item(child.name, child.summary)).join(" ")})`,
    `      flags_=(${flagsOf(place, root)
      .flatMap((flag) => spellings(flag).map((word) => item(word, flag.summary)))
      .join(" ")})`,
    `      takes=${place.takes} ;;`,
  ]);
  const valued = valueCases(all, (flag) => {
    if (flag.isFile) return "_files";
    return flag.values?.length === 0 ? "_message value" : `compadd -- ${(flag.values ?? []).map(quoted).join(" ")}`;
  });
  return [
    "#compdef spot",
    "# zsh completion of spot:  source <(spot completion zsh)",
    "_spot() {",
    "  local takes=nothing",
    "  local -a words_ flags_ names_",
    ...walk(
      all.map((place) => place.path).filter((path) => path !== ""),
      "2",
      "CURRENT",
      "${words[i]}",
    ).map((line) => line.replaceAll("path", "verb")),
    '  case "$verb:${words[CURRENT-1]}" in',
    ...valued,
    "  esac",
    '  case "$verb" in',
    ...cases,
    "  esac",
    "  if [[ ${words[CURRENT]} == -* ]]; then _describe -o flag flags_",
    "  elif (( ${#words_} )); then _describe command words_",
    `  elif [[ $takes == instances ]]; then names_=(\${(f)"$(${NAMES})"}); _describe instance names_`,
    "  elif [[ $takes == files ]]; then _files",
    "  fi",
    "}",
    '[[ ${funcstack[1]} == _spot ]] && _spot "$@" || compdef _spot spot',
    "",
  ].join("\n");
}

function fishScript(root: CommandTree): string {
  const all = places(root);
  const fishQuoted = (text: string) => `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
  const known = all.map((place) => place.path).filter((path) => path !== "");
  const flagLine = (flag: CompletedFlag, condition: string) => {
    const value = flag.values === null ? "" : flag.isFile ? " -rF" : ` -x -a ${fishQuoted(flag.values.join(" "))}`;
    return `complete -c spot${condition} -l ${flag.long.slice(2)}${flag.short === null ? "" : ` -s ${flag.short.slice(1)}`}${value} -d ${fishQuoted(flag.summary)}`;
  };
  const lines = all.flatMap((place) => {
    const condition = ` -n ${fishQuoted(`__spot_at ${fishQuoted(place.path)}`)}`;
    const takes = place.takes === "instances" ? [`complete -c spot${condition} -a ${fishQuoted(`(${NAMES})`)}`] : [];
    const files = place.takes === "files" ? [`complete -c spot${condition} -F`] : [];
    return [
      ...place.commands.map((child) => `complete -c spot${condition} -a ${child.name} -d ${fishQuoted(child.summary)}`),
      ...(place.path === "" ? [] : place.flags.map((flag) => flagLine(flag, condition))),
      ...takes,
      ...files,
    ];
  });
  return [
    "# fish completion of spot:  spot completion fish | source",
    "function __spot_at",
    "  set -l verb",
    "  for word in (commandline -opc)[2..]",
    "    test $word = --; and return 1",
    `    contains -- "$verb $word" ${known.map((path) => fishQuoted(` ${path}`)).join(" ")}; and set verb "$verb $word"`,
    "  end",
    '  test "$verb" = (string replace -r "^(.)" \' $1\' -- $argv[1] | string collect)',
    "end",
    "complete -c spot -f",
    ...root.flags.map((flag) => flagLine(flag, "")),
    ...lines,
    "",
  ].join("\n");
}

/** The script that teaches a shell this very program: its verbs, flags and, asked at the moment of need, the names of the instances. */
export function completionScript(shell: Shell, tree: CommandTree): string {
  if (shell === "bash") return bashScript(tree);
  return shell === "zsh" ? zshScript(tree) : fishScript(tree);
}
