import { createHash } from "node:crypto";
import { GetSpotPlacementScoresCommand } from "@aws-sdk/client-ec2";
import * as v from "valibot";
import type { KeptAnswers } from "../kept-answers.ts";
import type { CallContext } from "../provider.ts";
import type { Api } from "./api.ts";
import { briefly } from "./briefly.ts";
import { everyPage } from "./pages.ts";

/** AWS's guess, 1 to 10, of how likely a spot request is to be served now. */
export interface PlacementScores {
  /** By region and zone id, for one machine of any of these types; none when the account may not ask. */
  of(
    types: readonly string[],
    regions: readonly string[],
    context: CallContext,
  ): Promise<(region: string, zoneId: string) => number | undefined>;
}

/** A moment's view, and an account has only few different questions a day. */
const KEPT_MS = 3_600_000;
const REFUSED_MS = 3_600_000;
/** It comes last, when everything else is known. */
const WITHIN_MS = 4_000;
/** With fewer the score is always low. */
const FEWEST_TYPES = 3;
/** The most that the action takes. */
const MOST_TYPES = 1_000;
const MOST_REGIONS = 10;

const scoresSchema = v.array(v.object({ region: v.string(), zoneId: v.string(), score: v.number() }));

export function placementScores(api: Api, home: () => string, kept: KeptAnswers): PlacementScores {
  let refusedAt = Number.NEGATIVE_INFINITY;
  const ask = async (types: readonly string[], regions: readonly string[], context: CallContext) => {
    const input = {
      InstanceTypes: [...types],
      TargetCapacity: 1,
      TargetCapacityUnitType: "units" as const,
      SingleAvailabilityZone: true,
      ...(regions.length > MOST_REGIONS ? {} : { RegionNames: [...regions] }),
    };
    const found = await everyPage(
      "placement scores",
      (token) => api.ask(home(), context, (ec2, options) => ec2.send(new GetSpotPlacementScoresCommand({ ...input, ...token }), options)),
      (page) => page.SpotPlacementScores,
    );
    return found.flatMap(({ Region: region, AvailabilityZoneId: zoneId, Score: score }) =>
      region === undefined || zoneId === undefined || score === undefined ? [] : [{ region, zoneId, score }],
    );
  };
  return {
    async of(types, regions, context) {
      const names = [...new Set(types)].sort();
      if (names.length < FEWEST_TYPES || names.length > MOST_TYPES || api.now() - refusedAt < REFUSED_MS) return () => undefined;
      try {
        const where = regions.length > MOST_REGIONS ? "everywhere" : [...regions].sort().join("+");
        // A question is named by what it asks for, so that another process does not ask it again.
        const digest = createHash("sha256")
          .update(`${where} ${names.join(" ")}`)
          .digest("hex");
        const name = `placement-${digest.slice(0, 24)}`;
        const age = { maxAgeMs: KEPT_MS, staleMs: KEPT_MS };
        const { value } = await kept.recent(name, scoresSchema, age, () =>
          briefly(context, (brief) => ask(names, regions, brief), WITHIN_MS),
        );
        const scores = new Map(value.map(({ region, zoneId, score }) => [`${region} ${zoneId}`, score]));
        return (region, zoneId) => scores.get(`${region} ${zoneId}`);
      } catch {
        if (!context.signal.aborted) refusedAt = api.now();
        return () => undefined;
      }
    },
  };
}
