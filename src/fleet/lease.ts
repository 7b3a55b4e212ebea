import type { Fleet } from "./fleet.ts";

/** A holder that does not renew for this long has lost it. */
const LEASE_MS = 20_000;
const RENEW_MS = 5_000;

/** The lease under which one process at a time works on an instance. */
export function instanceLease(id: string): string {
  return `instance:${id}`;
}

/**
 * Runs `work` while holding a lease, renewing it in the background.
 * @returns undefined when a living owner holds it.
 */
export async function whileHolding<Result>(fleet: Fleet, name: string, work: () => Promise<Result>): Promise<Result | undefined> {
  if (!(await acquire(fleet, name))) return undefined;
  const over = new AbortController();
  const renewing = renew(fleet, name, over.signal);
  try {
    return await work();
  } finally {
    over.abort();
    await renewing;
    await fleet.state.releaseLease(name, fleet.owner);
  }
}

async function acquire(fleet: Fleet, name: string): Promise<boolean> {
  if (await fleet.state.acquireLease(name, fleet.owner, fleet.clock.now(), LEASE_MS)) return true;
  const holder = await fleet.state.leaseHolder(name, fleet.clock.now());
  if (holder === undefined || !fleet.ownerIsDead(holder.owner)) return false;
  // A process of this machine that was killed cannot come back: its lease need not run out.
  await fleet.state.releaseLease(name, holder.owner);
  return fleet.state.acquireLease(name, fleet.owner, fleet.clock.now(), LEASE_MS);
}

async function renew(fleet: Fleet, name: string, over: AbortSignal): Promise<void> {
  while (!over.aborted) {
    try {
      await fleet.clock.sleep(RENEW_MS, over);
    } catch {
      return;
    }
    await fleet.state.acquireLease(name, fleet.owner, fleet.clock.now(), LEASE_MS).catch(() => false);
  }
}
