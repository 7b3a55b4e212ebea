import { durationText } from "../../model/duration.ts";
import type { Clock } from "../../platform/clock.ts";
import type { ProviderInstance } from "../../providers/provider.ts";
import type { InstanceRecord, NewEvent } from "../../state/records.ts";
import { isUp } from "../deciding/decide.ts";

/** A pause that took so much longer than it should was no pause: the computer slept, or the process was stopped. */
const GAP_MS = 20_000;

/** One moment by both clocks. */
export interface Moment {
  readonly wall: number;
  readonly monotonic: number;
}

export function momentOf(clock: Pick<Clock, "now" | "monotonic">): Moment {
  return { wall: clock.now(), monotonic: clock.monotonic() };
}

/** A time in which nobody listened. Epoch milliseconds. */
export interface Gap {
  readonly from: number;
  readonly to: number;
}

/**
 * Whether a pause of `askedMs` between these two moments was one. Some systems stop the monotonic clock while they sleep and
 * some do not, so the one that moved further counts. A wall clock that jumps back is no gap, and stops nothing.
 */
export function gapBetween(before: Moment, after: Moment, askedMs: number): Gap | null {
  const passed = Math.max(after.wall - before.wall, after.monotonic - before.monotonic);
  if (passed - askedMs < GAP_MS) return null;
  return { from: after.wall - passed, to: after.wall };
}

export function gapJson({ from, to }: Gap): Readonly<Record<string, unknown>> {
  return { from: new Date(from).toISOString(), to: new Date(to).toISOString(), seconds: Math.round((to - from) / 1000) };
}

const clockText = (at: number) => `${new Date(at).toISOString().slice(0, 16).replace("T", " ")} UTC`;

export function gapEvent(gap: Gap): NewEvent {
  const message = `nobody listened for ${durationText(gap.to - gap.from)} (since ${clockText(gap.from)}): this computer slept, or the process was stopped; every provider is listed now`;
  return { at: gap.to, type: "warning", instance: null, provider: null, data: { message, gap: gapJson(gap) } };
}

/** The records of which something may have happened meanwhile. */
export function wereUp(records: readonly InstanceRecord[]): readonly InstanceRecord[] {
  return records.filter((record) => record.providerId !== null && record.desired === "running" && (isUp(record) || record.notice !== null));
}

/** What became of one machine while nobody listened: by its record from before, and what its cloud lists now. Null for nothing. */
export function becameOf(gap: Gap, before: InstanceRecord, listed: ProviderInstance | undefined, sealedAt: number | null): NewEvent | null {
  const { name, provider, notice } = before;
  const told = (outcome: string, message: string): NewEvent => ({
    at: gap.to,
    type: "warning",
    instance: name,
    provider,
    data: { message, outcome, gap: gapJson(gap) },
  });
  const sealed =
    sealedAt === null ? "no sealed checkpoint of it is known here" : `the newest sealed checkpoint known here is of ${clockText(sealedAt)}`;
  if (listed === undefined || ["gone", "failed", "terminating", "stopped"].includes(listed.state)) {
    const word = notice === null ? "no notice of it was heard" : `its notice ran out at ${clockText(notice.deadline)}`;
    const end = listed?.state === "stopped" ? "was stopped" : "went";
    return told("gone", `its machine ${end} while nobody listened: ${word}; ${sealed}`);
  }
  const said = listed.notice ?? notice;
  if (said === null || said.kind !== "reclaim" || said.deadline > gap.to) return null;
  return told("runs", `its notice ran out at ${clockText(said.deadline)} while nobody listened, and its machine runs on; ${sealed}`);
}
