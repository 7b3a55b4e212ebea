import { Command, type CommanderError } from "commander";
import { COMMANDS, type CommandEntry, type CommandLeaf, type CommandTable } from "./command-table.ts";
import type { CommandModule } from "./commands/command.ts";
import { addGlobalFlags } from "./global-flags.ts";
import { suggestion } from "./model/nearest.ts";
import { type Problem, usageProblem } from "./model/problem.ts";
import type { OutputStream } from "./platform/terminal.ts";

/** The verb that was typed: its words, and what the table says about it. */
export interface Verb {
  readonly words: readonly string[];
  readonly leaf: CommandLeaf;
}

/** The root command with the global flags, before any verb. Commander's own errors are thrown, never printed. */
export function newRoot(stdout: OutputStream): Command {
  const root = new Command("spot");
  root
    .exitOverride()
    .configureOutput({
      writeOut: (text) => stdout.write(text),
      writeErr: () => {},
      outputError: () => {},
      getOutHelpWidth: () => (stdout.isTTY ? Math.min(stdout.columns, 120) : 100),
      getOutHasColors: () => false,
    })
    .configureHelp({ showGlobalOptions: true, sortSubcommands: false })
    .helpCommand(false)
    .description("Fleet manager for spot GPU instances.")
    .addHelpText("after", "\nspot help COMMAND says more about one command; spot demo shows the whole story in a minute.");
  addGlobalFlags(root);
  return root;
}

function isLeaf(entry: CommandEntry): entry is CommandLeaf {
  return "load" in entry;
}

/** Own properties only: `spot constructor` is no command. */
function lookUp(table: CommandTable, word: string): CommandEntry | undefined {
  return Object.hasOwn(table, word) ? table[word] : undefined;
}

export function visibleNames(table: CommandTable): readonly string[] {
  return Object.keys(table).filter((name) => {
    const entry = table[name];
    return entry !== undefined && !(isLeaf(entry) && entry.hidden === true);
  });
}

/**
 * Finds the verb among the operands of a command line. Undefined when none was typed, or only a group's name.
 * @throws Problem (usage, with the nearest known word) for a word that is no command.
 */
export function findVerb(operands: readonly string[], table: CommandTable = COMMANDS): Verb | undefined {
  const words: string[] = [];
  let here = table;
  for (const word of operands) {
    const entry = lookUp(here, word);
    if (entry === undefined) {
      const known = visibleNames(here);
      const command = ["spot", ...words].join(" ");
      throw usageProblem(`${command} has no command ${JSON.stringify(word)}`, suggestion(word, known), [`${command} --help`]);
    }
    words.push(word);
    if (isLeaf(entry)) return { words, leaf: entry };
    here = entry.commands;
  }
  return undefined;
}

/** A table that holds nothing but this verb, under the same groups. */
export function tableOf(verb: Verb): CommandTable {
  const last = verb.words.length - 1;
  const inner: CommandTable = { [verb.words[last] ?? ""]: verb.leaf };
  return verb.words
    .slice(0, last)
    .reduceRight<CommandTable>((below, word) => ({ [word]: { summary: word, group: "", commands: below } }), inner);
}

/**
 * Adds the names of the table, so that help can list them; none of the modules is loaded. `path` limits the nested ones to
 * the groups that it passes through, since each command costs a start a good part of a millisecond.
 */
export function addNames(parent: Command, table: CommandTable, path?: readonly string[]): void {
  for (const [name, entry] of Object.entries(table)) {
    const command = parent.command(name, { hidden: isLeaf(entry) && entry.hidden === true });
    command.summary(entry.summary).description(`${sentence(entry.summary)}.`);
    if (entry.group !== "") command.helpGroup(`${entry.group}:`);
    command.helpCommand(false);
    if (!isLeaf(entry) && (path === undefined || path[0] === name)) addNames(command, entry.commands, path?.slice(1));
  }
}

function sentence(summary: string): string {
  return summary.charAt(0).toUpperCase() + summary.slice(1);
}

/** The command under these words. */
export function commandAt(root: Command, words: readonly string[]): Command | undefined {
  return words.reduce<Command | undefined>((here, word) => here?.commands.find((command) => command.name() === word), root);
}

/** Declares the module's flags on its command; what is to be done is done after parsing, not by commander. */
export function configureVerb(root: Command, words: readonly string[], module: CommandModule): Command {
  const command = commandAt(root, words);
  if (command === undefined) throw new Error(`no command ${words.join(" ")}`);
  module.configure(command);
  return command.action(() => {});
}

/** A commander error as a usage problem; commander writes its own guess on a second line. */
export function usageFromCommander(error: CommanderError, words: readonly string[]): Problem {
  const command = ["spot", ...words].join(" ");
  const [first = "", guess] = error.message.replace(/^error: /, "").split("\n");
  return usageProblem(first, guess?.replace(/^\(?Did you mean (.*)\?\)?$/, "did you mean $1?"), [`${command} --help`]);
}
