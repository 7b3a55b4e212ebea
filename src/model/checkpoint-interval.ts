/** A checkpoint is not made more often than this, whatever it costs: the programs alone take seconds. */
export const SHORTEST_INTERVAL_SECONDS = 60;
/** Nor more rarely, however long a machine is expected to serve: an estimate of days is none to lose a day of work by. */
export const LONGEST_INTERVAL_SECONDS = 6 * 3600;

/**
 * The work between two checkpoints by which the least is lost, to first order: τ = √(2δM) (J. W. Young, CACM 17(9), 1974).
 * @param cost δ, what one checkpoint takes; @param between M, the mean time between interruptions. Both in one unit, τ in the same.
 */
export function youngInterval(cost: number, between: number): number {
  return Math.sqrt(2 * cost * between);
}

/**
 * The same to higher order (J. T. Daly, FGCS 22(3), 2006, equation 37): for δ < 2M,
 * τ = √(2δM) · (1 + ⅓√(δ/2M) + ⅑·δ/2M) − δ; else τ = M. How long a restart takes does not change it.
 */
export function dalyInterval(cost: number, between: number): number {
  const share = cost / (2 * between);
  if (share >= 1) return between;
  return youngInterval(cost, between) * (1 + Math.sqrt(share) / 3 + share / 9) - cost;
}

/** Daly's interval in whole seconds, as the agent reckons it (`guest/agent`): never below a minute, never above six hours. */
export function checkpointInterval(costSeconds: number, betweenSeconds: number): number {
  const seconds = Math.floor(dalyInterval(costSeconds, betweenSeconds));
  return Math.min(LONGEST_INTERVAL_SECONDS, Math.max(SHORTEST_INTERVAL_SECONDS, seconds));
}

/** Seconds that a checkpoint, its hook and its seal, is reckoned with before one was made. */
export const ASSUMED_CHECKPOINT_SECONDS = 5;

/** Seconds between two interruptions of a spot machine, where nobody says better: one in twenty hours. */
export const ASSUMED_BETWEEN_SECONDS = 20 * 3600;

/** How often a machine is interrupted, and how that is known. */
export interface Interruptions {
  /** The mean time between two of them, in seconds. */
  readonly betweenSeconds: number;
  /**
   * `provider`: its own data for such machines. `history`: our own machines of that kind. `assumed`: nobody knows.
   * `uninterrupted`: nobody takes such a machine back; only a fault ends it.
   */
  readonly basis: "provider" | "history" | "assumed" | "uninterrupted";
}

/** When a checkpoint is made by the clock. */
export type CheckpointClock =
  /** As it was ordered. */
  | { readonly kind: "ordered"; readonly everySeconds: number }
  /** By Daly's rule, from what its checkpoints are measured to take. */
  | { readonly kind: "daly"; readonly interruptions: Interruptions }
  /** Not at all: there is nothing to seal onto, or that is what was ordered. */
  | { readonly kind: "never" };
