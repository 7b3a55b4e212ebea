/** `exit` seals what a workload left behind when it ended by itself. */
export const CHECKPOINT_REASONS = ["manual", "interval", "notice", "hibernate", "down", "exit"] as const;
export type CheckpointReason = (typeof CHECKPOINT_REASONS)[number];

/** A verified set of files on a volume, sealed by a manifest. Times are epoch milliseconds. */
export interface Checkpoint {
  readonly id: string;
  /** Name of the instance that made it. */
  readonly instance: string;
  /** Name of the volume that holds it. */
  readonly volume: string;
  readonly createdAt: number;
  readonly files: number;
  readonly bytes: number;
  /** SHA-256 of the manifest, lower-case hex. */
  readonly sha256: string;
  readonly sealed: boolean;
  readonly verifiedAt: number | null;
  /** The workload's own step, when it said one. */
  readonly step: string | null;
  readonly reason: CheckpointReason;
}
