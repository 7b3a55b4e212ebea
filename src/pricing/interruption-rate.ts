/** How our own spot machines of one kind fared. One zone alone sees too little: a kind is a type in a region. */
export interface Experience {
  readonly provider: string;
  readonly region: string;
  readonly type: string;
  /** How many were taken back. */
  readonly reclaims: number;
  /** How long each machine was paid for, in hours, those that serve still or that we ended included. */
  readonly runs: readonly number[];
}

/**
 * Interruptions an hour by our own history: (1 + reclaims) / (1/assumed + hours), the mean of a gamma distribution that began as
 * the assumption with the weight of one interruption. A machine that we ended, or that serves still, counts with its hours and
 * is no reclaim (it is censored); hours under protection do not count. A machine's age is not reckoned with: a young one is
 * taken back more often than this, an old one less.
 * @returns null while our hours weigh less than the assumption and nothing was taken back: then nothing is known.
 */
export function rateByHistory(
  { reclaims, runs }: Pick<Experience, "reclaims" | "runs">,
  assumedPerHour: number,
  protectionSeconds = 0,
): number | null {
  const hours = runs.reduce((sum, run) => sum + Math.max(0, run - protectionSeconds / 3600), 0);
  if (!(assumedPerHour > 0) || (reclaims === 0 && hours * assumedPerHour < 1)) return null;
  return (1 + reclaims) / (1 / assumedPerHour + hours);
}

/** The middle one, or the mean of the two; null while there are fewer than `least`. */
export function medianOf(values: readonly number[], least: number): number | null {
  if (values.length < Math.max(1, least)) return null;
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  const upper = sorted[Math.floor(middle)] ?? 0;
  return Number.isInteger(middle) ? ((sorted[middle - 1] ?? upper) + upper) / 2 : upper;
}
