import type { Command } from "commander";
import { requireSettingKey, SETTING_KEYS } from "../../model/setting-keys.ts";
import { listView } from "../../output/list-view.ts";
import { currentContext, findSetting, type Setting, settingsFile } from "../../platform/settings.ts";
import type { World } from "../../platform/world.ts";
import { STATE_URL, statePlace } from "../../state/state-place.ts";
import type { CommandContext, CommandModule, CommandResult } from "../command.ts";
import { rateSettings } from "../exchange-rate.ts";
import { fallbackOf, settingSources } from "./settings.ts";

/** Not a key that can be set: its URL may hold a password, and a file of settings holds nothing secret. */
function stateSetting({ home, env }: World): Setting {
  const { kind, name } = statePlace(home, env);
  const isShared = kind === "postgres";
  return { key: "state", value: name, origin: isShared ? "environment" : "default", where: isShared ? STATE_URL : "" };
}

export const configShow: CommandModule = {
  configure(_command: Command) {},
  async run({ world }: CommandContext): Promise<CommandResult> {
    const sources = await settingSources(world);
    currentContext(sources);
    const rates = (await rateSettings({ world })).map(({ key }) => requireSettingKey(key));
    const keys = [...SETTING_KEYS, ...rates];
    const settings = await Promise.all(
      keys.map(async (known) => findSetting(known.key, sources, undefined, await fallbackOf(known, world))),
    );
    const what = new Map([...keys.map((entry) => [entry.key, entry.what] as const), ["state", "where spot keeps what it knows"]]);
    const view = listView<Setting>({
      schema: "spot.config/1",
      items: [...settings, stateSetting(world)],
      toJson: (setting) => ({ ...setting }),
      columns: [
        { key: "key", header: "SETTING", value: ({ key }) => key },
        { key: "value", header: "VALUE", value: ({ value }) => value ?? "–" },
        {
          key: "origin",
          header: "FROM",
          value: ({ origin }) => origin,
          paint: (text, { origin }, painter) => (origin === "default" ? painter.dim(text) : text),
        },
        { key: "where", header: "WHERE", value: ({ where }) => where, drop: 2 },
        { key: "what", header: "WHAT", value: ({ key }) => what.get(key) ?? "", drop: 1 },
      ],
      empty: "",
      footer: `kept in ${settingsFile(world.home)}`,
    });
    return { view };
  },
};
