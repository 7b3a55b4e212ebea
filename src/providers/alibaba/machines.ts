import type { CallContext, ProviderInstance } from "../provider.ts";
import type { Ecs } from "./client.ts";
import type { Disks } from "./disks.ts";
import { endOf, goneInstance } from "./history.ts";
import { isBeingReclaimed, toInstance } from "./instances.ts";
import { wholeList } from "./pages.ts";
import { jsonList } from "./parameters.ts";
import { type Place, placedId } from "./place.ts";
import type { Regions } from "./regions.ts";
import type { SpotPrices } from "./spot-prices.ts";
import { TOKEN_TAG, tagIn } from "./tags.ts";
import { instanceList, type WireInstance } from "./wire.ts";

export interface Machines {
  list(context: CallContext): Promise<readonly ProviderInstance[]>;
  /** Undefined when it is released, and nothing says why. */
  get(place: Place, context: CallContext): Promise<ProviderInstance | undefined>;
  /** It was ordered a moment ago, and may not be listed yet. */
  rememberLaunch(instance: ProviderInstance): void;
  rememberEnd(place: Place): void;
}

/** Nothing is documented about how soon a machine is listed; this is for an order that was accepted late, and then some. */
export const LIST_SETTLES_MS = 30_000;
const MOST_PER_PAGE = 100;
/** After its first hour a machine costs what the market says; this is how old its price may be. */
const PRICE_AGE_MS = 10 * 60_000;
/** Where prices cannot be had, not every machine of a list asks in vain. */
const NO_PRICES_FOR_MS = 60_000;
const NO_PRICE = { price: null };

/** A release shuts the machine down first. One that was accepted and never came goes on costing, and is shown as it is. */
const RELEASED_WITHIN_MS = 10 * 60_000;

interface MachinesOptions {
  readonly ecs: Ecs;
  readonly regions: Regions;
  readonly disks: Disks;
  readonly prices: SpotPrices;
  readonly user: string;
}

const isOurs = ({ Tags }: WireInstance) => tagIn(Tags.Tag, TOKEN_TAG) !== null;

export function machinesOf({ ecs, regions, disks, prices, user }: MachinesOptions): Machines {
  const launched = new Map<string, { readonly at: number; readonly instance: ProviderInstance }>();
  const locked = new Map<string, number>();
  /** Ours that had a lock, as they were last seen. */
  const taken = new Map<string, ProviderInstance>();
  const ending = new Map<string, number>();
  let noPricesUntil = 0;

  const ask = (region: string, filter: Readonly<Record<string, string>>, context: CallContext) => {
    const parameters = { RegionId: region, MaxResults: MOST_PER_PAGE, ...filter };
    const call = { region, action: "DescribeInstances", parameters, answer: instanceList };
    return wholeList(ecs, call, { rows: (page) => page.Instances.Instance, idOf: (row) => row.InstanceId }, context);
  };

  /** What it costs, and when that was told; null where that cannot be had: no list fails for want of a price. */
  async function priceOf(region: string, wire: WireInstance, context: CallContext): Promise<Pick<ProviderInstance, "price" | "pricedAt">> {
    if (!isOurs(wire) || wire.InstanceType === "" || wire.InstanceChargeType === "PrePaid" || ecs.now() < noPricesUntil) return NO_PRICE;
    const isSpot = wire.SpotStrategy !== null && wire.SpotStrategy !== "" && wire.SpotStrategy !== "NoSpot";
    const question = { region, type: wire.InstanceType, spotDuration: isSpot && wire.SpotDuration === 0 ? 0 : 1 } as const;
    try {
      const { zones, observedAt } = await prices.of(question, PRICE_AGE_MS, context);
      const zone = zones.get(wire.ZoneId);
      return { price: (isSpot ? zone?.spot : zone?.onDemand) ?? null, pricedAt: observedAt };
    } catch (error) {
      if (context.signal.aborted) throw error;
      noPricesUntil = ecs.now() + NO_PRICES_FOR_MS;
      return NO_PRICE;
    }
  }

  async function shown(region: string, wire: WireInstance, volumeIds: readonly string[], context: CallContext): Promise<ProviderInstance> {
    const providerId = placedId(region, wire.InstanceId);
    const priced = await priceOf(region, wire, context);
    const isLocked = isBeingReclaimed(wire);
    // Whoever looks first assumes the deadline; a lock that was lifted and comes again is a new one.
    if (!isLocked) locked.delete(providerId);
    else if (!locked.has(providerId)) locked.set(providerId, ecs.now());
    const instance = toInstance(wire, {
      region,
      clockOffsetMs: ecs.clockOffsetMs(),
      user,
      ...priced,
      volumeIds,
      lockedSince: locked.get(providerId) ?? null,
      wasLocked: isLocked || taken.has(providerId),
      isEnding: ecs.now() - (ending.get(providerId) ?? Number.NEGATIVE_INFINITY) < RELEASED_WITHIN_MS,
    });
    if (isLocked) taken.set(providerId, instance);
    else if (wire.Status === "Running") taken.delete(providerId);
    launched.delete(providerId);
    return instance;
  }

  async function ofRegion(region: string, context: CallContext): Promise<readonly ProviderInstance[]> {
    const rows = await ask(region, {}, context);
    const volumes = rows.some(isOurs) ? await disks.ofMachines(region, context) : new Map<string, readonly string[]>();
    const found: ProviderInstance[] = [];
    for (const row of rows) found.push(await shown(region, row, volumes.get(row.InstanceId) ?? [], context));
    return found;
  }

  const find = async (place: Place, context: CallContext): Promise<WireInstance | undefined> =>
    (await ask(place.region, { InstanceIds: jsonList([place.id]) }, context)).find(({ InstanceId }) => InstanceId === place.id);

  /** What is to be said of a machine that is not listed. */
  async function missing(place: Place, context: CallContext): Promise<ProviderInstance | undefined> {
    const providerId = placedId(place.region, place.id);
    const order = launched.get(providerId);
    const last = order?.instance ?? taken.get(providerId);
    if (ending.has(providerId)) return undefined;
    const end = await endOf(ecs, place, context).catch((error: unknown) => {
      if (context.signal.aborted) throw error;
      return null;
    });
    if (end !== null) return goneInstance(place, last, end);
    if (order !== undefined && ecs.now() - order.at < LIST_SETTLES_MS) return order.instance;
    return taken.has(providerId) ? goneInstance(place, last, { reason: "reclaimed", endedBy: "provider" }) : undefined;
  }

  return {
    list: (context) => regions.everywhere(context, ofRegion),
    async get(place, context) {
      const wire = await find(place, context);
      if (wire === undefined) return missing(place, context);
      return shown(place.region, wire, isOurs(wire) ? await disks.on(place, context) : [], context);
    },
    rememberLaunch: (instance) => void launched.set(instance.providerId, { at: ecs.now(), instance }),
    rememberEnd(place) {
      const providerId = placedId(place.region, place.id);
      launched.delete(providerId);
      ending.set(providerId, ecs.now());
    },
  };
}
