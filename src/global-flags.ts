import { type Command, Option } from "commander";
import { parseDuration } from "./model/duration.ts";
import { usageProblem } from "./model/problem.ts";
import { isMachineFormat, type OutputFormat, parseOutputFormat } from "./output/format.ts";

/** What every command understands. */
export interface GlobalFlags {
  readonly format: OutputFormat;
  readonly machine: boolean;
  readonly header: boolean;
  readonly quiet: boolean;
  readonly color: boolean;
  readonly yes: boolean;
  readonly verbose: boolean;
  /** Milliseconds for the whole command; null means no cap. */
  readonly timeoutMs: number | null;
}

/** Declares the flags of docs/cli.md that go with every command, before or after the verb. */
export function addGlobalFlags(root: Command): void {
  root
    .addOption(new Option("-o, --output <format>", "table, json, ndjson, yaml or columns=a,b"))
    .addOption(new Option("--json", "short for --output json"))
    .addOption(new Option("--no-header", "leave the header line of a table away"))
    .addOption(new Option("-q, --quiet", "no progress on stderr"))
    .addOption(new Option("--no-color", "no colours (also NO_COLOR)"))
    .addOption(new Option("-y, --yes", "agree to every question"))
    .addOption(new Option("--dry-run", "say what would be done, do nothing"))
    .addOption(new Option("--timeout <duration>", "give up after this time, exit 124"))
    .addOption(new Option("--verbose", "each provider call with its time, on stderr"))
    .addOption(new Option("-V, --version", "print the version"));
}

/** @throws Problem (usage) when a value makes no sense. */
export function readGlobalFlags(options: Readonly<Record<string, unknown>>): GlobalFlags {
  const output = typeof options["output"] === "string" ? options["output"] : undefined;
  if (output !== undefined && options["json"] === true && output !== "json")
    throw usageProblem(`--json and --output ${output} contradict each other`);
  const format = options["json"] === true ? { kind: "json" as const } : parseOutputFormat(output ?? "table");
  return {
    format,
    machine: isMachineFormat(format),
    header: options["header"] !== false,
    quiet: options["quiet"] === true,
    color: options["color"] !== false,
    yes: options["yes"] === true,
    verbose: options["verbose"] === true,
    timeoutMs: typeof options["timeout"] === "string" ? durationFlag("--timeout", options["timeout"]) : null,
  };
}

/** Reads a duration flag. @throws Problem (usage) that names the flag. */
function durationFlag(flag: string, text: string): number {
  try {
    return parseDuration(text);
  } catch (error) {
    throw usageProblem(`${flag}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** Whether a command line asks for machine output, even one that cannot be parsed: its errors are then JSON as well. */
export function asksForMachineOutput(argv: readonly string[]): boolean {
  const end = argv.indexOf("--");
  const words = end === -1 ? argv : argv.slice(0, end);
  return words.some((word, index) => {
    if (word === "--json") return true;
    const value = /^(?:--output=|-o=?)(.+)$/.exec(word)?.[1] ?? (word === "-o" || word === "--output" ? words[index + 1] : undefined);
    return value === "json" || value === "ndjson" || value === "yaml";
  });
}
