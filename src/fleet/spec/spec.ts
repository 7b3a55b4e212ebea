import { durationText, parseDuration } from "../../model/duration.ts";
import { gpuText } from "../../model/gpu.ts";
import { usageProblem } from "../../model/problem.ts";
import { VOLUME_POLICIES, type VolumePolicy } from "../../model/volume-policy.ts";
import type { InstanceSpec } from "../../state/records.ts";
import {
  commandField,
  durationField,
  envField,
  everyField,
  gpuField,
  imageField,
  labelsField,
  MOST_INSTANCES,
  mountField,
  nameField,
  portsField,
  priceField,
  providersField,
  readyHttpField,
  refuse,
  registryAuthField,
  sizeField,
  textField,
  wholeField,
  wordField,
  wordsField,
  workdirField,
} from "./spec-fields.ts";
import type { InputPath, InputSource, SpecInput } from "./spec-input.ts";

export const BILLING_MODES = ["spot", "on-demand", "auto"] as const;
export const IDLE_SIGNS = ["exit", "gpu"] as const;
export const REBALANCE_POLICIES = ["log", "checkpoint"] as const;
export const RECLAIM_POLICIES = ["replace", "hibernate", "checkpoint", "wait", "let-go"] as const;
const DEFAULT_VOLUME_GB = 10;
const DEFAULT_MOUNT = "/data";

interface VolumeWish {
  readonly name: string | null;
  readonly sizeGb: number;
  readonly mount: string;
  readonly atDown: VolumePolicy;
}

/** `name[:size][:mount]` into its parts; size and mount are told apart by their look. */
function volumeParts(source: InputSource, text: string): NonNullable<Exclude<SpecInput["volume"], string>> {
  const [name = "", ...rest] = text.split(":");
  const mount = rest.find((part) => part.startsWith("/"));
  const size = rest.find((part) => !part.startsWith("/"));
  if (rest.length > 2 || (rest.length === 2 && (mount === undefined || size === undefined)))
    throw refuse(source, ["volume"], text, "a volume (expected name[:size][:mount], e.g. data:50:/data, or none)");
  return { ...(name === "" ? {} : { name }), ...(size === undefined ? {} : { size }), ...(mount === undefined ? {} : { mount }) };
}

function volumeWish(source: InputSource, value: SpecInput["volume"]): VolumeWish | null {
  if (value === null || value === "none") return null;
  const parts = typeof value === "string" ? volumeParts(source, value) : (value ?? {});
  const at = (key: string): InputPath => (typeof value === "string" ? ["volume"] : ["volume", key]);
  return {
    name: parts.name === undefined ? null : nameField(source, at("name"), "a volume", parts.name),
    sizeGb: parts.size === undefined ? DEFAULT_VOLUME_GB : sizeField(source, at("size"), parts.size),
    mount: parts.mount === undefined ? DEFAULT_MOUNT : mountField(source, at("mount"), parts.mount),
    atDown: wordField(source, at("atDown"), parts.atDown, VOLUME_POLICIES, "keep"),
  };
}

/**
 * Checks what was asked for and says it whole: one spec for each of `count` (`NAME`, or `NAME-1` … `NAME-n`),
 * each with a volume of its own.
 * @throws what `source.fault` makes, at the first thing that is wrong.
 */
export function specsFromInput(input: SpecInput, source: InputSource): readonly InstanceSpec[] {
  if (input.name === undefined) throw source.fault([], "has no name");
  const base = nameField(source, ["name"], "an instance", input.name);
  const count = input.count === undefined ? 1 : wholeField(source, ["count"], input.count, 1, MOST_INSTANCES, "a number of instances");
  const named = providersField(source, ["provider"], input.provider);
  const command = commandField(source, ["command"], input.command);
  const volume = volumeWish(source, input.volume);
  const fallbackAfterMs = durationField(source, ["fallbackAfter"], input.fallbackAfter);
  const common = {
    gpu: gpuField(source, ["gpu"], input.gpu),
    billing: wordField(source, ["billing"], input.billing, BILLING_MODES, "spot"),
    maxPrice: priceField(source, ["maxPrice"], input.maxPrice),
    regions: wordsField(source, ["region"], input.region, "a region"),
    image: imageField(source, ["image"], input.image),
    ttlMs: durationField(source, ["ttl"], input.ttl),
    idleMs: durationField(source, ["idle"], input.idle),
    idleBy: wordField(source, ["idleBy"], input.idleBy, IDLE_SIGNS, "exit"),
    env: envField(source, ["env"], input.env ?? {}),
    onReclaim: wordField(source, ["onReclaim"], input.onReclaim, RECLAIM_POLICIES, "replace"),
    onRebalance: wordField(source, ["onRebalance"], input.onRebalance, REBALANCE_POLICIES, "log"),
    fallbackAfterMs,
    // Whoever is to leave spot for want of it goes back by default.
    returnToSpot: input.returnToSpot ?? fallbackAfterMs !== null,
    checkpointHook: textField(source, ["checkpoint", "hook"], input.checkpoint?.hook, "a shell command"),
    checkpointEveryMs: everyField(source, ["checkpoint", "every"], input.checkpoint?.every),
    readyHttp: readyHttpField(source, ["ready", "http"], input.ready?.http),
    readyCmd: textField(source, ["ready", "cmd"], input.ready?.cmd, "a shell command"),
    command,
    ...(input.caches === false ? { caches: false } : {}),
    ports: portsField(source, ["ports"], input.ports ?? []),
    registryAuth: registryAuthField(source, ["registryAuth"], input.registryAuth),
    fleet: source.fleet,
    labels: labelsField(source, ["labels"], input.labels ?? {}),
  } satisfies Omit<InstanceSpec, "name" | "providers" | "workdir" | "volume">;
  return Array.from({ length: count }, (_, index) => {
    const suffix = count === 1 ? "" : `-${index + 1}`;
    const name = nameField(source, ["name"], "an instance", `${base}${suffix}`);
    const volumeName = volume?.name === null ? name : nameField(source, ["volume", "name"], "a volume", `${volume?.name ?? name}${suffix}`);
    const providers = named.length > 0 ? named : (source.providersOf?.(name) ?? source.providers);
    const workdir = workdirField(source, ["workdir"], input.workdir, command.length > 0 && providers.includes("local"));
    // As usual is not said: whoever wrote a spec before this could be chosen meant the same.
    const atDown = volume === null || volume.atDown === "keep" ? {} : { atDown: volume.atDown };
    const disk = volume && { name: volumeName, sizeGb: volume.sizeGb, mount: volume.mount, ...atDown };
    return { name, providers, ...common, workdir, volume: disk };
  });
}

const FLAGS: Readonly<Record<string, string>> = {
  maxPrice: "--max-price",
  idleBy: "--idle-by",
  onReclaim: "--on-reclaim",
  onRebalance: "--on-rebalance",
  fallbackAfter: "--fallback-after",
  labels: "--label",
  ports: "--port",
  registryAuth: "--registry-auth",
  "checkpoint.hook": "--checkpoint-hook",
  "checkpoint.every": "--checkpoint-every",
  "ready.http": "--ready-http",
  "ready.cmd": "--ready-cmd",
};

/** How an error about flags is told: `--ttl: "8 hours" is not a duration (…)`. */
export function flagFault(path: InputPath, what: string): Error {
  const [first = "", second = ""] = path.map(String);
  if (first === "") return usageProblem(`the instance ${what}`, "give it one with --name");
  if (first === "command") return usageProblem(`the command behind --: ${what}`);
  return usageProblem(`${FLAGS[`${first}.${second}`] ?? FLAGS[first] ?? `--${first}`}: ${what}`);
}

/** `8000/http`, as the flag takes it. */
export function portText({ port, protocol }: InstanceSpec["ports"][number]): string {
  return `${port}/${protocol}`;
}

const list = (words: readonly string[]) => (words.length === 0 ? "any" : words.join(","));
const pairs = (map: Readonly<Record<string, string>>) =>
  Object.entries(map)
    .map(([key, value]) => `${key}=${value}`)
    .sort()
    .join(" ") || "none";
/** Exact: two units when they say it all, else seconds. */
function time(ms: number | null): string {
  if (ms === null) return "none";
  const text = durationText(ms);
  return parseDuration(text.replace(" ", "")) === ms ? text : `${ms / 1000}s`;
}
const word = (text: string) => (/^[\w./:=@%+,-]+$/.test(text) ? text : JSON.stringify(text));

/** Every line of a spec that a person can tell apart, in words. */
const LINES: readonly (readonly [string, (spec: InstanceSpec) => string])[] = [
  ["provider", (spec) => list(spec.providers)],
  ["gpu", (spec) => (spec.gpu === null ? "any" : gpuText(spec.gpu))],
  ["billing", (spec) => spec.billing],
  ["max price", (spec) => spec.maxPrice ?? "none"],
  ["region", (spec) => list(spec.regions)],
  ["image", (spec) => spec.image ?? "default"],
  ["volume", (spec) => (spec.volume === null ? "none" : `${spec.volume.name}:${spec.volume.sizeGb}:${spec.volume.mount}`)],
  ["volume at down", (spec) => spec.volume?.atDown ?? "keep"],
  ["ttl", (spec) => time(spec.ttlMs)],
  ["idle", (spec) => time(spec.idleMs)],
  ["idle by", (spec) => spec.idleBy],
  ["on reclaim", (spec) => spec.onReclaim],
  ["on rebalance", (spec) => spec.onRebalance],
  ["fallback after", (spec) => time(spec.fallbackAfterMs)],
  ["return to spot", (spec) => (spec.returnToSpot ? "yes" : "no")],
  ["checkpoint hook", (spec) => spec.checkpointHook ?? "none"],
  ["checkpoint every", (spec) => (spec.checkpointEveryMs === null ? "as often as pays" : time(spec.checkpointEveryMs || null))],
  ["ready http", (spec) => spec.readyHttp ?? "none"],
  ["ready cmd", (spec) => spec.readyCmd ?? "none"],
  ["command", (spec) => spec.command.map(word).join(" ") || "none"],
  ["caches", (spec) => (spec.caches === false ? "none" : "on the volume")],
  ["workdir", (spec) => spec.workdir ?? "none"],
  ["ports", (spec) => spec.ports.map(portText).join(",") || "none"],
  ["registry auth", (spec) => spec.registryAuth ?? "none"],
  ["fleet", (spec) => spec.fleet ?? "none"],
  ["labels", (spec) => pairs(spec.labels)],
];

/** What is different between two specs of one name, e.g. `gpu: H100 → A100×2`; empty when nothing is. Values of variables are not shown. */
export function specDifference(before: InstanceSpec, after: InstanceSpec): string[] {
  const differences = LINES.filter(([, say]) => say(before) !== say(after)).map(([what, say]) => `${what}: ${say(before)} → ${say(after)}`);
  const keys = new Set([...Object.keys(before.env), ...Object.keys(after.env)]);
  const changed = [...keys].filter((key) => before.env[key] !== after.env[key]).sort();
  if (changed.length > 0) differences.push(`env: ${changed.join(", ")} changed`);
  return differences;
}
