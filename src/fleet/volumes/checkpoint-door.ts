import { checkpointFolder, readCatalogue } from "../../checkpoints/catalogue.ts";
import { type CheckpointProblem, verifyCheckpoint } from "../../checkpoints/verify.ts";
import { guestPack } from "../../guest/pack.ts";
import { GUEST_DAMAGED, guestDamaged, guestPrune, guestTellDamaged, guestVerify } from "../../guest/run-verb.ts";
import { wayIn } from "../../guest/ssh-access.ts";
import type { Checkpoint } from "../../model/checkpoint.ts";
import { Problem } from "../../model/problem.ts";
import type { World } from "../../platform/world.ts";
import type { Reach } from "../../providers/provider.ts";
import type { CheckpointPlace } from "./checkpoint-place.ts";

/** What lies under a checkpoint's name without a manifest that holds. `instance`: what is left of its header, a hint. */
export interface BrokenManifest {
  readonly id: string;
  readonly instance: string | null;
  readonly what: string;
}

/** What can be done with the checkpoints of a volume, wherever it is read. */
export interface CheckpointDoor {
  /** Reads every byte again. @returns what is not as it was sealed; nothing when all is. */
  verify(place: CheckpointPlace, checkpoint: Checkpoint, signal: AbortSignal): Promise<readonly CheckpointProblem[]>;
  /** Tells the agent of a machine that a checkpoint on its volume is damaged, where it did not find that itself. @throws Problem */
  tellDamaged(reach: Reach, id: string, signal: AbortSignal): Promise<void>;
  broken(place: CheckpointPlace, signal: AbortSignal): Promise<readonly BrokenManifest[]>;
  /**
   * Has a machine remove them, or only say what that would free; of several thousand it says at least that, for it counts them in
   * parts. @throws Problem (exit 7) when one is the newest or in use.
   */
  prune(
    reach: Reach,
    ids: readonly string[],
    dryRun: boolean,
    signal: AbortSignal,
  ): Promise<{ readonly pruned: readonly string[]; readonly freed: number }>;
  /** Fetches a checkpoint from a machine into a new folder of its name, as it lies there: what arrives is unproven. @throws Problem */
  fetch(reach: Reach, id: string, folder: string, signal: AbortSignal): Promise<void>;
}

/** Their names are words of one command line, and a system takes one of 128 KiB. */
const MOST_IDS = 2000;

/** The real one: files where this computer sees the volume, the agent's verbs where a machine has it. */
export function checkpointDoor(world: World): CheckpointDoor {
  const way = wayIn(world);
  return {
    async verify(place, { id, sha256 }, signal) {
      if (place.kind === "here") return (await verifyCheckpoint(checkpointFolder(place.path, id), signal)).problems;
      try {
        const there = await guestVerify(place.reach, id, { signal, ...way });
        return there.sha256 === sha256 ? [] : [{ path: "MANIFEST", what: "is not the one in the catalogue" }];
      } catch (error) {
        // The agent names the paths in its own words.
        if (error instanceof Problem && error.code === GUEST_DAMAGED) return [{ path: "", what: error.message }];
        throw error;
      }
    },
    tellDamaged: (reach, id, signal) => guestTellDamaged(reach, id, { signal, ...way }),
    async broken(place, signal) {
      if (place.kind === "here")
        return (await readCatalogue(place.path)).damaged.map(({ id, instance, what }) => ({ id, instance: instance ?? null, what }));
      const found = await guestDamaged(place.reach, { signal, ...way });
      return found.map(({ id, instance }) => ({
        id,
        instance: instance === "" ? null : instance,
        what: "its manifest is damaged or missing",
      }));
    },
    async prune(reach, ids, dryRun, signal) {
      const pruned: string[] = [];
      let freed = 0;
      for (let at = 0; at < ids.length; at += MOST_IDS) {
        const part = await guestPrune(reach, ids.slice(at, at + MOST_IDS), dryRun, { signal, ...way });
        pruned.push(...part.pruned);
        freed += part.freed;
      }
      return { pruned, freed };
    },
    fetch: (reach, id, folder, signal) => guestPack(reach, id, folder, { signal, ...way }),
  };
}
