import { isAbout, seqSince } from "../../fleet/hearing/tail.ts";
import { parseDuration } from "../../model/duration.ts";
import type { EventType, FleetEvent } from "../../model/event.ts";
import { suggestion } from "../../model/nearest.ts";
import { usageProblem } from "../../model/problem.ts";
import { httpClient } from "../../platform/http.ts";
import { readCredentials } from "../../platform/secrets.ts";
import type { CommandContext } from "../command.ts";
import { namedInstance } from "../fleet-context.ts";
import { type Hooks, hooks } from "./exec.ts";
import { tellLog, type Watching } from "./watching.ts";
import { deliver, WORTH_TELLING_MS } from "./webhook.ts";
import { type WebhookTarget, webhookTarget } from "./webhook-target.ts";

const TYPES: readonly EventType[] = ["intent", "state", "notice", "checkpoint", "action", "price", "budget", "warning"];
const EXEC_MS = 60_000;

export interface WatchOptions {
  readonly since: string | undefined;
  readonly exec: string | null;
  readonly execTimeoutMs: number;
  readonly webhooks: readonly WebhookTarget[];
  readonly types: ReadonlySet<EventType>;
}

/** @throws Problem (usage) for whatever cannot be meant. */
export function readWatchOptions(context: CommandContext): WatchOptions {
  const { options } = context;
  const text = (key: string) => (typeof options[key] === "string" ? options[key] : undefined);
  const exec = text("exec")?.trim() ?? null;
  if (exec === "") throw usageProblem("--exec: there is no command");
  const urls = Array.isArray(options["webhook"]) ? options["webhook"].map(String) : [];
  for (const key of ["on", "execTimeout", "webhookFormat"] as const) {
    const needs = key === "execTimeout" ? exec !== null : key === "webhookFormat" ? urls.length > 0 : exec !== null || urls.length > 0;
    if (text(key) !== undefined && !needs)
      throw usageProblem(
        `--${key.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)} says how to tell, and nobody is to be told`,
        "add --exec or --webhook",
      );
  }
  const targets = urls.map((url) => webhookTarget(url, text("webhookFormat")));
  return {
    since: text("since"),
    exec,
    execTimeoutMs: durationFlag("--exec-timeout", text("execTimeout"), EXEC_MS),
    // One address that is given twice is told once.
    webhooks: [...new Map(targets.map((target) => [target.cursor, target])).values()],
    types: typesOf(text("on")),
  };
}

function durationFlag(flag: string, text: string | undefined, fallback: number): number {
  if (text === undefined) return fallback;
  try {
    return parseDuration(text);
  } catch (error) {
    throw usageProblem(`${flag}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function typesOf(text: string | undefined): ReadonlySet<EventType> {
  const words = (text ?? "notice").split(",").map((word) => word.trim());
  for (const word of words)
    if (!TYPES.some((type) => type === word))
      throw usageProblem(`--on: ${JSON.stringify(word)} is no type of event`, suggestion(word, TYPES));
  return new Set(words as EventType[]);
}

/** Something whose events are told. */
export interface WatchedName {
  readonly name: string;
  readonly kind: "instance" | "provider" | "volume";
}

/** What was named, each of it known. @throws Problem (exit 9) for what is nothing. */
export async function watchedNames(context: CommandContext): Promise<readonly WatchedName[]> {
  if (context.args.length === 0) return [];
  const state = await context.state();
  const volumes = new Set((await state.volumes({ includeGone: true })).map(({ name }) => name));
  const { knownProviders } = await import("../../providers/registry.ts");
  const found: WatchedName[] = [];
  for (const name of context.args) {
    const isInstance = (await state.instanceByName(name)) !== undefined;
    if (isInstance) found.push({ name, kind: "instance" });
    else if (knownProviders().includes(name)) found.push({ name, kind: "provider" });
    else if (volumes.has(name)) found.push({ name, kind: "volume" });
    else await namedInstance(context, name, true);
  }
  return found;
}

/** The commands of `--exec`; null without one. */
export function hooksOf(watching: Watching, { exec, execTimeoutMs, types }: WatchOptions): Hooks | null {
  if (exec === null) return null;
  const { world } = watching.context;
  const running = hooks(world, {
    command: exec,
    timeoutMs: execTimeoutMs,
    signal: world.signal,
    say: (line) => talk(watching, line),
    warn: (event) => tellLog(watching, event),
  });
  // What a hook brought about starts no further one, or they would answer each other for ever.
  const offer = (event: FleetEvent) => {
    if (types.has(event.type) && event.data["hook"] === undefined) running.offer(event);
  };
  return { ...running, offer };
}

const LINES_SHOWN = 6;

/** What a command says goes to stderr; into the table, where that would be written over it. */
function talk(watching: Watching, line: string): void {
  const { world, machine } = watching.context;
  if (world.stdout.isTTY && !machine && world.stderr.isTTY) watching.talk = [...watching.talk, line].slice(-LINES_SHOWN);
  else world.stderr.write(`${line}\n`);
}

/** One delivery for each address, each going on where it stopped the last time. */
export async function webhooksOf(
  watching: Watching,
  { webhooks, types, since }: WatchOptions,
  names: readonly WatchedName[],
  from: number,
): Promise<readonly Promise<void>[]> {
  if (webhooks.length === 0) return [];
  const { context, fleet } = watching;
  const { world } = context;
  const secret = (await readCredentials(["SPOT_WEBHOOK_SECRET"], world))?.["SPOT_WEBHOOK_SECRET"] ?? null;
  if (secret === null && webhooks.some(({ format }) => format === "json"))
    context.progress.warn("SPOT_WEBHOOK_SECRET is not set: what is posted is not signed, and its receiver cannot tell who sent it");
  const only = names.map(({ name }) => name);
  return Promise.all(
    webhooks.map(async (target) => {
      const begin = since === undefined ? await goOn(watching, target, from) : from;
      return { target, begin };
    }),
  ).then((begun) =>
    begun.map(({ target, begin }) =>
      deliver({
        target,
        client: httpClient(target.origin, { env: world.env, connections: 8 }),
        state: fleet.state,
        clock: world.clock,
        rng: world.rng,
        secret,
        from: begin,
        accepts: (event) => types.has(event.type) && isAbout(only, event),
        signal: world.signal,
        warn: (event) => tellLog(watching, event),
      }),
    ),
  );
}

/** Where the delivery to this address stopped, but no more than a day back; now when there was none. */
async function goOn({ fleet }: Watching, { cursor }: WebhookTarget, now: number): Promise<number> {
  const kept = await fleet.state.cursor(cursor);
  // A database that was made anew begins its numbers anew.
  if (kept === undefined || kept.seq > now) return now;
  return Math.max(kept.seq, await seqSince(fleet.state, fleet.clock.now() - WORTH_TELLING_MS));
}
