import type { Provider } from "../../providers/provider.ts";
import { call, type Fleet } from "../fleet.ts";
import type { Listing } from "../observe.ts";
import type { Pace } from "./pace.ts";

/** So long a pass waits for the lists of its providers; what comes later is the next pass's. */
const PATIENCE_MS = 1_000;

const why = (error: unknown) => (error instanceof Error ? error.message : String(error));

async function listOne(provider: Provider, pace: Pace, signal: AbortSignal): Promise<Listing> {
  try {
    const listing = await call(signal, (context) => provider.list(context));
    pace.listed(provider, listing);
    return listing;
  } catch (error) {
    if (signal.aborted) throw error;
    pace.listed(provider, why(error), error);
    return why(error);
  }
}

/**
 * One bulk list call for each of these providers whose time has come; the others are missing. A watch is not kept by one
 * provider that takes a minute to answer from hearing the others: its list arrives in a later pass.
 */
export async function listAll(
  providers: readonly string[],
  fleet: Fleet,
  pace: Pace,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, Listing>> {
  const ids = [...new Set(providers)];
  const arrived = new Map<string, Listing>();
  const asked = await Promise.all(
    ids.map(async (id): Promise<readonly [string, Promise<Listing>] | null> => {
      const begun = pace.lists?.get(id);
      if (begun !== undefined) return [id, begun];
      try {
        const provider = await fleet.provider(id);
        return pace.isDue(provider) ? [id, listOne(provider, pace, signal)] : null;
      } catch (error) {
        return [id, Promise.resolve(why(error))];
      }
    }),
  );
  const waits = asked.flatMap((entry) => {
    if (entry === null) return [];
    const [id, list] = entry;
    if (pace.lists !== null) pace.lists.set(id, list);
    const taken = list.then((listing) => {
      arrived.set(id, listing);
    });
    return [taken];
  });
  if (waits.length === 0) return arrived;
  const all = Promise.all(waits);
  if (pace.lists === null) await all;
  else await withPatience(fleet, all, signal);
  for (const id of arrived.keys()) pace.lists?.delete(id);
  // A pass must not see a list grow while it works.
  return new Map(arrived);
}

/** Waits for the work, but not longer than a pass can. A list that broke off with Ctrl-C ends the waiting with it. */
async function withPatience(fleet: Fleet, work: Promise<unknown>, signal: AbortSignal): Promise<void> {
  const waiting = new AbortController();
  const late = fleet.clock.sleep(PATIENCE_MS, waiting.signal).catch(() => undefined);
  try {
    await Promise.race([work, late]);
  } finally {
    waiting.abort();
    // Nobody waits for it any more, and its failure is the next pass's to see.
    work.catch(() => undefined);
  }
  signal.throwIfAborted();
}
