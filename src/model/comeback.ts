/**
 * The ways in which a sleeping instance comes back, in the order in which they are tried: the machine that sleeps, or its
 * kept root disk; a machine where its volume lies; one in a sister zone, its volume made anew there from a snapshot; one in
 * another region or at another provider, with its newest sealed checkpoint copied there; one on demand.
 */
export const RUNGS = ["same-machine", "same-zone", "snapshot", "copy", "on-demand"] as const;
export type RungName = (typeof RUNGS)[number];

/** Every way but the one that has to be allowed. */
export const USUAL_RUNGS: readonly RungName[] = ["same-machine", "same-zone", "snapshot", "copy"];

/** A snapshot that was made for a way back, and is as fresh as can be. */
export interface ComebackSnapshot {
  /** The provider's id. */
  readonly id: string;
  readonly provider: string;
  /** When it was asked for, in epoch milliseconds. */
  readonly since: number;
  /** Nobody waits for it any more: it can be restored from, or it came to nothing. */
  readonly isDone: boolean;
}

/** What a restore that is under way may do. Kept with the record, so that whoever goes on with it keeps to it. */
export interface Comeback {
  readonly allow: readonly RungName[];
  /**
   * The most that a machine may cost per hour that is not where the volume lies, or that is on demand, as a spec writes
   * prices; null: whatever its spec allows.
   */
  readonly ceiling: string | null;
  /**
   * It may go on from a copy of a checkpoint that is not the newest one, sealed at or after this moment (epoch ms). Null or absent:
   * from the newest alone.
   */
  readonly oldest?: number | null;
  /** The rung that it was last on. */
  readonly rung: RungName | null;
  readonly snapshot: ComebackSnapshot | null;
  /** The rungs that turned out to lead nowhere for this restore, each with why. */
  readonly closed?: Partial<Readonly<Record<RungName, string>>>;
}
