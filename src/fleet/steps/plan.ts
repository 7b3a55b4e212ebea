import { gpuFromName, isAskedGpu } from "../../model/gpu-names.ts";
import { suggestion } from "../../model/nearest.ts";
import type { Offer } from "../../model/offer.ts";
import { usageProblem } from "../../model/problem.ts";
import { isFault } from "../../providers/errors.ts";
import type { Provider } from "../../providers/provider.ts";
import type { InstanceRecord, VolumeRecord } from "../../state/records.ts";
import { neighbourhoodOf } from "../deciding/history.ts";
import { chooseOffers, type Preferences, type Tie, whyNothingFits } from "../deciding/offer-choice.ts";
import { preferencesOf } from "../deciding/preferences.ts";
import { problemOf } from "../faults.ts";
import type { Fleet } from "../fleet.ts";
import { askMarket, type MarketAnswer } from "../market.ts";
import { volumeNamed } from "../volumes/volumes.ts";

/** A place in the plan: the offers that can serve the spec, best first, and what was left out. */
export interface Plan {
  readonly offers: readonly Offer[];
  readonly tie: Tie | null;
  /** Providers that did not answer, with their reasons. */
  readonly silent: readonly { readonly provider: string; readonly why: string }[];
  /** When nothing fits: why. */
  readonly why: string | null;
  /** What spoke for and against them. */
  readonly prefer: Preferences;
}

/** What is known besides the spec. */
export interface PlanFor {
  /** The root disk that was kept for it: it comes back where that lies. */
  readonly root?: VolumeRecord;
  /** The instance, where there is one already: what has become of its machines counts. */
  readonly record?: InstanceRecord;
  /** How many of the same fleet are being planned before it. */
  readonly before?: number;
  /** As if spot had been refused for long enough. */
  readonly onDemand?: boolean;
}

/** Asks the market and ranks it for one spec. Spends nothing. */
export async function planLaunch(fleet: Fleet, spec: InstanceRecord["spec"], signal: AbortSignal, known: PlanFor = {}): Promise<Plan> {
  const { root, record } = known;
  const volume = root ?? (spec.volume === null ? undefined : await volumeNamed(fleet, spec.volume.name));
  const tie = volume === undefined ? null : await tieOf(fleet, volume);
  const providers = whoCanWait(spec, await Promise.all((tie === null ? spec.providers : [tie.provider]).map((id) => fleet.provider(id))));
  // A cloud with many sizes need not be asked for all of them.
  const regions = tie === null ? {} : { regions: [tie.region] };
  const gpu = spec.gpu === null ? {} : { gpuCount: spec.gpu.count, gpuModel: gpuFromName(spec.gpu.model).model };
  const market = await askMarket(providers, { ...gpu, ...regions }, signal);
  requireAnAnswer(market, providers.length);
  // Only for a slip is everything asked for: what has a name like it.
  if (tie === null && market.offers.length === 0 && spec.gpu !== null)
    requireKnownGpu(spec, (await askMarket(providers, {}, signal)).offers);
  const blocked = await fleet.state.blockedOffers(fleet.clock.now());
  const reckoned = preferencesOf(
    spec,
    record,
    fleet.neighbours ?? neighbourhoodOf(await fleet.state.instances(), fleet.clock.now()),
    fleet.clock.now(),
  );
  const prefer = {
    ...reckoned,
    before: reckoned.before + (known.before ?? 0),
    onDemand: reckoned.onDemand || known.onDemand === true,
  };
  const offers = chooseOffers(market.offers, spec, tie, blocked, fleet.exchange, prefer);
  const why = offers.length > 0 ? null : whyNothingFits(market.offers, spec, tie, fleet.exchange, prefer, blocked);
  return { offers, tie, silent: market.failures, why, prefer };
}

/** @throws Problem (usage) when a reclaimed machine is to wait for capacity, and none of the clouds starts it again. */
function whoCanWait(spec: InstanceRecord["spec"], providers: readonly Provider[]): readonly Provider[] {
  if (spec.onReclaim !== "wait") return providers;
  const able = providers.filter(({ capabilities }) => capabilities.restartsReclaimed);
  if (able.length > 0) return able;
  throw usageProblem(
    `${providers.map(({ id }) => id).join(", ")}: a machine that was taken back is not started again there`,
    "--on-reclaim replace rents another one, --on-reclaim hibernate waits for you",
  );
}

/** A volume can be attached only in its region, and at some clouds only in its zone. */
async function tieOf(fleet: Fleet, { provider, region, zone }: VolumeRecord): Promise<Tie> {
  const { zonalVolumes } = (await fleet.provider(provider)).capabilities;
  return { provider, region, zone: zonalVolumes ? zone : null };
}

/** @throws Problem when no provider answered: refused credentials (exit 4) before anything else that can be said. */
function requireAnAnswer({ failures }: MarketAnswer, asked: number): void {
  const [first] = failures;
  if (first === undefined || failures.length < asked) return;
  throw problemOf((failures.find(({ error }) => isFault(error, "auth")) ?? first).error);
}

/** @throws Problem (usage) when providers answered and none of them has ever heard of this GPU: most likely a slip. */
function requireKnownGpu({ gpu }: InstanceRecord["spec"], offers: readonly Offer[]): void {
  if (gpu === null || offers.length === 0) return;
  const models = [...new Set(offers.map((offer) => offer.gpu.model))];
  if (offers.some((offer) => isAskedGpu(gpu.model, offer.gpu))) return;
  throw usageProblem(`no provider knows the GPU ${JSON.stringify(gpu.model)}`, suggestion(gpuFromName(gpu.model).model, models), [
    "spot offers",
  ]);
}
