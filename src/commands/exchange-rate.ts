import { type Command, Option } from "commander";
import { usageProblem } from "../model/problem.ts";
import { findSetting, readStoredSettings } from "../platform/settings.ts";
import { BUNDLED_RATE, type ExchangeRate, exchangeRateFrom, type QuotedRate, quotedRate, withRates } from "../pricing/currency.ts";
import type { CommandContext } from "./command.ts";

/** Declares `--fx`, which `exchangeRate` obeys. */
export function addRateFlag(command: Command): void {
  command.addOption(
    new Option(
      "--fx <CUR=rate>",
      "how many of a currency one USD is, for one run: CNY=6.77 or CNY=6.77@2026-06-19; once for each",
    ).argParser((value: string, before: readonly string[] | undefined) => [...(before ?? []), value]),
  );
}

/**
 * The rates that order and compare amounts in different currencies: `--fx`, else the settings `fx.CNY`, `fx.EUR` and so on, else
 * `fxCny`, else the bundled ones.
 * @throws Problem (usage) that names the flag or the setting.
 */
export async function exchangeRate(context: CommandContext): Promise<ExchangeRate> {
  const old = await context.setting("fxCny");
  const base = old === undefined ? BUNDLED_RATE : exchangeRateSetting(old);
  return withRates(base, { ...(await settingRates(context)), ...flagRates(context) });
}

/** `now` while it is being set; see `quotedRate`. @throws Problem (usage) that names the setting. */
export function exchangeRateSetting(text: string, now?: number): ExchangeRate {
  return read("fxCny", ["spot config show"], () => exchangeRateFrom(text, now));
}

/** Reads a setting such as `fx.EUR`; `now` while it is being set. @throws Problem (usage) that names it. */
export function rateSetting(key: string, text: string, now?: number): QuotedRate {
  return read(key, ["spot config show"], () => quotedRate(key.slice("fx.".length), text, key, now));
}

function read<Value>(what: string, next: readonly string[] | undefined, parse: () => Value): Value {
  try {
    return parse();
  } catch (error) {
    throw usageProblem(`${what}: ${error instanceof Error ? error.message : String(error)}`, undefined, next);
  }
}

/** The settings `fx.…` of the file, of its contexts and of the environment, each from the loudest place. */
export async function rateSettings({
  world,
}: Pick<CommandContext, "world">): Promise<readonly { readonly key: string; readonly value: string }[]> {
  const { home, env } = world;
  const stored = await readStoredSettings(home);
  const keys = [stored.values, ...Object.values(stored.contexts)].flatMap((values) => Object.keys(values));
  const spoken = Object.keys(env).flatMap((name) => /^SPOT_FX_([A-Z]{3})$/.exec(name)?.[1] ?? []);
  const found = new Set([...keys.filter((key) => /^fx\.[A-Z]{3}$/.test(key)), ...spoken.map((currency) => `fx.${currency}`)]);
  return [...found].sort().flatMap((key) => {
    const { value } = findSetting(key, { home, env, stored });
    return value === null ? [] : [{ key, value }];
  });
}

async function settingRates(context: CommandContext): Promise<Readonly<Record<string, QuotedRate>>> {
  const settings = await rateSettings(context);
  return Object.fromEntries(settings.map(({ key, value }) => [key.slice("fx.".length), rateSetting(key, value)]));
}

function flagRates({ options, world }: CommandContext): Readonly<Record<string, QuotedRate>> {
  const given: readonly unknown[] = Array.isArray(options["fx"]) ? options["fx"] : [];
  return Object.fromEntries(
    given.map((text) => {
      const [, currency, rate] = /^([A-Za-z]{3})=(.+)$/.exec(String(text).trim()) ?? [];
      if (currency === undefined || rate === undefined || currency.toUpperCase() === "USD")
        throw usageProblem(`--fx: ${JSON.stringify(text)} is not a rate (expected how many of a currency one USD is, e.g. CNY=6.77)`);
      const known = currency.toUpperCase();
      return [known, read("--fx", undefined, () => quotedRate(known, rate, "--fx", world.clock.now()))];
    }),
  );
}
