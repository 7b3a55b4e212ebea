import { durationText } from "../../model/duration.ts";
import type { FleetEvent } from "../../model/event.ts";
import { eventJson } from "../../output/json.ts";
import type { Clock } from "../../platform/clock.ts";
import { runHook } from "../../platform/hook-process.ts";
import { safeJson, safeLine } from "../../platform/terminal.ts";
import type { NewEvent } from "../../state/records.ts";

/** So many commands run side by side: a thousand of a second each are through in half a minute, within every notice but the shortest. */
const AT_ONCE = 32;
/** So long after its deadline a notice is still worth a command, in milliseconds. */
const GRACE_MS = 30_000;
/** So many events may wait. More than that a command cannot keep up with at all. */
const MOST_WAITING = 10_000;

export interface HookWorld {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly clock: Clock;
}

export interface HookOptions {
  readonly command: string;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  /** A line that the command said. */
  readonly say: (line: string) => void;
  /** What did not go well, for the log of events. */
  readonly warn: (event: NewEvent) => void;
}

/** The commands of `--exec`. */
export interface Hooks {
  /** Runs the command for this event, when its turn has come. */
  offer(event: FleetEvent): void;
  /** Resolves when the commands under way have ended; nothing new is begun. */
  close(): Promise<void>;
}

/** The notice's end, epoch ms; null for an event that has none. */
export function deadlineOf({ type, data }: FleetEvent): number | null {
  const { deadline } = data as { readonly deadline?: unknown };
  return type === "notice" && typeof deadline === "number" ? deadline : null;
}

/** What the command finds in its environment. Names go there and not into its line: a shell would read them. */
export function hookEnvironment(event: FleetEvent): Readonly<Record<string, string>> {
  const deadline = deadlineOf(event);
  const withdrawn = event.data["withdrawn"] === true;
  const kind = event.type === "notice" ? (withdrawn ? "withdrawn" : String(event.data["kind"] ?? "")) : "";
  const values: Readonly<Record<string, string>> = {
    SPOT_EVENT_TYPE: event.type,
    SPOT_EVENT_SEQ: String(event.seq),
    SPOT_EVENT_INSTANCE: event.instance ?? "",
    SPOT_EVENT_PROVIDER: event.provider ?? "",
    SPOT_EVENT_KIND: kind,
    SPOT_EVENT_DEADLINE: deadline === null ? "" : String(Math.floor(deadline / 1000)),
  };
  // The system ends a variable at a NUL, and Node refuses one that has it.
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, value.replaceAll("\0", "")]));
}

/**
 * Runs a command once for each event that it is given: those of one instance in their order, others side by side, the nearest
 * deadline first.
 */
export function hooks(world: HookWorld, options: HookOptions): Hooks {
  const queues = new Map<string, FleetEvent[]>();
  const busy = new Map<string, Promise<void>>();
  let waiting = 0;
  let leftOut = 0;
  let isOver = false;

  const next = () => {
    while (!isOver && busy.size < AT_ONCE) {
      const key = mostUrgent(queues, busy);
      if (key === undefined) return;
      const queue = queues.get(key) ?? [];
      const event = queue.shift();
      if (queue.length === 0) queues.delete(key);
      if (event === undefined) continue;
      waiting -= 1;
      const work = runOne(world, options, event).finally(() => {
        busy.delete(key);
        next();
      });
      busy.set(key, work);
    }
  };
  return {
    offer(event) {
      if (isOver) return;
      if (waiting >= MOST_WAITING) {
        leftOut += 1;
        if (leftOut === 1) options.warn(warning(world, event, `--exec is ${MOST_WAITING} events behind: further ones are left out`));
        return;
      }
      leftOut = 0;
      const key = event.instance ?? event.provider ?? "";
      const queue = queues.get(key);
      if (queue === undefined) queues.set(key, [event]);
      else queue.push(event);
      waiting += 1;
      next();
    },
    async close() {
      isOver = true;
      await Promise.all(busy.values());
    },
  };
}

/** Of those that are not at it, the one whose next event has the nearest deadline; without deadlines the oldest. */
function mostUrgent(queues: ReadonlyMap<string, readonly FleetEvent[]>, busy: ReadonlyMap<string, unknown>): string | undefined {
  let best: { readonly key: string; readonly deadline: number; readonly seq: number } | undefined;
  for (const [key, [event]] of queues) {
    if (event === undefined || busy.has(key)) continue;
    const deadline = deadlineOf(event) ?? Number.POSITIVE_INFINITY;
    if (best === undefined || deadline < best.deadline || (deadline === best.deadline && event.seq < best.seq))
      best = { key, deadline, seq: event.seq };
  }
  return best?.key;
}

async function runOne(world: HookWorld, options: HookOptions, event: FleetEvent): Promise<void> {
  const deadline = deadlineOf(event);
  const left = deadline === null ? Number.POSITIVE_INFINITY : deadline + GRACE_MS - world.clock.now();
  const about = `--exec for event ${event.seq} (${event.type})`;
  if (left <= 0) {
    options.warn(warning(world, event, `${about} was not run: its deadline passed ${durationText(GRACE_MS - left)} ago`));
    return;
  }
  const limitMs = Math.min(options.timeoutMs, left);
  const label = `[${safeLine(event.instance ?? event.provider ?? "spot")} ${event.type} ${event.seq}]`;
  try {
    const { code, why } = await runHook(options.command, {
      env: { ...world.env, ...hookEnvironment(event) },
      cwd: world.cwd,
      input: `${safeJson(eventJson(event))}\n`,
      limitMs,
      signal: options.signal,
      onLine: (line) => options.say(`${label} ${safeLine(line)}`),
    });
    if (why === "overran") options.warn(warning(world, event, `${about} was ended after ${durationText(limitMs)}`));
    else if (why === "exited" && code !== 0) options.warn(warning(world, event, `${about} ended with exit code ${code}`, { code }));
  } catch (error) {
    if (options.signal.aborted) return;
    options.warn(warning(world, event, `${about} could not be run: ${error instanceof Error ? error.message : String(error)}`));
  }
}

/** `hook` marks what a hook has brought about, so that it never starts another one. */
function warning({ clock }: HookWorld, event: FleetEvent, message: string, more: Readonly<Record<string, unknown>> = {}): NewEvent {
  const { instance, provider, seq } = event;
  return { at: clock.now(), type: "warning", instance, provider, data: { message, hook: "exec", about: seq, ...more } };
}
