import { resolve } from "node:path";
import { parseDuration } from "../../model/duration.ts";
import { parseGpuQuery } from "../../model/gpu-query.ts";
import { requireName } from "../../model/ids.ts";
import type { Money } from "../../model/money.ts";
import { nearest, suggestion } from "../../model/nearest.ts";
import { Problem } from "../../model/problem.ts";
import { parsePrice, priceText } from "../../pricing/currency.ts";
import type { InstanceSpec } from "../../state/records.ts";
import { type InputPath, type InputSource, shown } from "./spec-input.ts";

type Value = string | number | undefined;

export const LARGEST_VOLUME_GB = 65_536;
export const MOST_INSTANCES = 1000;
const LARGEST_PRICE_MICROS: Readonly<Record<string, bigint>> = { USD: 1_000_000_000n, CNY: 10_000_000_000n };
const LONGEST_TEXT = 32_768;

export function refuse(source: InputSource, path: InputPath, value: unknown, expected: string): Error {
  return source.fault(path, `${shown(value)} is not ${expected}`);
}

export function nameField(source: InputSource, path: InputPath, what: string, name: string): string {
  try {
    return requireName(what, name);
  } catch (error) {
    throw source.fault(path, error instanceof Problem ? `${error.message}: ${error.hint}` : String(error));
  }
}

/** A whole number from `least` to `most`. */
export function wholeField(
  source: InputSource,
  path: InputPath,
  value: string | number,
  least: number,
  most: number,
  what: string,
): number {
  const text = String(value).trim();
  const number = Number(text);
  if (/^-?\d{1,15}$/.test(text) && number >= least && number <= most) return number;
  throw refuse(source, path, value, `${what} (expected a whole number from ${least} to ${most})`);
}

/** Gigabytes, with or without the unit: 50, 50GB, 2TB. */
export function sizeField(source: InputSource, path: InputPath, value: string | number): number {
  const match = /^(\d{1,7})\s*(GB?|TB?)?$/i.exec(String(value).trim());
  const size = Number(match?.[1] ?? "0") * (match?.[2]?.toUpperCase().startsWith("T") === true ? 1024 : 1);
  if (size >= 1 && size <= LARGEST_VOLUME_GB) return size;
  throw refuse(source, path, value, `a size of a volume (expected 1 to ${LARGEST_VOLUME_GB} gigabytes, e.g. 50 or 2TB)`);
}

/** Milliseconds, or null when not given. */
export function durationField(source: InputSource, path: InputPath, value: Value): number | null {
  if (value === undefined) return null;
  try {
    return parseDuration(String(value));
  } catch {
    throw refuse(source, path, value, "a duration (expected e.g. 90s, 30m, 8h)");
  }
}

/** The same; `none` is 0. */
export function everyField(source: InputSource, path: InputPath, value: Value): number | null {
  if (value === "none") return 0;
  try {
    return value === undefined ? null : parseDuration(String(value));
  } catch {
    throw refuse(source, path, value, "a duration (expected e.g. 90s, 30m, 8h, or none)");
  }
}

/**
 * More than 0 and at most 1000 USD or 10000 CNY an hour; a bare number is USD. In one spelling, so that 2.50 and $2.5 are
 * the same spec: `2.5`, `18CNY`.
 */
export function priceField(source: InputSource, path: InputPath, value: Value): string | null {
  if (value === undefined) return null;
  const price = priceOrNone(String(value));
  const expected = price?.currency === "CNY" ? "10000 CNY, e.g. 18CNY" : "1000, e.g. 2.50";
  if (price === undefined || price.micros <= 0n || price.micros > (LARGEST_PRICE_MICROS[price.currency] ?? 0n))
    throw refuse(source, path, value, `a price per hour (expected more than 0 and at most ${expected})`);
  return priceText(price);
}

function priceOrNone(text: string): Money | undefined {
  try {
    return parsePrice(text);
  } catch {
    return undefined;
  }
}

export function gpuField(source: InputSource, path: InputPath, value: string | undefined): { model: string; count: number } | null {
  if (value === undefined || value.trim().toLowerCase() === "any") return null;
  try {
    return parseGpuQuery(value);
  } catch {
    throw refuse(source, path, value, "a GPU (expected MODEL or MODEL:COUNT with a count of 1 to 16, e.g. H100:1)");
  }
}

/** One of a few words. */
export function wordField<Word extends string>(
  source: InputSource,
  path: InputPath,
  value: string | undefined,
  words: readonly Word[],
  fallback: Word,
): Word {
  if (value === undefined) return fallback;
  const found = words.find((word) => word === value);
  if (found !== undefined) return found;
  const guess = nearest(value, words);
  const meant = guess === undefined ? "" : `; did you mean ${JSON.stringify(guess)}?`;
  throw source.fault(path, `${shown(value)} is not one of ${words.join(", ")}${meant}`);
}

/** A word, words by comma, or a list of words. */
export function wordsField(
  source: InputSource,
  path: InputPath,
  value: string | readonly string[] | undefined,
  what: string,
): readonly string[] {
  const words = typeof value === "string" ? value.split(",").map((word) => word.trim()) : [...(value ?? [])];
  for (const word of words)
    if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(word)) throw refuse(source, path, word, `${what} (expected letters, digits, . _ -)`);
  return [...new Set(words)];
}

/** The providers that are named; none when none is. */
export function providersField(source: InputSource, path: InputPath, value: string | readonly string[] | undefined): readonly string[] {
  const providers = wordsField(source, path, value, "a provider");
  for (const provider of providers)
    if (source.knownProviders?.includes(provider) === false)
      throw source.fault(path, `${shown(provider)} is not a provider; ${suggestion(provider, source.knownProviders)}`);
  return providers;
}

/** Where a volume appears in the machine: an absolute path that hides nothing of the system's. */
export function mountField(source: InputSource, path: InputPath, value: string): string {
  const isClean = /^(\/[A-Za-z0-9_-][A-Za-z0-9._-]*)+\/?$/.test(value) && value.length <= 200;
  const isSystem = /^\/(bin|boot|dev|etc|lib|lib64|proc|run|sbin|sys|tmp|usr|var)(\/|$)|^\/(home|root)\/?$/.test(value);
  if (isClean && !isSystem) return value.replace(/\/$/, "");
  throw refuse(source, path, value, "a place for a volume (expected an absolute path outside the system's own folders, e.g. /data)");
}

function isPlain(text: string): boolean {
  return !text.includes("\0") && text.length <= LONGEST_TEXT;
}

/** Any text that is not empty; null when not given. */
export function textField(source: InputSource, path: InputPath, value: string | undefined, what: string): string | null {
  if (value === undefined) return null;
  if (value.trim() !== "" && isPlain(value)) return value;
  throw refuse(source, path, value, what);
}

export function imageField(source: InputSource, path: InputPath, value: string | undefined): string | null {
  if (value === undefined || /^[A-Za-z0-9][A-Za-z0-9 ._:/@+-]{0,254}$/.test(value)) return value ?? null;
  throw refuse(source, path, value, "the name of an image");
}

export function readyHttpField(source: InputSource, path: InputPath, value: string | undefined): string | null {
  if (value === undefined) return null;
  const port = Number(/^:(\d{1,5})(?:\/[\x21-\x7e]*)?$/.exec(value)?.[1] ?? "0");
  if (port >= 1 && port <= 65_535) return value;
  throw refuse(source, path, value, "a port with a path (expected e.g. :8000/health)");
}

/** `PORT[/http|tcp]`, each port once; in order of the ports, so that the same ports are the same spec in whatever order they are said. */
export function portsField(source: InputSource, path: InputPath, values: readonly (string | number)[]): InstanceSpec["ports"] {
  const ports = values.map((value, index) => {
    const [, number = "0", protocol = "http"] = /^(\d{1,5})(?:\/(http|tcp))?$/.exec(String(value).trim().toLowerCase()) ?? [];
    const port = Number(number);
    if (port >= 1 && port <= 65_535) return { port, protocol: protocol === "tcp" ? ("tcp" as const) : ("http" as const) };
    throw refuse(source, [...path, index], value, "a port (expected 1 to 65535 with /http or /tcp, e.g. 8000 or 9000/tcp)");
  });
  const again = ports.findIndex(({ port }, index) => ports.findIndex((other) => other.port === port) !== index);
  if (again !== -1) throw source.fault([...path, again], `the port ${ports[again]?.port} is named twice`);
  return ports.sort((a, b) => a.port - b.port);
}

/** What the cloud calls the credentials it keeps; one line. */
export function registryAuthField(source: InputSource, path: InputPath, value: string | undefined): string | null {
  if (value === undefined || /^[^\s\p{Cc}\p{Cf}](?:[^\p{Cc}\p{Cf}]{0,126}[^\s\p{Cc}\p{Cf}])?$/u.test(value)) return value ?? null;
  throw refuse(source, path, value, "the id or the name of registry credentials");
}

/** Variables for the workload. `SPOT_…` is the agent's own. */
export function envField(
  source: InputSource,
  path: InputPath,
  env: Readonly<Record<string, string | number | boolean>>,
): Record<string, string> {
  const checked: Record<string, string> = {};
  for (const [key, value] of Object.entries(env)) {
    if (!/^[A-Za-z_][A-Za-z0-9_]{0,127}$/.test(key))
      throw refuse(source, [...path, key], key, "a name of a variable (expected letters, digits and _, not beginning with a digit)");
    if (key.startsWith("SPOT_"))
      throw source.fault([...path, key], `${shown(key)} is reserved: the agent sets the variables that begin with SPOT_`);
    if (!isPlain(String(value))) throw refuse(source, [...path, key], value, "a value of a variable (at most 32768 characters, no NUL)");
    checked[key] = String(value);
  }
  return checked;
}

export function labelsField(
  source: InputSource,
  path: InputPath,
  labels: Readonly<Record<string, string | number | boolean>>,
): Record<string, string> {
  const checked: Record<string, string> = {};
  for (const [key, value] of Object.entries(labels)) {
    if (!/^[A-Za-z0-9][A-Za-z0-9._/-]{0,62}$/.test(key))
      throw refuse(source, [...path, key], key, "a key of a label (expected at most 63 letters, digits, . _ / -)");
    if (!/^[^\p{Cc}\p{Cf}]{0,255}$/u.test(String(value)))
      throw refuse(source, [...path, key], value, "a value of a label (expected one line of at most 255 characters)");
    checked[key] = String(value);
  }
  return checked;
}

export function commandField(source: InputSource, path: InputPath, value: string | readonly string[] | undefined): readonly string[] {
  if (value === undefined) return [];
  const words = typeof value === "string" ? ["/bin/sh", "-c", value] : [...value];
  if ((typeof value === "string" && value.trim() === "") || words[0] === "" || !words.every(isPlain))
    throw refuse(source, path, value, "a command (expected a shell command, or a list of a program and its arguments)");
  return words;
}

export function workdirField(source: InputSource, path: InputPath, value: string | undefined, isWanted: boolean): string | null {
  if (value === undefined) return isWanted ? source.folder : null;
  if (value.trim() === "" || !isPlain(value)) throw refuse(source, path, value, "a folder");
  return resolve(source.folder, value);
}
