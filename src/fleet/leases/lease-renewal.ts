import { durationText } from "../../model/duration.ts";
import type { Fleet } from "../fleet.ts";
import { HOLD_MS, LEASE_MS, leftMs, lose, momentOf, RENEW_MS, type Tenure } from "./held-leases.ts";

/** Begins to renew what this process holds, unless that is done already. Ends by itself with the last lease. */
export function keepRenewing(fleet: Fleet): void {
  if (fleet.leases.timer === null) void beat(fleet);
}

/** One timer for all leases: it renews them in one statement, and ends the work under those that were not renewed in time. */
async function beat(fleet: Fleet): Promise<void> {
  const { clock, leases } = fleet;
  let next = clock.monotonic() + RENEW_MS;
  while (leases.tenures.size > 0) {
    const timer = new AbortController();
    leases.timer = timer;
    try {
      await clock.sleep(
        Math.max(0, Math.min(next - clock.monotonic(), ...current(fleet).map((tenure) => leftMs(tenure, clock)))),
        timer.signal,
      );
    } catch {
      // The last one was given back; or the clock itself has ended, and with it this process.
      if (!timer.signal.aborted) break;
      continue;
    }
    for (const tenure of current(fleet)) if (leftMs(tenure, clock) <= 0) lose(tenure, notRenewed);
    if (clock.monotonic() < next) continue;
    next = clock.monotonic() + RENEW_MS;
    // A database that takes long is not asked twice at once.
    leases.renewing ??= renewAll(fleet)
      .catch(() => undefined)
      .finally(() => {
        leases.renewing = null;
      });
  }
  leases.timer = null;
}

/** Why a lease is lost that was neither renewed nor refused. */
export const notRenewed = `the lease could not be renewed for ${durationText(HOLD_MS)}`;

function current({ leases }: Fleet): readonly Tenure[] {
  return [...leases.tenures.values()].filter(({ renewed, lost }) => renewed !== null && lost === null);
}

async function renewAll(fleet: Fleet): Promise<void> {
  const asked = current(fleet);
  // Counted from before the question: the answer may be long on its way.
  const at = momentOf(fleet.clock);
  const ours = await fleet.state.renewLeases(fleet.owner, at.wall, LEASE_MS);
  for (const tenure of asked) {
    if (!ours.has(tenure.name)) lose(tenure, "another process has it now");
    else tenure.renewed = at;
  }
  // Given back in vain before, or taken without our hearing of it: it must not live on for ever.
  for (const name of ours) if (!fleet.leases.tenures.has(name)) await fleet.state.releaseLease(name, fleet.owner);
}
