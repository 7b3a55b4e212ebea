import type { Offer } from "../../model/offer.ts";
import type { SpotLook } from "../../model/outlook.ts";
import { Problem } from "../../model/problem.ts";
import { BUNDLED_RATE, capIn, type ExchangeRate } from "../../pricing/currency.ts";
import { ProviderError } from "../../providers/errors.ts";
import type { InstanceRecord } from "../../state/records.ts";
import { isBurnt, offerKey } from "../deciding/offer-choice.ts";
import { SPOT_LOOK_MS } from "../deciding/policy.ts";
import type { Fleet } from "../fleet.ts";
import { changeRecord, eventOf } from "../record-change.ts";
import { rootOf } from "../volumes/root-volume.ts";
import { planLaunch } from "./plan.ts";

/** The first of the offers that is cheaper than what is paid now; null when there is none. Pure. */
export function bestSpot(record: Pick<InstanceRecord, "price">, offers: readonly Offer[], rate: ExchangeRate): SpotLook["best"] {
  for (const offer of offers) {
    const paid = record.price === null ? null : capIn(record.price, offer.price.currency, rate);
    const ratio = paid === null ? 0 : Number(paid.micros) / Number(offer.price.micros);
    if (offer.billing === "spot" && ratio > 1) return { pool: offerKey(offer), ratio };
  }
  return null;
}

/** What is remembered of a look; `best` undefined: nobody answered, and nothing is concluded. Pure. */
export function spotLook(before: SpotLook | null, best: SpotLook["best"] | undefined, now: number, chance: number): SpotLook {
  const nextLook = Math.round(now + SPOT_LOOK_MS * (0.8 + chance * 0.4));
  if (best === undefined) return { at: now, nextLook, since: before?.since ?? null, best: null };
  return { at: now, nextLook, since: best === null ? null : (before?.since ?? now), best };
}

/** Looks whether spot is back, for an instance on demand; that it is, or is not any more, is told once. */
export async function lookForSpot(fleet: Fleet, record: InstanceRecord, signal: AbortSignal): Promise<void> {
  const root = await rootOf(fleet, record);
  const known = { record: { ...record, generation: Math.max(2, record.generation) }, ...(root === undefined ? {} : { root }) };
  const best = await planLaunch(fleet, { ...record.spec, billing: "spot", fallbackAfterMs: null }, signal, known).then(
    // A pool that takes machines back right now is none to go to.
    ({ offers, prefer }) =>
      bestSpot(
        record,
        offers.filter((offer) => !prefer.shaken.has(offerKey(offer)) && !isBurnt(offer, prefer)),
        fleet.exchange ?? BUNDLED_RATE,
      ),
    (error: unknown) => {
      signal.throwIfAborted();
      if (error instanceof Problem || error instanceof ProviderError) return undefined;
      throw error;
    },
  );
  const before = record.outlook.spot;
  const spot = spotLook(before, best, fleet.clock.now(), fleet.rng.next());
  const isNews = (spot.since === null) !== ((before?.since ?? null) === null);
  const told = eventOf(fleet, record, "action", {
    action: spot.since === null ? "spot-gone" : "spot-back",
    pool: spot.best?.pool ?? null,
    nextLook: spot.nextLook,
  });
  await changeRecord(fleet, record, { outlook: { ...record.outlook, spot } }, { events: isNews ? [told] : [] });
}
