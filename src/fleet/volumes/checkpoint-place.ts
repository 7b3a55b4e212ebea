import { EXIT } from "../../model/exit-codes.ts";
import { Problem } from "../../model/problem.ts";
import type { Reach } from "../../providers/provider.ts";
import type { VolumeRecord } from "../../state/records.ts";
import type { Fleet } from "../fleet.ts";
import { machineWith, volumePath } from "./checkpoint-sync.ts";

/** Where a volume's checkpoints can be read: on this machine, or through a machine that has the volume. */
export type CheckpointPlace = { readonly kind: "here"; readonly path: string } | { readonly kind: "machine"; readonly reach: Reach };

/** @throws Problem when neither can be done now, with what would help. */
export async function checkpointPlace(fleet: Fleet, volume: VolumeRecord, signal: AbortSignal): Promise<CheckpointPlace> {
  const path = await volumePath(fleet, volume, signal);
  if (path !== null) return { kind: "here", path };
  const reach = await machineWith(fleet, volume, signal);
  if (reach !== null) return { kind: "machine", reach };
  const owners = (await fleet.state.instances()).filter((record) => record.volumes.some(({ id }) => id === volume.id));
  throw new Problem({
    code: "SPOT_E_UNREADABLE",
    message: `volume ${volume.name} lies at ${volume.provider}, and no machine that has it is up`,
    exit: EXIT.failed,
    hint: "a rented volume is read through a machine; what is listed is as it was last seen",
    next: owners.length === 0 ? [`spot up --volume ${volume.name}`] : owners.map(({ name }) => `spot restore ${name}`),
  });
}
