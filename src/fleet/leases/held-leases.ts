import { EXIT } from "../../model/exit-codes.ts";
import { Problem } from "../../model/problem.ts";
import type { Clock } from "../../platform/clock.ts";

/** A lease that is not renewed for this long may be taken by another process. */
export const LEASE_MS = 20_000;
export const RENEW_MS = 5_000;
/**
 * A holder stops this much earlier than another one may begin. In it fit what two clocks differ by in the speed of twenty
 * seconds, and the end of whatever was under way.
 */
const MARGIN_MS = 5_000;
/** So long after the start of the last renewal that succeeded a lease counts as ours. */
export const HOLD_MS = LEASE_MS - MARGIN_MS;

/** The right to work on something was lost in the middle of the work: whatever was still to be done is another's to do. */
export class LeaseLost extends Problem {
  readonly lease: string;

  constructor(lease: string, why: string) {
    super({
      code: "SPOT_E_LEASE_LOST",
      message: `stopped in the middle: ${why} (lease ${lease})`,
      exit: EXIT.failed,
      hint: "nothing was sent or written after that; whoever has the lease now goes on",
      next: ["spot ls", "spot reconcile"],
      retryable: true,
    });
    this.name = "LeaseLost";
    this.lease = lease;
  }
}

/** A moment on both clocks. */
interface Moment {
  readonly monotonic: number;
  readonly wall: number;
}

export const momentOf = (clock: Clock): Moment => ({ monotonic: clock.monotonic(), wall: clock.now() });

/** One lease of this process, from before it is asked for until after it is given back. */
export interface Tenure {
  readonly name: string;
  /** Null until it is ours: before that nobody renews it and nobody loses it. */
  renewed: Moment | null;
  lost: LeaseLost | null;
  /** Its signal fires when the lease is lost. */
  readonly end: AbortController;
}

/** All leases of this process. One for a process, shared by every `Fleet` that is made of another. */
export interface HeldLeases {
  readonly tenures: Map<string, Tenure>;
  /** The one timer that renews them all; null while there is none. */
  timer: AbortController | null;
  /** The renewal under way. */
  renewing: Promise<void> | null;
}

export const noLeases = (): HeldLeases => ({ tenures: new Map(), timer: null, renewing: null });

/**
 * How long the lease still counts as ours, in milliseconds. By whichever clock says less: the monotonic one knows of a
 * database or a process that stood still, but on Linux not of a computer that slept; the other one does, but may be set back.
 */
export function leftMs({ renewed }: Tenure, clock: Clock): number {
  if (renewed === null) return 0;
  return HOLD_MS - Math.max(clock.monotonic() - renewed.monotonic, clock.now() - renewed.wall);
}

export function lose(tenure: Tenure, why: string): LeaseLost {
  if (tenure.lost !== null) return tenure.lost;
  const lost = new LeaseLost(tenure.name, why);
  tenure.lost = lost;
  tenure.end.abort(lost);
  return lost;
}
