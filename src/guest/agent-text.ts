/**
 * What a machine gets of the agent: of what stands between `# [only WORD...]` and `# [end]` it gets what it has a word for, and
 * it gets no comments, no blank lines and no indentation (half of the text). No text of the agent's spans lines that begin with
 * a `#` or with spaces that mean something.
 */
export function forMachine(shell: string, words: ReadonlySet<string>): string {
  return kept(shell, (only) => only.some((word) => words.has(word)));
}

/** The whole agent, as a controller brings it: it asks for nothing but what is true there. */
export function withoutComments(shell: string): string {
  return kept(shell, () => true);
}

function kept(shell: string, isWanted: (only: readonly string[]) => boolean): string {
  const [first = "", ...lines] = shell.split("\n");
  const text = [first];
  let wanted = true;
  for (const line of lines.map((indented) => indented.trimStart())) {
    const only = /^# \[only ([a-z ]+)\]$/.exec(line)?.[1];
    if (only !== undefined) wanted = isWanted(only.split(" "));
    else if (line === "# [end]") wanted = true;
    else if (wanted && line !== "" && !line.startsWith("#")) text.push(line);
  }
  return `${text.join("\n")}\n`;
}

/** Names that are put together at run time (`verb_$verb`), or that other texts know. */
const KNOWN_OUTSIDE = /^(?:verb_|read_notice_|terminate_|spot_|http_(?:curl|wget|python3|node)$)/;
const NAME = /(?<![A-Za-z0-9_])[a-z]+_[a-z0-9_]*[a-z0-9](?![A-Za-z0-9_])/g;
const MADE = [
  /(?<=^|[\s;(])([a-z]+_[a-z0-9_]*[a-z0-9])=/gm,
  /^([a-z]+_[a-z0-9_]*[a-z0-9])\(\) [({]/gm,
  /\bfor ([a-z]+_[a-z0-9_]*[a-z0-9]) in\b/g,
];

/**
 * The same program with short names for its own variables and functions of several words (`seal_seconds`), which no prose has:
 * 600 bytes less when compressed, and EC2 takes only so much. Which name became which is the same for the same text.
 */
export function withShortNames(shell: string): string {
  const uses = new Map<string, number>();
  for (const pattern of MADE) for (const [, name = ""] of shell.matchAll(pattern)) if (!KNOWN_OUTSIDE.test(name)) uses.set(name, 0);
  for (const [name] of shell.matchAll(NAME)) if (uses.has(name)) uses.set(name, (uses.get(name) ?? 0) + 1);
  const order = [...uses].sort(([a, usesOfA], [b, usesOfB]) => usesOfB - usesOfA || (a < b ? -1 : 1));
  const short = new Map(order.map(([name], index) => [name, shortName(index)]));
  return shell.replace(NAME, (name) => short.get(name) ?? name);
}

/** `_a` to `_z`, `_aa` and so on: nothing else in the agent begins so and is so short. */
function shortName(index: number): string {
  const letter = (at: number) => "abcdefghijklmnopqrstuvwxyz"[at] ?? "";
  return index < 26 ? `_${letter(index)}` : `_${letter(Math.floor(index / 26) - 1)}${letter(index % 26)}`;
}
