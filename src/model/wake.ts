import type { RungName } from "./comeback.ts";
import { durationText } from "./duration.ts";

/** Something that was done by a moment, in epoch milliseconds by our clock. */
export interface WakeMark {
  readonly phase: string;
  readonly at: number;
}

/** A wake that has not ended. Kept with the record, so that whoever goes on with it goes on with its times. */
export interface WakeUnderWay {
  readonly startedAt: number;
  /** When the provider was last asked for the machine, or said that it has it; null before that. */
  readonly acceptedAt: number | null;
  /** When that machine was first seen up. */
  readonly upAt: number | null;
  /** How many marks its agent had told when it was last asked, and what they came to. */
  readonly told: number;
  readonly marks: readonly WakeMark[];
}

/** The parts that are ours; whatever else a phase is called, the workload named it. In their order. */
export const WAKE_PARTS = ["ask", "provider", "boot", "mount", "copy", "restore", "ready"] as const;

export interface WakePhase {
  /** One of `WAKE_PARTS`, or what the workload called it. */
  readonly phase: string;
  readonly ms: number;
}

/** `asleep`: put back to sleep before it served. `ended`: it was to be gone before. */
export type WakeOutcome = "ready" | "asleep" | "ended";

/** By what it was told that it serves. `started`: nothing else was asked for than that the workload runs; `agent`: nor is there one. */
export type ReadyBy = "http" | "command" | "started" | "agent";

/** One wake, from the wish to its end. Times are epoch milliseconds. */
export interface Wake {
  readonly startedAt: number;
  readonly endedAt: number;
  readonly outcome: WakeOutcome;
  /** The phase that was under way when it was given up; null for one that served. */
  readonly during: string | null;
  readonly rung: RungName | null;
  readonly readyBy: readonly ReadyBy[];
  readonly provider: string;
  readonly zone: string;
  /** Each ends where the next one begins; together they are the whole. */
  readonly phases: readonly WakePhase[];
}

const MOST_MARKS = 40;

export function wakeBegun(at: number): WakeUnderWay {
  return { startedAt: at, acceptedAt: null, upAt: null, told: 0, marks: [] };
}

/** Another machine, or the same one asked for again: what was known of the one before counts as asking. */
export function wakeAccepted({ startedAt }: WakeUnderWay, at: number): WakeUnderWay {
  return { startedAt, acceptedAt: at, upAt: null, told: 0, marks: [] };
}

/**
 * What a look adds to it; the same object when that is nothing.
 * @param told all that the agent has marked so far, in its order; undefined when it was not heard.
 */
export function wakeSeen(wake: WakeUnderWay, at: number, isUp: boolean, told: readonly WakeMark[] | undefined): WakeUnderWay {
  const upAt = wake.upAt ?? (isUp ? at : null);
  const isNews = told !== undefined && told.length !== wake.told;
  if (upAt === wake.upAt && !isNews) return wake;
  if (!isNews) return { ...wake, upAt };
  // Fewer than before: the agent has begun anew. What was known of the others keeps its times: their clock counts by seconds.
  const known = told.length < wake.told ? [] : wake.marks;
  const marks = [...known, ...told.slice(known.length)].slice(0, MOST_MARKS);
  return { ...wake, upAt, told: told.length, marks };
}

/** The part that comes after the last one that is done. */
function partUnderWay({ acceptedAt, upAt, marks }: WakeUnderWay, hasVolume: boolean, isCopied: boolean): string {
  const isDone = (part: string) => marks.some(({ phase }) => phase === part);
  if (isDone("restore")) return "ready";
  if (isDone("copy")) return "restore";
  if (isDone("mount") || (isDone("boot") && !hasVolume)) return isCopied ? "copy" : "restore";
  if (isDone("boot")) return "mount";
  if (upAt !== null) return "boot";
  return acceptedAt === null ? "ask" : "provider";
}

/**
 * Its phases, one after the other, which together take from its beginning to `endedAt`. Times come from two clocks and from
 * looks that are seconds apart: a mark that cannot be true beside those around it is moved to them.
 * @param isCopied its machine gets its checkpoint from elsewhere, and has not got it yet.
 */
export function wakePhases(
  wake: WakeUnderWay,
  endedAt: number,
  isReady: boolean,
  hasVolume: boolean,
  isCopied = false,
): { readonly phases: readonly WakePhase[]; readonly during: string | null } {
  const { startedAt, acceptedAt, upAt, marks } = wake;
  const during = isReady ? null : partUnderWay(wake, hasVolume, isCopied);
  const all: readonly WakeMark[] = [
    ...(acceptedAt === null ? [] : [{ phase: "ask", at: acceptedAt }]),
    ...(upAt === null ? [] : [{ phase: "provider", at: upAt }]),
    ...marks,
    { phase: during ?? "ready", at: endedAt },
  ];
  // Nothing is done later than what was done after it; whoever is seen rarely is seen late.
  const latest = all.map(({ at }, index) => Math.min(at, ...all.slice(index + 1).map((later) => later.at)));
  let from = startedAt;
  const phases = all.map(({ phase }, index) => {
    const to = Math.max(from, latest[index] ?? endedAt);
    const ms = to - from;
    from = to;
    return { phase, ms };
  });
  return { phases, during };
}

const phaseText = ({ phase, ms }: WakePhase) => `${phase} ${durationText(ms)}`;

/** Where the time of one wake went, e.g. `41s: ask 1s, provider 12s, boot 3s, restore 1s, weights 20s, ready 4s`. */
export function wakePhasesText({ startedAt, endedAt, phases, during }: Pick<Wake, "startedAt" | "endedAt" | "phases" | "during">): string {
  const parts = phases.map((part, index) =>
    during !== null && index === phases.length - 1 ? `${phaseText(part)} (not done)` : phaseText(part),
  );
  return `${durationText(endedAt - startedAt)}: ${parts.join(", ")}`;
}

/**
 * The percentile by nearest rank: the least of the values that so many percent of them do not pass. Always one of them.
 * @param percent more than 0, at most 100.
 * @returns undefined when there is none.
 */
export function percentile(values: readonly number[], percent: number): number | undefined {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(1, Math.ceil((sorted.length * percent) / 100)) - 1];
}

/** How long the wakes of an instance took that ended in serving, in milliseconds; `served`: of how many that is known. */
export interface WakeTimes {
  readonly served: number;
  readonly failed: number;
  readonly p50Ms: number | null;
  readonly p95Ms: number | null;
}

/**
 * How long it took until it served, in milliseconds; null for one that did not, for one in which the clock was set back, and for
 * what was no wake: its machine was still up when it was wanted back, and none was asked for.
 */
export function wakeMs({ outcome, startedAt, endedAt, phases }: Wake): number | null {
  const wasAsked = phases.some(({ phase }) => phase === "ask");
  return outcome === "ready" && wasAsked && endedAt > startedAt ? endedAt - startedAt : null;
}

export function wakeTimes(wakes: readonly Wake[]): WakeTimes {
  const took = wakes.map(wakeMs).filter((ms) => ms !== null);
  return {
    served: took.length,
    failed: wakes.filter(({ outcome }) => outcome !== "ready").length,
    p50Ms: percentile(took, 50) ?? null,
    p95Ms: percentile(took, 95) ?? null,
  };
}
