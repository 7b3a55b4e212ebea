/** How our own spot machines of one kind fared. One zone alone sees too little: a kind is a type in a region. */
export interface Experience {
  readonly provider: string;
  readonly region: string;
  readonly type: string;
  /** How many were taken back. */
  readonly reclaims: number;
  /** How long all of them together were paid for, those that serve still or that we ended included. */
  readonly hours: number;
}

/**
 * Interruptions an hour by our own history: (1 + reclaims) / (1/assumed + hours), the mean of a gamma distribution that began as
 * the assumption with the weight of one interruption. A machine that we ended, or that serves still, counts with its hours and
 * is no reclaim (censored). A machine's age is not reckoned with: a young one is taken back more often than this, an old one
 * less, and the mean over whole lives is what a price wants.
 * @returns null while our hours weigh less than the assumption and nothing was taken back: then nothing is known.
 */
export function rateByHistory({ reclaims, hours }: Pick<Experience, "reclaims" | "hours">, assumedPerHour: number): number | null {
  if (!(assumedPerHour > 0) || (reclaims === 0 && hours * assumedPerHour < 1)) return null;
  return (1 + reclaims) / (1 / assumedPerHour + hours);
}
