import type { Command } from "commander";
import { requireSettingKey } from "../../model/setting-keys.ts";
import { settingVariable } from "../../platform/settings.ts";
import type { CommandContext, CommandModule, CommandResult } from "../command.ts";
import { changedView, checkValue, chosenContext, keep, requiredWord, settingSources } from "./settings.ts";

export const configSet: CommandModule = {
  configure(command: Command) {
    command
      .argument("<key>", "the setting, for example maxPrice")
      .argument("<value>", "checked as the flag of that name is")
      .option("--context <name>", "keep it in this context only; made when new");
  },
  async run(context: CommandContext): Promise<CommandResult> {
    const setting = requireSettingKey(requiredWord(context, 0, "the name of a setting"));
    const value = requiredWord(context, 1, "the value");
    const { key } = setting;
    const { home, env, stored } = await settingSources(context.world);
    const where = chosenContext(context, key);
    await checkValue(setting, value, stored, context.world.clock.now());
    const before = where === undefined ? stored.values : (stored.contexts[where] ?? {});
    await keep(home, stored, where, { ...before, [key]: value });
    const variable = settingVariable(key);
    if (env[variable]) context.progress.warn(`${variable} is set and still wins`);
    const place = where === undefined ? "" : ` in context ${where}`;
    return { view: changedView({ key, value, context: where ?? null }, `${key} is ${value}${place}`) };
  },
};
