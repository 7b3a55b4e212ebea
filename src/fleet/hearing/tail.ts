import { parseDuration } from "../../model/duration.ts";
import type { FleetEvent } from "../../model/event.ts";
import { usageProblem } from "../../model/problem.ts";
import type { State } from "../../state/records.ts";

/** So many events are read at once. */
const PAGE = 500;

/**
 * Reads what was written after `seq`, page by page and in order, to the end of the log. A later call goes on where this one
 * stopped: between a replay and what is new there is neither a gap nor a repeat, since both are one reading by `seq`, and
 * numbers become visible in their order whoever writes.
 * @returns the last number that was read.
 */
export async function readOn(
  state: Pick<State, "events">,
  seq: number,
  signal: AbortSignal,
  take: (events: readonly FleetEvent[]) => Promise<void> | void,
): Promise<number> {
  for (let last = seq; ; ) {
    const page = signal.aborted ? [] : await state.events({ afterSeq: last, limit: PAGE });
    const newest = page.at(-1);
    if (newest === undefined) return last;
    await take(page);
    last = newest.seq;
  }
}

/** Whether an event is about one of these: an instance, a provider or a volume. About everything when there are none. */
export function isAbout(names: readonly string[], { instance, provider, data }: FleetEvent): boolean {
  if (names.length === 0) return true;
  return [instance, provider, data["volume"]].some((name) => typeof name === "string" && names.includes(name));
}

/** Where a replay begins: the number of the event before its first one. @throws Problem (usage) for what is none of the three. */
export async function seqBefore(state: Pick<State, "events" | "lastSeq">, text: string | undefined, now: number): Promise<number> {
  if (text === undefined) return state.lastSeq();
  // Numbers from another log, or from one that was lost, would else keep everything that comes from being told.
  if (/^\d{1,15}$/.test(text)) return Math.min(Number(text), await state.lastSeq());
  return seqSince(state, sinceTime(text, now));
}

/** The number of the event before the first one of that time (epoch ms). */
export async function seqSince(state: Pick<State, "events" | "lastSeq">, since: number): Promise<number> {
  const [first] = await state.events({ since, limit: 1 });
  return first === undefined ? state.lastSeq() : first.seq - 1;
}

function sinceTime(text: string, now: number): number {
  const date = /^\d{4}-\d{2}-\d{2}/.test(text) ? Date.parse(text) : Number.NaN;
  if (!Number.isNaN(date)) return date;
  try {
    return now - parseDuration(text);
  } catch {
    throw usageProblem(
      `--since: ${JSON.stringify(text)} is neither a seq, a duration nor a date`,
      "for example 120, 10m or 2026-01-31T08:00:00Z",
    );
  }
}
