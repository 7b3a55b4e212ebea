import type { Checkpoint } from "../../model/checkpoint.ts";
import type { VolumeRecord } from "../../state/records.ts";
import type { Source } from "../deciding/ladder.ts";

/** Takes a sealed checkpoint from a volume that no machine has to another one that no machine has yet. */
export interface CheckpointTravel {
  /** From where it can be read now, and on the volumes of which of these providers it can be put. Asks; changes nothing. */
  source(home: VolumeRecord, checkpoint: Checkpoint, among: readonly string[], signal: AbortSignal): Promise<Source>;
  /**
   * Puts it on another volume, sealed and verified there: whole, or not at all. Idempotent: one that is there already is
   * verified and left.
   * @throws Problem (exit 7) when it does not verify at either end.
   */
  bring(checkpoint: Checkpoint, from: VolumeRecord, to: VolumeRecord, signal: AbortSignal): Promise<void>;
}
