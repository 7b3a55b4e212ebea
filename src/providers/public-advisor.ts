import type { ReclaimedShare } from "../model/offer.ts";
import type { World } from "../platform/world.ts";
import { keptShares, refreshAdvisor } from "./aws/advisor.ts";
import { keptAnswers } from "./kept-answers.ts";

/** What became of asking for the bands of the AWS Spot Instance Advisor, which need no account. */
export interface AdvisorAnswer {
  readonly url: string;
  /** How many types have a band, counted by region. */
  readonly bands: number;
  /** Epoch milliseconds of the data. */
  readonly dataAt: number;
}

/**
 * Brings the bands up to date that offers of AWS say. Undefined where nothing is asked: `isMirrored`, or the endpoints of AWS are
 * moved, and `SPOT_AWS_ADVISOR_URL` does not say where.
 * @throws ProviderError when the file does not come or cannot be read.
 */
export async function refreshSpotAdvisor(
  world: Pick<World, "env" | "home" | "clock" | "signal">,
  isMirrored: boolean,
): Promise<AdvisorAnswer | undefined> {
  const isMoved = ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_EC2"].some((name) => (world.env[name] ?? "") !== "");
  return refreshAdvisor(world, isMirrored || isMoved, keptAnswers("aws", world), { signal: world.signal });
}

/** What the advisor's file, as it was last kept, says of a region and a type of AWS; undefined when none is kept. Asks nobody. */
export async function knownSpotBands(
  world: Pick<World, "env" | "home" | "clock">,
): Promise<((region: string, type: string) => ReclaimedShare | undefined) | undefined> {
  return keptShares(keptAnswers("aws", world));
}
