import * as v from "valibot";
import type { ReclaimedShare } from "../../model/offer.ts";
import type { KeptAnswers } from "../kept-answers.ts";
import type { CallContext } from "../provider.ts";
import type { Ecs } from "./client.ts";
import { adviceList } from "./wire.ts";

/** By zone and type: the share of machines that were taken back in the last 30 days, in the cloud's bands (`5-10%`). */
const bands = v.record(v.string(), v.string());

export interface Advice {
  reclaimed(zone: string, type: string): ReclaimedShare | undefined;
}

const NOBODY_KNOWS: Advice = { reclaimed: () => undefined };
const HALF_A_DAY_MS = 12 * 60 * 60 * 1000;
/** It is about the last 30 days: half a day changes little. */
const AGE = { maxAgeMs: HALF_A_DAY_MS, staleMs: 14 * HALF_A_DAY_MS };
/** The smallest machine with a whole GPU has more; with these one answer tells of all types. */
const LEAST = { MinCores: 2, MinMemory: 4 };

/** `5-10%` as shares; undefined for a band of another form. The last one, `10-100%`, has no upper bound. */
export function shareOf(label: string, observedAt: number): ReclaimedShare | undefined {
  const [, least, most] = /^\s*(\d{1,3}(?:\.\d+)?)\s*-\s*(\d{1,3}(?:\.\d+)?)\s*%\s*$/.exec(label) ?? [];
  if (least === undefined || most === undefined) return undefined;
  return {
    atLeast: Number(least) / 100,
    atMost: Number(most) >= 100 ? null : Number(most) / 100,
    label,
    source: "DescribeSpotAdvice, the last 30 days",
    observedAt,
  };
}

/** Advice costs no offer: where it cannot be had, there is none. */
export async function adviceOf(
  ecs: Ecs,
  kept: KeptAnswers,
  region: string,
  types: ReadonlySet<string>,
  context: CallContext,
): Promise<Advice> {
  const ask = async () => {
    const call = { region, action: "DescribeSpotAdvice", parameters: { RegionId: region, ...LEAST }, answer: adviceList };
    const { AvailableSpotZones } = await ecs.read(call, context);
    const rows = AvailableSpotZones.AvailableSpotZone.flatMap(({ ZoneId, AvailableSpotResources }) =>
      AvailableSpotResources.AvailableSpotResource.filter(({ InstanceType }) => types.has(InstanceType)).map(
        ({ InstanceType, InterruptRateDesc }) => [`${ZoneId} ${InstanceType}`, InterruptRateDesc] as const,
      ),
    );
    return Object.fromEntries(rows);
  };
  try {
    const { value, observedAt } = await kept.recent(`spot-advice-${region}`, bands, AGE, ask);
    return { reclaimed: (zone, type) => shareOf(value[`${zone} ${type}`] ?? "", observedAt) };
  } catch (error) {
    if (context.signal.aborted) throw error;
    return NOBODY_KNOWS;
  }
}
