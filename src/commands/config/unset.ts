import type { Command } from "commander";
import { requireSettingKey } from "../../model/setting-keys.ts";
import type { CommandContext, CommandModule, CommandResult } from "../command.ts";
import { changedView, chosenContext, keep, requiredWord, settingSources } from "./settings.ts";

export const configUnset: CommandModule = {
  configure(command: Command) {
    command.argument("<key>", "the setting, for example maxPrice").option("--context <name>", "in this context only");
  },
  async run(context: CommandContext): Promise<CommandResult> {
    const { key } = requireSettingKey(requiredWord(context, 0, "the name of a setting"));
    const { home, stored } = await settingSources(context.world);
    const where = chosenContext(context, key);
    const before = where === undefined ? stored.values : (stored.contexts[where] ?? {});
    const { [key]: old, ...rest } = before;
    if (old !== undefined) await keep(home, stored, where, rest);
    const place = where === undefined ? "" : ` in context ${where}`;
    const text = old === undefined ? `${key} was not set${place}` : `${key} is no longer set${place}`;
    return { view: changedView({ key, value: null, context: where ?? null }, text) };
  },
};
