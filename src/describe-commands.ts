import type { Command, Option } from "commander";
import { COMMANDS, type CommandTable } from "./command-table.ts";
import { addNames, commandAt, configureVerb, newRoot } from "./command-tree.ts";
import { BILLING_MODES, REBALANCE_POLICIES, RECLAIM_POLICIES } from "./fleet/spec/spec.ts";
import { INSTANCE_STATES } from "./model/instance.ts";
import type { CommandTree, CompletedFlag } from "./output/completion-script.ts";
import { knownProviders } from "./providers/registry.ts";

const OUTPUT_FORMATS = ["table", "json", "ndjson", "yaml"];

/** The words that a flag's value may be, where they are few. */
function wordsOf(option: Option, command: string): readonly string[] {
  const known: Readonly<Record<string, readonly string[]>> = {
    "--output": OUTPUT_FORMATS,
    "--billing": BILLING_MODES,
    "--on-reclaim": RECLAIM_POLICIES,
    "--on-rebalance": REBALANCE_POLICIES,
    "--provider": knownProviders(),
    "--for": command === "wait" ? INSTANCE_STATES : [],
    "--state": INSTANCE_STATES,
  };
  return option.argChoices ?? known[option.long ?? ""] ?? [];
}

function flagOf(option: Option, command: string): CompletedFlag {
  return {
    long: option.long ?? option.flags,
    short: option.short ?? null,
    summary: option.description,
    values: option.isBoolean() || option.negate || !(option.required || option.optional) ? null : wordsOf(option, command),
    isFile: /<(fleet file|file|folder|path)/.test(option.flags),
  };
}

function treeOf(command: Command): CommandTree {
  const argument = command.registeredArguments[0]?.name() ?? "";
  const isInstance = /^(name|names|instance|instances)$/.test(argument) && command.parent?.name() !== "volumes";
  return {
    name: command.name(),
    summary: command.summary() || command.description(),
    flags: command.options.filter((option) => !option.hidden).map((option) => flagOf(option, command.name())),
    commands: visible(command).map(treeOf),
    takes: isInstance ? "instances" : /file|folder|path|plan/.test(argument) ? "files" : "nothing",
  };
}

/** As commander's own help decides it. */
function visible(command: Command): readonly Command[] {
  return command
    .createHelp()
    .visibleCommands(command)
    .filter((child) => child.name() !== "help");
}

/** Every visible command with its flags. Loads every module: for completion and docs, never on the way of another verb. */
export async function describeCommands(table: CommandTable = COMMANDS): Promise<CommandTree> {
  const root = newRoot({ isTTY: false, columns: 100, write: () => {} });
  addNames(root, table);
  const configure = async (here: CommandTable, above: readonly string[]): Promise<void> => {
    for (const [name, entry] of Object.entries(here)) {
      const words = [...above, name];
      if ("commands" in entry) await configure(entry.commands, words);
      else if (entry.hidden !== true && commandAt(root, words) !== undefined) configureVerb(root, words, await entry.load());
    }
  };
  await configure(table, []);
  return treeOf(root);
}
