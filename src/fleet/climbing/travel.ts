import type { Checkpoint } from "../../model/checkpoint.ts";
import type { Reach } from "../../providers/provider.ts";
import type { InstanceRecord, VolumeRecord } from "../../state/records.ts";
import type { Source } from "../deciding/ladder.ts";

/** A machine that has the volume to which a checkpoint comes, and waits for it. */
interface Receiver {
  readonly reach: Reach;
  /** Called when all has arrived, before it is sealed there: from then on its work may go on. Nothing is sealed when it throws. */
  onArrived(): Promise<void>;
}

/** Takes a sealed checkpoint from a volume that no machine has to another one that no machine has yet, or that waits for it. */
export interface CheckpointTravel {
  /**
   * From where one can be read now: the newest one, or for a machine that is up a copy in a bucket, on the volumes of which of
   * these providers it can be put. `record`: whose work it is. Asks; changes nothing.
   */
  source(
    home: VolumeRecord,
    newest: Checkpoint | undefined,
    among: readonly string[],
    signal: AbortSignal,
    record?: Pick<InstanceRecord, "name" | "createdAt" | "spec" | "outlook">,
  ): Promise<Source>;
  /**
   * Puts it on another volume, sealed and verified there: whole, or not at all. Idempotent: one that is there already is
   * verified and left. `receiver`: the machine that has that volume; absent, none has.
   * @throws Problem (exit 7) when it does not verify at either end.
   */
  bring(
    checkpoint: Pick<Checkpoint, "id" | "sha256">,
    from: VolumeRecord,
    to: VolumeRecord,
    signal: AbortSignal,
    receiver?: Receiver,
  ): Promise<void>;
}
