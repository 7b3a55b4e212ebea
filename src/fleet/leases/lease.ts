import { follower } from "../../platform/clock.ts";
import type { Fleet } from "../fleet.ts";
import { LEASE_MS, LeaseLost, momentOf, type Tenure } from "./held-leases.ts";
import { guardedFleet, requireHeld } from "./lease-guard.ts";
import { keepRenewing } from "./lease-renewal.ts";

/** The lease under which one process at a time works on an instance. */
export function instanceLease(id: string): string {
  return `instance:${id}`;
}

/** A lease that is ours, as long as it is. */
export interface Held {
  /** What the work under the lease is done with: its calls to clouds and machines and its commits end with the lease. */
  readonly fleet: Fleet;
  /** Fires when the lease is lost, with `LeaseLost` as its reason, and when the caller's own signal does. */
  readonly signal: AbortSignal;
  /** @throws LeaseLost */
  requireHeld(): void;
  /** Gives it back; nothing is done with `fleet` from then on. */
  release(): Promise<void>;
}

/**
 * Runs `work` while holding a lease, which is renewed in the background.
 *
 * Once the lease can no longer be assumed ours (a renewal was answered "not yours", or none has succeeded for 15 of its 20
 * seconds: a slow database, a process or a computer that stood still), `signal` fires, requests under way are given up, and
 * `held.fleet` sends and writes nothing more. What is written is looked at once more by the database, in the same transaction,
 * so nothing of a former owner's is ever committed after a take-over.
 *
 * What is left: a process that is stopped (SIGSTOP) in the few instructions between the last look at the clock and the
 * handing over of a request to the system sends that one request when it wakes up. It does no harm that stays. A launch
 * carries its own token, whose promise the new owner has closed before it launched under another one: the machine that comes
 * of it is no record's, and the next pass ends it. To make or to end what is made or ended already changes nothing. A machine
 * that was hibernated or woken against the wish in its record is found so by the next look, and is brought back.
 *
 * @returns undefined when a living owner, or other work of this process, holds it.
 * @throws LeaseLost from `work`
 */
export async function whileHolding<Result>(
  fleet: Fleet,
  name: string,
  signal: AbortSignal,
  work: (held: Held) => Promise<Result>,
): Promise<Result | undefined> {
  const held = await hold(fleet, name, signal);
  if (held === undefined) return undefined;
  try {
    return await work(held);
  } finally {
    await held.release();
  }
}

/** As `whileHolding`, for what is held longer than one piece of work. Who holds it releases it. */
export async function hold(fleet: Fleet, name: string, signal: AbortSignal): Promise<Held | undefined> {
  const { tenures } = fleet.leases;
  if (tenures.has(name)) return undefined;
  signal.throwIfAborted();
  const { own, done } = follower(signal);
  const tenure: Tenure = { name, renewed: null, lost: null, end: own };
  tenures.set(name, tenure);
  try {
    tenure.renewed = await acquire(fleet, name);
  } finally {
    if (tenure.renewed === null) {
      done();
      forget(fleet, tenure);
    }
  }
  if (tenure.renewed === null) return undefined;
  keepRenewing(fleet);
  return {
    fleet: guardedFleet(fleet, tenure),
    signal: own.signal,
    requireHeld: () => requireHeld(fleet, tenure),
    async release() {
      done();
      tenure.lost ??= new LeaseLost(name, "the work under it was over");
      try {
        // One that cannot be given back is no longer renewed, and runs out.
        await fleet.state.releaseLease(name, fleet.owner).catch(() => undefined);
      } finally {
        forget(fleet, tenure);
      }
    },
  };
}

/** With the last one goes the timer. */
function forget({ leases }: Fleet, tenure: Tenure): void {
  if (leases.tenures.get(tenure.name) === tenure) leases.tenures.delete(tenure.name);
  if (leases.tenures.size === 0) leases.timer?.abort();
}

/** @returns the moment from which on it is ours, null when it is another's. */
async function acquire(fleet: Fleet, name: string): Promise<Tenure["renewed"]> {
  const first = momentOf(fleet.clock);
  if (await fleet.state.acquireLease(name, fleet.owner, first.wall, LEASE_MS)) return first;
  const holder = await fleet.state.leaseHolder(name, fleet.clock.now());
  if (holder === undefined || !fleet.ownerIsDead(holder.owner)) return null;
  // A process of this machine that was killed cannot come back: its lease need not run out.
  await fleet.state.releaseLease(name, holder.owner);
  const second = momentOf(fleet.clock);
  return (await fleet.state.acquireLease(name, fleet.owner, second.wall, LEASE_MS)) ? second : null;
}
