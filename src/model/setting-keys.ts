import { suggestion } from "./nearest.ts";
import { usageProblem } from "./problem.ts";

/** A preference that `spot config` keeps. */
export interface SettingKey {
  readonly key: string;
  /** What it decides, for people. */
  readonly what: string;
  /** False: it says nothing about an instance. */
  readonly ofInstance?: false;
  /** What holds when nobody says anything; null for nothing. */
  readonly fallback: string | null;
}

/** What is not `ofInstance` is for spot itself; everything else is what the flag of that name says to `up`. */
export const SETTING_KEYS: readonly SettingKey[] = [
  { key: "context", what: "the set of settings in use", fallback: null, ofInstance: false },
  { key: "provider", what: "clouds to ask, by comma; those with credentials when not set", fallback: null },
  { key: "gpu", what: "MODEL or MODEL:COUNT", fallback: null },
  { key: "billing", what: "spot, on-demand or auto", fallback: "spot" },
  { key: "maxPrice", what: "never rent above this, per machine and hour: 2.5 is USD, or 18CNY", fallback: null },
  { key: "region", what: "regions or zones, by comma", fallback: null },
  { key: "image", what: "the image to boot", fallback: null },
  { key: "ttl", what: "ends by itself after this time", fallback: null },
  { key: "idle", what: "ends by itself when for so long its workload is over, no GPU works and nobody is logged in", fallback: null },
  {
    key: "fxCny",
    what: "how many CNY one USD is, to rank offers; fx.EUR and so on say other currencies",
    fallback: null,
    ofInstance: false,
  },
  { key: "interruptions", what: "so many an hour, for the effective price: 0.05, or 1/20h", fallback: null, ofInstance: false },
  { key: "checkpointTime", what: "how long the work waits for one checkpoint, for the effective price", fallback: null, ofInstance: false },
  { key: "restartTime", what: "what is paid of a machine until it computes, for the effective price", fallback: null, ofInstance: false },
  { key: "onReclaim", what: "replace, hibernate, checkpoint, wait or let-go", fallback: "replace" },
];

/**
 * The key as we spell it; `max-price` and `MAX_PRICE` mean `maxPrice`. `fx.CNY`, `fx.EUR` and so on are there for every currency.
 * @throws Problem (usage, with the nearest known key).
 */
export function requireSettingKey(text: string): SettingKey {
  const plain = (word: string) => word.replaceAll(/[-_]/g, "").toLowerCase();
  const found = SETTING_KEYS.find(({ key }) => plain(key) === plain(text));
  if (found !== undefined) return found;
  const currency = /^fx[.]([a-z]{3})$/i.exec(text)?.[1]?.toUpperCase();
  if (currency !== undefined && currency !== "USD")
    return {
      key: `fx.${currency}`,
      what: `how many ${currency} one USD is, to rank and compare prices`,
      fallback: null,
      ofInstance: false,
    };
  const known = SETTING_KEYS.map(({ key }) => key);
  throw usageProblem(`there is no setting ${JSON.stringify(text)}`, suggestion(text, known), ["spot config show"]);
}
