import { hostname } from "node:os";
import type { Fleet } from "../fleet/fleet.ts";
import { noLeases } from "../fleet/leases/held-leases.ts";
import { ownerOf, ownerText } from "../fleet/leases/owner.ts";
import { newId } from "../model/ids.ts";
import { computerId, identifyProcess } from "../platform/process-identity.ts";
import type { World } from "../platform/world.ts";

/** Who this process is in leases, and how it knows the dead among the others. */
export function leasesOf({ pid, rng }: World): Pick<Fleet, "owner" | "leases" | "ownerIsDead"> {
  const computer = computerId();
  const startTime = identifyProcess(pid)?.startTime ?? "";
  return {
    owner: ownerText({ host: hostname(), pid, startTime, computer }, newId("o", rng)),
    leases: noLeases(),
    ownerIsDead: (owner) => isDead(owner, computer),
  };
}

/**
 * Certain only for processes of this computer: another one's are given until their lease runs out. Its name is not enough:
 * two computers that share a database may both be called `ubuntu`.
 */
function isDead(text: string, computer: string): boolean {
  const owner = ownerOf(text);
  if (owner === undefined || computer === "" || owner.computer !== computer || owner.startTime === "") return false;
  return identifyProcess(owner.pid)?.startTime !== owner.startTime;
}
