import { ASSUMED_CHECKPOINT_SECONDS, type CheckpointClock, checkpointInterval, type Interruptions } from "../model/checkpoint-interval.ts";
import { durationText } from "../model/duration.ts";
import { isoTime } from "./json.ts";

/** What an agent says of its own clock; null in both where it has made none yet, or nobody asked. */
export interface MeasuredClock {
  /** What its last checkpoint took, its hook included. */
  readonly checkpointSeconds: number | null;
  readonly everySeconds: number | null;
  /** When it said so, in epoch milliseconds; absent: it has just been asked. */
  readonly at?: number;
}

const UNMEASURED: MeasuredClock = { checkpointSeconds: null, everySeconds: null };

function interruptionsText({ betweenSeconds, basis }: Interruptions): string {
  const every = durationText(betweenSeconds * 1000);
  switch (basis) {
    case "provider":
      return `an interruption every ${every} by the provider's data`;
    case "history":
      return `an interruption every ${every} by our own reclaims`;
    case "uninterrupted":
      return `nobody takes it back, a fault every ${every} is assumed`;
    case "assumed":
      return `an interruption every ${every} is assumed`;
  }
}

/** How often, in seconds; null for never. */
function everySeconds(clock: CheckpointClock, { checkpointSeconds, everySeconds: said }: MeasuredClock): number | null {
  if (clock.kind === "never") return null;
  if (clock.kind === "ordered") return clock.everySeconds;
  return said ?? checkpointInterval(checkpointSeconds ?? ASSUMED_CHECKPOINT_SECONDS, clock.interruptions.betweenSeconds);
}

/** When a checkpoint is made by the clock, and why: `every 42m (Daly: a checkpoint takes 9s, as its agent said 3h ago, …)`. */
export function clockText(clock: CheckpointClock, measured: MeasuredClock = UNMEASURED, now = measured.at ?? 0): string {
  const every = everySeconds(clock, measured);
  if (clock.kind === "never" || every === null) return "never by the clock";
  const text = `every ${durationText(every * 1000)}`;
  if (clock.kind === "ordered") return `${text}, as ordered`;
  const { checkpointSeconds, at = now } = measured;
  const age = now > at ? `, as its agent said ${durationText(now - at)} ago` : "";
  const takes =
    checkpointSeconds === null
      ? `a checkpoint is assumed to take ${ASSUMED_CHECKPOINT_SECONDS}s`
      : `a checkpoint takes ${durationText(checkpointSeconds * 1000)}${age}`;
  return `${text} (Daly: ${takes}, ${interruptionsText(clock.interruptions)}; --checkpoint-every overrides)`;
}

/** The same for machines. Durations in seconds; `basis` is null where no rule was asked. */
export function clockJson(clock: CheckpointClock, measured: MeasuredClock = UNMEASURED) {
  const interruptions = clock.kind === "daly" ? clock.interruptions : null;
  return {
    rule: clock.kind,
    everySeconds: everySeconds(clock, measured),
    checkpointSeconds: measured.checkpointSeconds ?? (clock.kind === "daly" ? ASSUMED_CHECKPOINT_SECONDS : null),
    measured: measured.checkpointSeconds !== null,
    measuredAt: measured.checkpointSeconds === null || measured.at === undefined ? null : isoTime(measured.at),
    betweenSeconds: interruptions?.betweenSeconds ?? null,
    basis: interruptions?.basis ?? null,
  };
}
