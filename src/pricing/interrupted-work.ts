/** A machine that may be taken back, and what a workload does on it. All times are seconds. */
export interface InterruptedWork {
  /** How often an hour a machine is called back while that is possible. */
  readonly interruptionsPerHour: number;
  /** Nobody calls a machine back before it is paid for so long. */
  readonly protectionSeconds: number;
  /** From the call to the end of the machine. */
  readonly noticeSeconds: number;
  /** Work between two checkpoints. */
  readonly checkpointIntervalSeconds: number;
  /** One checkpoint, in which the work waits. */
  readonly checkpointSeconds: number;
  /** What is paid of each machine until it computes: its boot, its volume, the restore. */
  readonly restartSeconds: number;
}

/** What is paid beside the useful hours, as shares of them. */
export interface LostTerms {
  /** Work that is done twice: all since the last whole checkpoint, one that was cut off included. */
  readonly lostWork: number;
  /** Checkpoints by the clock, and those within a notice. */
  readonly checkpoints: number;
  /** Machines that come up, those that are taken back before they compute included. */
  readonly restarts: number;
}

/** More paid hours than this for one useful hour are no price any more. */
export const MOST_PAID_HOURS = 1000;

/** A notice is heard by polling, and a seal takes as long again where it has to be sure. */
const HEARD_WITHIN_SECONDS = 10;

/** Whether a notice of that length is enough to save what was done since the last checkpoint. */
export function noticeSavesWork(noticeSeconds: number, { checkpointSeconds }: Pick<InterruptedWork, "checkpointSeconds">): boolean {
  return noticeSeconds >= HEARD_WITHIN_SECONDS + 2 * checkpointSeconds;
}

/** Seconds of each kind that one machine is paid for in the mean. */
interface PaidSeconds {
  readonly useful: number;
  readonly lost: number;
  readonly checkpoints: number;
  readonly restart: number;
}

/**
 * Machines one after the other, each paid from its beginning: it comes up (R), then works (τ) and makes a checkpoint (δ) in
 * turn, until it is called back; that happens `rate` (λ) times an hour once its protection (P) is over, however old it is by
 * then. S(t), the share of machines not called back by t, is 1 until P and e^(−λ(t−P)) from then on, and all means are sums
 * and integrals of it:
 * - coming up: ∫S from 0 to R; checkpoints: K = Σ S(R + k(τ+δ)) over k ≥ 1, a geometric series from P on.
 * - A notice too short to seal in goes by in work, which makes P longer by as much. What is not in a whole checkpoint by the
 *   end is lost: ∫S from R on, less K(τ+δ). Without protection this is J. T. Daly's complete expression (FGCS 22(3), 2006):
 *   paid/useful = e^(λR)·(e^(λ(τ+δ)) − 1)/(λτ), to first order 1 + λ(τ/2 + R) + δ/τ, as J. W. Young has it (CACM 17(9), 1974).
 * - In a notice that is long enough one more checkpoint is made, or the one under way ended, and the machine given back: all
 *   work is saved, and whoever came up has made K + 1.
 * Waiting for a machine is not paid. Nothing is approximated but that every notice is heard half a poll after it came.
 */
function paidByMachine(work: InterruptedWork, rate: number): PaidSeconds {
  const { checkpointIntervalSeconds: interval, checkpointSeconds, restartSeconds: restart } = work;
  const cycle = interval + checkpointSeconds;
  const seals = noticeSavesWork(work.noticeSeconds, work);
  const safe = work.protectionSeconds + (seals ? HEARD_WITHIN_SECONDS / 2 : work.noticeSeconds);
  const survives = (seconds: number) => Math.exp(-rate * Math.max(0, seconds - safe));
  /** The integral of S over the next so many seconds of a machine that is safe no more. */
  const lives = (seconds: number) => -Math.expm1(-rate * seconds) / rate;
  const starting = restart <= safe ? restart : safe + lives(restart - safe);
  // Whole cycles that every machine gets done while it is safe, and how far into the next one it is when that ends.
  const whole = Math.max(0, Math.floor((safe - restart) / cycle));
  const into = Math.max(0, safe - restart - whole * cycle);
  const endsCycle = survives(restart + (whole + 1) * cycle);
  const oneOf = -Math.expm1(-rate * cycle);
  const sealed = whole + endsCycle / oneOf;
  if (!seals) {
    const served = Math.max(0, safe - restart) + survives(restart) / rate;
    const lost = Math.max(0, served - sealed * cycle);
    return { useful: sealed * interval, lost, checkpoints: sealed * checkpointSeconds, restart: starting };
  }
  const isSafe = safe > restart;
  const inThisCycle = isSafe ? Math.min(into, interval) + lives(Math.max(0, interval - into)) : survives(restart) * lives(interval);
  const useful = whole * interval + inThisCycle + (endsCycle / oneOf) * lives(interval);
  return { useful, lost: 0, checkpoints: (sealed + survives(restart)) * checkpointSeconds, restart: starting };
}

/**
 * What is paid beside each useful hour; `finishes` is false where that is more than `MOST_PAID_HOURS`, and the terms then tell
 * where so many hours go. Never negative, never endless.
 */
export function lostTerms(work: InterruptedWork): { readonly terms: LostTerms; readonly finishes: boolean } {
  const { checkpointIntervalSeconds: interval, checkpointSeconds, restartSeconds } = work;
  const rate = work.interruptionsPerHour / 3600;
  const most = MOST_PAID_HOURS - 1;
  // So rare that a cycle sees none to the last digit of a number.
  if (rate * (interval + checkpointSeconds + restartSeconds) < 1e-12) {
    const checkpoints = checkpointSeconds / interval;
    return { terms: { lostWork: 0, checkpoints: Math.min(most, checkpoints), restarts: 0 }, finishes: checkpoints <= most };
  }
  const { useful, lost, checkpoints, restart } = paidByMachine(work, rate);
  const beside = lost + checkpoints + restart;
  const finishes = beside <= most * useful;
  const share = finishes ? 1 / useful : most / beside;
  return { terms: { lostWork: lost * share, checkpoints: checkpoints * share, restarts: restart * share }, finishes };
}
