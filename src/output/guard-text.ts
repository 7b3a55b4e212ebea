import { durationText } from "../model/duration.ts";
import { CLOUD_GUARDS, CLOUD_SLACK_MS, type Guard } from "../model/guard.ts";

/** Who acts first and when he was last heard, for a cell: `agent, 12s ago`, `agent silent 6m: cloud`, `spot`. */
export function guardCell(guard: Guard | null | undefined, now: number): string {
  if (guard == null) return "-";
  const [first] = guard.ttlBy.length > 0 ? guard.ttlBy : guard.idleBy;
  const who = first === undefined ? "nobody" : first === "controller" ? "spot" : first;
  if (guard.silentSince !== null) return `agent silent ${durationText(now - guard.silentSince)}: ${who}`;
  // Whoever was asked in vain is silent: nobody has asked this one so far.
  if (guard.heartbeatAt === null) return first === "agent" ? "agent, not asked yet" : who;
  return `${who}, ${durationText(now - guard.heartbeatAt)} ago`;
}

/** Who makes passes over the fleet on this computer, as far as that is known. */
export interface LastPass {
  /** The command, for example `watch --act`. */
  readonly by: string;
  readonly at: number;
}

/** A pass that is older than this says nothing of the next one. */
const LIVELY_MS = 600_000;

interface Guarded {
  readonly provider: string;
  readonly ttlEndsAt: number | null;
  readonly idleMs: number | null;
}

/** "at 18:00Z: by its agent (heard 12s ago), else by Google at 18:03Z, else by …"; null without a TTL. */
export function ttlLine(record: Guarded, guard: Guard, last: LastPass | null, now: number): string | null {
  const { ttlEndsAt } = record;
  if (ttlEndsAt === null) return null;
  const by = guard.ttlBy.map((who) => {
    if (who === "cloud") return `by ${cloudName(record)} at ${clockText(ttlEndsAt + CLOUD_SLACK_MS, now)}`;
    return who === "agent" ? `by its agent (${heardText(guard, now)})` : `by ${controllerText(last, now)}`;
  });
  const silent = guard.silentSince === null ? "" : `; its agent does not answer (${heardText(guard, now)})`;
  return `at ${clockText(ttlEndsAt, now)}: ${by.join(", else ")}${silent}`;
}

/** "when it has been idle for 30m: by its agent (heard 12s ago)"; null without an idle time. */
export function idleLine(record: Guarded, guard: Guard, last: LastPass | null, now: number): string | null {
  if (record.idleMs === null) return null;
  const [who] = guard.idleBy;
  const by =
    who === undefined
      ? `by nobody: its agent does not answer (${heardText(guard, now)})`
      : who === "agent"
        ? `by its agent (${heardText(guard, now)})`
        : `by ${controllerText(last, now)}, when its agent says so (${heardText(guard, now)})`;
  return `when it has been idle for ${durationText(record.idleMs)}: ${by}`;
}

const cloudName = ({ provider }: Guarded) => CLOUD_GUARDS[provider]?.name ?? provider;

function heardText({ heartbeatAt, silentSince }: Guard, now: number): string {
  if (heartbeatAt === null) return silentSince === null ? "not asked yet" : "never heard";
  return `heard ${durationText(now - heartbeatAt)} ago`;
}

function controllerText(last: LastPass | null, now: number): string {
  if (last !== null && now - last.at < LIVELY_MS) return `spot ${last.by} (it looked ${durationText(now - last.at)} ago)`;
  return "spot watch --act or reconcile (none has looked here lately: spot service install)";
}

/** The time of day, with the date where it is another one. */
function clockText(at: number, now: number): string {
  const iso = (ms: number) => new Date(ms).toISOString();
  return iso(at).slice(0, 10) === iso(now).slice(0, 10) ? `${iso(at).slice(11, 16)}Z` : `${iso(at).slice(0, 16)}Z`;
}

/** Whether somebody should look: an agent that does not answer, or nobody who would act. */
export function isUnguarded(guard: Guard): boolean {
  return guard.silentSince !== null || (guard.ttlBy.length === 0 && guard.idleBy.length === 0);
}
