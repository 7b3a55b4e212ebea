const MINUTE_MS = 60_000;

/** The churn breaker: so many reclaims of one instance within this time, and the zones that they came from are passed over. */
export const CHURN = { reclaims: 3, withinMs: 60 * MINUTE_MS, passOverMs: 60 * MINUTE_MS } as const;

/**
 * For so long after a reclaim its pool counts as shaken: machines of one type and zone go together. Spot-and-Scoot (arXiv
 * 2604.16457, 2026) measured that more than 92 % of those that were taken back together went within three minutes.
 */
export const SHAKEN_MS = 5 * MINUTE_MS;
/** A shaken pool counts as so many times as dear when a replacement is looked for. */
export const SHAKEN_FACTOR = 2n;
/** Instances of one fleet are spread over pools whose price is at most so many per cent above the best. */
export const SPREAD_PERCENT = 10n;

/** A neighbour's notice makes an instance seal unless its last checkpoint is younger than this. */
export const YOUNG_CHECKPOINT_MS = 2 * MINUTE_MS;
/** And not again before so long. */
export const PRECAUTION_AGAIN_MS = 10 * MINUTE_MS;

/** Looks for capacity: the first pause, and the longest. */
export const FIRST_LOOK_MS = 1_000;
export const RAREST_LOOK_MS = 60_000;

/** How often an instance on demand looks whether spot is back; each pause is a fifth shorter or longer by chance. */
export const SPOT_LOOK_MS = 5 * MINUTE_MS;
/** How long an instance stays on a machine, once it serves, before it moves from on-demand to spot. */
export const LEAST_STAY_MS = 30 * MINUTE_MS;
/** What a change of machines is taken to last while none was measured. */
export const USUAL_CHANGEOVER_MS = 5 * MINUTE_MS;
/**
 * What a spot machine is taken to last while none was lost: the mean of 1,895 runs of V100 in nine zones of AWS, out of the
 * traces of "Can't Be Late" (Wu et al., NSDI 2024), is 3.35 hours.
 */
export const USUAL_RUN_MS = 200 * MINUTE_MS;

/** How long a price has to be above what was allowed before anything is done about it. */
export const DEAR_MS = 10 * MINUTE_MS;

/**
 * How long spot must have been on offer without a break before on-demand is left for it, by the time that the change takes:
 * gating the way back cost money where changes are quick and saved it where they are slow, on the same traces.
 */
export function ageGateMs(changeoverMs: number): number {
  if (changeoverMs < 6 * MINUTE_MS) return 0;
  return changeoverMs < 12 * MINUTE_MS ? changeoverMs : 2 * changeoverMs;
}

/**
 * The shortest run on spot that pays for the way there and back: both changes are paid for at work's cost, so 2 d k / (k - 1)
 * with d for a change and k for on-demand price / spot price. Infinite where spot is no cheaper.
 */
export function breakEvenMs(changeoverMs: number, ratio: number): number {
  return ratio > 1 ? (2 * changeoverMs * ratio) / (ratio - 1) : Number.POSITIVE_INFINITY;
}

/** What is due is looked at so often by a controller: the longest pause between two passes of a watch. */
export const CONTROLLER_LOOKS_MS = 30 * 1000;
/** Before a deadline, besides what hook and seal have taken, twice: for the request, or another controller that takes over. */
export const SLEEP_MARGIN_MS = MINUTE_MS;
/** With less than this to be gained an instance that is to sleep does so at once: there would be one seal more. */
export const WORTH_WAITING_MS = 5 * MINUTE_MS;
/** What hook and seal are taken to last where nothing was there to be sealed yet. */
export const USUAL_SEAL_MS = MINUTE_MS;

/** A machine that is rented ahead shall be ready so long before it is needed. */
export const AHEAD_MARGIN_MS = 30 * 1000;
/** With less than this left of a notice nothing is gained by renting ahead. */
export const LEAST_AHEAD_MS = 15 * 1000;
/**
 * A machine whose time is over is given so long to go before the one that was rented ahead is given back: both are paid for.
 * Clouds end them within a minute or two, and their clocks and lists are not ours; one that is still there then may stay.
 */
export const AWAITED_MS = 10 * MINUTE_MS;
/** Renting ahead was refused: tried again after this long. */
export const AHEAD_AGAIN_MS = 15 * 1000;
/** From a launch until a machine serves, while none was measured. */
export const USUAL_READY_MS = 2 * MINUTE_MS;

/** A machine that does not serve so long after it was asked for is told of: it may bill. */
export const OVERDUE_MS = 30 * MINUTE_MS;

/** A sleep or an end that shows no effect for so long after its checkpoint is preceded by another one. */
export const SEAL_AGAIN_MS = MINUTE_MS;
/**
 * A machine whose time is up and of which nothing can be sealed is given so long before it ends without: another try, and a
 * moment for whoever makes room on its volume.
 */
export const UNSEALED_GRACE_MS = 5 * MINUTE_MS;
