import type { Command } from "commander";
import { EXIT } from "../../model/exit-codes.ts";
import { Problem } from "../../model/problem.ts";
import { requireSettingKey } from "../../model/setting-keys.ts";
import { findSetting } from "../../platform/settings.ts";
import type { CommandContext, CommandModule, CommandResult } from "../command.ts";
import { changedView, fallbackOf, requiredWord, settingSources } from "./settings.ts";

export const configGet: CommandModule = {
  configure(command: Command) {
    command.argument("<key>", "the setting, for example maxPrice");
  },
  async run(context: CommandContext): Promise<CommandResult> {
    const known = requireSettingKey(requiredWord(context, 0, "the name of a setting"));
    const { key } = known;
    const setting = findSetting(key, await settingSources(context.world), undefined, await fallbackOf(known, context.world));
    if (setting.value === null)
      throw new Problem({
        code: "SPOT_E_NOT_FOUND",
        message: `${key} is not set`,
        exit: EXIT.notFound,
        next: [`spot config set ${key} VALUE`],
      });
    return { view: changedView({ ...setting }, setting.value) };
  },
};
