import { join } from "node:path";
import { EXIT } from "../model/exit-codes.ts";
import { Problem, usageProblem } from "../model/problem.ts";
import { ensurePrivateFolder, hasErrorCode, readFileIfThere } from "./files.ts";

type Values = Readonly<Record<string, string>>;

/** What `config.json` holds: preferences only, nothing secret. */
export interface StoredSettings {
  readonly values: Values;
  /** Sets of preferences by name; `values.context` names the one in use. */
  readonly contexts: Readonly<Record<string, Values>>;
}

/** The loudest first; the fleet file stands between environment and context, and is read by `up` itself. */
export type SettingOrigin = "flag" | "environment" | "context" | "config" | "default";

export interface Setting {
  readonly key: string;
  readonly value: string | null;
  readonly origin: SettingOrigin;
  /** The flag, variable, context or file that said it; empty for a default. */
  readonly where: string;
}

export interface SettingSources {
  readonly home: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stored: StoredSettings;
}

export function settingsFile(home: string): string {
  return join(home, "config.json");
}

/** `maxPrice` → `SPOT_MAX_PRICE`, `fx.CNY` → `SPOT_FX_CNY` */
export function settingVariable(key: string): string {
  if (key.startsWith("fx.")) return `SPOT_FX_${key.slice("fx.".length)}`;
  return `SPOT_${key.replaceAll(/[A-Z]/g, "_$&").toUpperCase()}`;
}

function texts(value: unknown): Values {
  if (typeof value !== "object" || value === null) return {};
  const entries = Object.entries(value).filter(([, one]) => typeof one === "string" || typeof one === "number" || typeof one === "boolean");
  return Object.fromEntries(entries.map(([key, one]) => [key, String(one)]));
}

/**
 * Reads the preferences; none when there is no file. `conf` is not loaded for it.
 * @throws Problem when the file cannot be read or is not JSON.
 */
export async function readStoredSettings(home: string): Promise<StoredSettings> {
  const file = settingsFile(home);
  let content: unknown;
  try {
    content = JSON.parse((await readFileIfThere(file)) ?? "{}");
  } catch (error) {
    throw unreadable(file, error);
  }
  if (typeof content !== "object" || content === null || Array.isArray(content)) throw unreadable(file, new Error("not a JSON object"));
  const { contexts, ...values } = content as Record<string, unknown>;
  const named = typeof contexts === "object" && contexts !== null ? Object.entries(contexts) : [];
  return { values: texts(values), contexts: Object.fromEntries(named.map(([name, set]) => [name, texts(set)])) };
}

function unreadable(file: string, cause: unknown): Problem {
  return new Problem({
    code: "SPOT_E_CONFIG",
    message: `the settings file ${file} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`,
    hint: "it is JSON with one key for each setting; mend it, or move it away",
    next: [`mv ${file} ${file}.damaged`],
    exit: EXIT.usage,
    cause,
  });
}

/** The name of the context in use, or null. @throws Problem (usage) when it does not exist. */
export function currentContext({ env, stored }: SettingSources): string | null {
  const name = env["SPOT_CONTEXT"] || stored.values["context"] || null;
  if (name === null || Object.hasOwn(stored.contexts, name)) return name;
  const known = Object.keys(stored.contexts);
  throw usageProblem(
    `there is no context ${JSON.stringify(name)}`,
    known.length === 0 ? "there is none yet" : `known: ${known.sort().join(", ")}`,
    [`spot config set --context ${name} KEY VALUE`, "spot config unset context"],
  );
}

/** Flag > environment > context > file > default, and where it came from. An empty variable says nothing. */
export function findSetting(key: string, sources: SettingSources, flag?: string, fallback: string | null = null): Setting {
  const variable = settingVariable(key);
  const context = currentContext(sources);
  const candidates: readonly (readonly [string | undefined, SettingOrigin, string])[] = [
    [flag, "flag", `--${key.replaceAll(/[A-Z]/g, "-$&").toLowerCase()}`],
    [sources.env[variable] || undefined, "environment", variable],
    [context === null ? undefined : sources.stored.contexts[context]?.[key], "context", context ?? ""],
    [sources.stored.values[key], "config", settingsFile(sources.home)],
  ];
  const found = candidates.find(([value]) => value !== undefined);
  if (found?.[0] === undefined) return { key, value: fallback, origin: "default", where: "" };
  return { key, value: found[0], origin: found[1], where: found[2] };
}

/**
 * Writes the preferences, whole, by rename. Of two that write at once the later one wins: that is why state lives elsewhere.
 * @throws Problem when the home cannot be written.
 */
export async function writeStoredSettings(home: string, settings: StoredSettings): Promise<void> {
  const { default: Conf } = await import("conf");
  const contexts = Object.keys(settings.contexts).length === 0 ? {} : { contexts: settings.contexts };
  try {
    await ensurePrivateFolder(home);
    const file = new Conf<Record<string, unknown>>({ cwd: home, configName: "config", configFileMode: 0o600 });
    file.store = { ...settings.values, ...contexts };
  } catch (error) {
    if (!hasErrorCode(error, "EACCES", "EPERM", "EROFS", "ENOTDIR", "ENOSPC", "EDQUOT", "EEXIST")) throw error;
    const isFull = hasErrorCode(error, "ENOSPC", "EDQUOT");
    throw new Problem({
      code: isFull ? "SPOT_E_DISK_FULL" : "SPOT_E_CONFIG",
      message: `the settings file ${settingsFile(home)} cannot be written: ${error.message}`,
      hint: "nothing was changed; SPOT_HOME moves it",
      next: ["spot doctor"],
      exit: EXIT.failed,
      cause: error,
    });
  }
}
