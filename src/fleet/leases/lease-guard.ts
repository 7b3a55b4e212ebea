import type { Provider } from "../../providers/provider.ts";
import type { State } from "../../state/records.ts";
import type { Fleet } from "../fleet.ts";
import { aroundCalls } from "./around-calls.ts";
import { leftMs, lose, type Tenure } from "./held-leases.ts";
import { notRenewed } from "./lease-renewal.ts";

/** @throws LeaseLost when the lease can no longer be assumed ours, whether or not its timer has already found out. */
export function requireHeld({ clock }: Fleet, tenure: Tenure): void {
  if (tenure.lost !== null) throw tenure.lost;
  if (leftMs(tenure, clock) <= 0) throw lose(tenure, notRenewed);
}

/** The same fleet, with which nothing is asked, sent or written once the lease is lost. */
export function guardedFleet(fleet: Fleet, tenure: Tenure): Fleet {
  const check = () => requireHeld(fleet, tenure);
  const known = new WeakMap<Provider, Provider>();
  return {
    ...fleet,
    async provider(id) {
      const provider = await fleet.provider(id);
      const guarded = known.get(provider) ?? guardedCalls(provider, check);
      known.set(provider, guarded);
      return guarded;
    },
    guest: guardedCalls(fleet.guest, check),
    state: { ...fleet.state, commit: fencedCommit(fleet, tenure, check) },
  };
}

/** Every call, behind the check. */
const guardedCalls = <Calls extends object>(calls: Calls, check: () => void): Calls =>
  aroundCalls(calls, async (send, given) => {
    check();
    return send(given);
  });

/**
 * Our own look at the clock is not enough for what is written: the process may stand still right after it. So the database
 * looks at the lease once more, in the very transaction.
 */
function fencedCommit(fleet: Fleet, tenure: Tenure, check: () => void): State["commit"] {
  return async (change) => {
    check();
    const leases = [...(change.under?.leases ?? []), tenure.name];
    const result = await fleet.state.commit({ ...change, under: { leases, owner: fleet.owner, now: fleet.clock.now() } });
    if (result !== "lost") return result;
    // Of several leases, nested in each other, the lost one ends its own work and no more.
    if (change.under === undefined || !(await isStillOurs(fleet, tenure))) throw lose(tenure, "another process has it now");
    return result;
  };
}

async function isStillOurs(fleet: Fleet, { name }: Tenure): Promise<boolean> {
  return (await fleet.state.leaseHolder(name, fleet.clock.now()))?.owner === fleet.owner;
}
