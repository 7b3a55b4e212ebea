import { specsFromInput } from "../../fleet/spec/spec.ts";
import { type InputPath, type SpecInput, shown } from "../../fleet/spec/spec-input.ts";
import { requireName } from "../../model/ids.ts";
import { type Problem, usageProblem } from "../../model/problem.ts";
import type { SettingKey } from "../../model/setting-keys.ts";
import { detailView } from "../../output/detail-view.ts";
import type { View } from "../../output/view.ts";
import { readStoredSettings, type SettingSources, type StoredSettings, writeStoredSettings } from "../../platform/settings.ts";
import type { World } from "../../platform/world.ts";
import { BUNDLED_RATE, exchangeRateText } from "../../pricing/currency.ts";
import type { CommandContext } from "../command.ts";
import { exchangeRateSetting, rateSetting } from "../exchange-rate.ts";

export async function settingSources(world: World): Promise<SettingSources> {
  return { home: world.home, env: world.env, stored: await readStoredSettings(world.home) };
}

/** What holds when nobody says anything; null for nothing. For providers it is what the credentials say. */
export async function fallbackOf({ key, fallback }: SettingKey, world: World): Promise<string | null> {
  if (key === "fxCny" || key === "fx.CNY") return exchangeRateText(BUNDLED_RATE);
  if (key !== "provider") return fallback;
  const { configuredProviders } = await import("../../providers/configured.ts");
  return (await configuredProviders(world)).join(",");
}

/** The positional at `index`. @throws Problem (usage) when it is missing. */
export function requiredWord(context: CommandContext, index: number, what: string): string {
  const word = context.args[index];
  if (word === undefined) throw usageProblem(`${what} is missing`, "spot config show lists the settings", ["spot config show"]);
  return word;
}

/** What decides over the effective price. */
const WORK_SETTINGS: readonly string[] = ["interruptions", "checkpointTime", "restartTime"];

/**
 * Refuses what `up` would refuse, before it is kept, and a rate of a day after `now`.
 * @throws Problem (usage) with the value and what was expected.
 */
export async function checkValue({ key }: SettingKey, value: string, stored: StoredSettings, now: number): Promise<void> {
  const fault = (_path: InputPath, what: string): Problem => usageProblem(`${key}: ${what}`);
  if (value.trim() === "") throw usageProblem(`${key}: the value is empty`, undefined, [`spot config unset ${key}`]);
  if (key === "context") {
    if (!Object.hasOwn(stored.contexts, value)) {
      const known = Object.keys(stored.contexts).sort().join(", ") || "none yet";
      throw usageProblem(`there is no context ${shown(value)}`, `known: ${known}`, [
        `spot config set --context ${contextName(value)} KEY VALUE`,
      ]);
    }
    return;
  }
  if (key === "fxCny") {
    exchangeRateSetting(value, now);
    return;
  }
  if (key.startsWith("fx.")) {
    rateSetting(key, value, now);
    return;
  }
  if (WORK_SETTINGS.includes(key)) {
    const { workSetting } = await import("../work-flags.ts");
    workSetting(key, value);
    return;
  }
  const { knownProviders } = await import("../../providers/registry.ts");
  const input: SpecInput = { name: "checked", [key]: value };
  specsFromInput(input, { fault, folder: "/", providers: ["local"], knownProviders: knownProviders(), fleet: null });
}

/** @throws Problem (usage) for a name that is none. */
export function contextName(name: string): string {
  return requireName("a context", name);
}

/** The context that `--context` names, or undefined for the settings that hold everywhere. */
export function chosenContext(context: CommandContext, key: string): string | undefined {
  const name = context.options["context"];
  if (typeof name !== "string") return undefined;
  if (key === "context") throw usageProblem("a context cannot choose a context", "leave --context away");
  return contextName(name);
}

/** Keeps the values of one context, or of none; a context without values is gone. */
export async function keep(
  home: string,
  stored: StoredSettings,
  where: string | undefined,
  values: Readonly<Record<string, string>>,
): Promise<void> {
  if (where === undefined) return writeStoredSettings(home, { ...stored, values });
  const { [where]: _old, ...others } = stored.contexts;
  const contexts = Object.keys(values).length === 0 ? others : { ...others, [where]: values };
  const { context, ...rest } = stored.values;
  // The context in use is let go of with its last value, so that no command stumbles over its name.
  const isGone = context !== undefined && !Object.hasOwn(contexts, context);
  return writeStoredSettings(home, { values: isGone ? rest : stored.values, contexts });
}

/** What was changed: one line for people. */
export function changedView(data: Readonly<Record<string, unknown>>, text: string): View {
  return { ...detailView({ schema: "spot.config/1", data, blocks: [] }), render: () => text };
}
