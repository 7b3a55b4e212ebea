import type { Command } from "commander";
import type { ExitCode } from "../model/exit-codes.ts";
import type { Problem } from "../model/problem.ts";
import type { CommandTree } from "../output/completion-script.ts";
import type { Progress } from "../output/progress.ts";
import type { Painter, View } from "../output/view.ts";
import type { World } from "../platform/world.ts";
import type { Provider } from "../providers/provider.ts";
import type { Listing } from "../state/listing.ts";
import type { State } from "../state/records.ts";

/** What every command gets. The getters are lazy: a command that needs no database opens none. */
export interface CommandContext {
  readonly world: World;
  /** Positional arguments, the words behind `--` included. */
  readonly args: readonly string[];
  /** Flags by commander's camel-case name, the global ones included. */
  readonly options: Readonly<Record<string, unknown>>;
  readonly progress: Progress;
  readonly painter: Painter;
  /** True when stdout gets JSON, NDJSON or YAML. */
  readonly machine: boolean;
  /** True when a question may be asked: a terminal on stdin and stderr, and neither --yes nor machine output. */
  readonly interactive: boolean;
  state(): Promise<State>;
  /** What a list of instances asks for, by the shortest way. */
  listing(): Promise<Omit<Listing, "close">>;
  /** @throws Problem (usage, with the nearest known id) for an unknown provider. */
  provider(id: string): Promise<Provider>;
  /** The providers that `--provider`, the settings or the credentials choose; `local` when nothing is configured. */
  providers(chosen?: readonly string[]): Promise<readonly Provider[]>;
  /** A preference: flag > environment > context > `conf` file > default. */
  setting(key: string): Promise<string | undefined>;
  /** Every command with its flags; loads all of them, so only for completion. */
  commandTree(): Promise<CommandTree>;
  /** Writes one line of a stream at once: as NDJSON for machines, as text for people. */
  emit(event: Readonly<Record<string, unknown>>, text: string): void;
  /** Asks; fails with a usage problem that names `flag` when nobody can be asked. True when agreed (or `--yes`). */
  confirm(question: string, flag: string): Promise<boolean>;
}

export interface CommandResult {
  readonly view?: View;
  readonly exit?: ExitCode | number;
  /** What is wrong although there is an answer: told after it, and its exit code is the command's. */
  readonly problem?: Problem;
}

/** One verb. `configure` declares flags and help; `run` does the work and returns data. */
export interface CommandModule {
  configure(command: Command): void;
  run(context: CommandContext): Promise<CommandResult>;
}
