import { EXIT } from "../../model/exit-codes.ts";
import { Problem } from "../../model/problem.ts";

/** Something failed, and it was not deleted: exit 1. */
export function keptVolume(name: string, why: string): Problem {
  return new Problem({
    code: "SPOT_E_VOLUME_KEPT",
    message: `volume ${name} stays, and goes on billing: ${why}`,
    exit: EXIT.failed,
    next: ["spot volumes ls", `spot volumes snapshot ${name}`, `spot volumes rm ${name}`],
  });
}

/** A volume is gone although it was to be kept, or to be snapshotted before: exit 1. `how`: `was deleted…`. */
export function lostVolume(name: string, how: string): Problem {
  return new Problem({
    code: "SPOT_E_VOLUME_LOST",
    message: `volume ${name} ${how}`,
    exit: EXIT.failed,
    hint: "a deletion that was begun before was done already",
    next: ["spot volumes ls", "spot volumes snapshot --ls"],
  });
}

/** Not done in time, or not done by its provider; the promise stays open: exit 6. */
export function unfinishedEnd(name: string, why: string): Problem {
  return new Problem({
    code: "SPOT_E_UNCONFIRMED",
    message: `volume ${name} is still there, and bills: ${why}`,
    exit: EXIT.partial,
    hint: "what becomes of it is written down, and the next reconcile goes on with it",
    next: ["spot reconcile", "spot volumes ls"],
    retryable: true,
  });
}
