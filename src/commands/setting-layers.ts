import { specsFromInput } from "../fleet/spec/spec.ts";
import { type InputPath, mergeInput, type SpecInput } from "../fleet/spec/spec-input.ts";
import { usageProblem } from "../model/problem.ts";
import { SETTING_KEYS } from "../model/setting-keys.ts";
import { findSetting, readStoredSettings, type SettingSources } from "../platform/settings.ts";

/** What the settings say about an instance: `above` a fleet file (the environment), and `below` it (context, settings file). */
export interface SettingLayers {
  readonly above: SpecInput;
  readonly below: SpecInput;
}

/**
 * Reads and checks them, so that an error names the variable or the setting rather than a flag or a line of the fleet file.
 * @throws Problem (usage).
 */
export async function settingLayers(
  { home, env }: Omit<SettingSources, "stored">,
  knownProviders: readonly string[],
): Promise<SettingLayers> {
  const sources = { home, env, stored: await readStoredSettings(home) };
  const layers: { above: SpecInput; below: SpecInput } = { above: {}, below: {} };
  for (const { key, ofInstance } of SETTING_KEYS) {
    const { value, origin, where } = findSetting(key, sources);
    if (ofInstance === false || value === null) continue;
    const from = origin === "environment" ? where : `${key} (from ${origin === "context" ? `context ${where}` : where})`;
    const fault = (_path: InputPath, what: string) => usageProblem(`${from}: ${what}`, undefined, ["spot config show"]);
    const input: SpecInput = { [key]: value };
    specsFromInput({ name: "checked", ...input }, { fault, folder: "/", providers: ["local"], knownProviders, fleet: null });
    const layer = origin === "environment" ? "above" : "below";
    layers[layer] = mergeInput(layers[layer], input);
  }
  return layers;
}
