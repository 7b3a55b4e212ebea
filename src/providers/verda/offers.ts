import { gpuFromName } from "../../model/gpu-names.ts";
import { type Money, moneyFromDecimal } from "../../model/money.ts";
import type { Offer } from "../../model/offer.ts";
import { isFault } from "../errors.ts";
import type { CallContext, OfferQuery } from "../provider.ts";
import type { VerdaClient } from "./client.ts";
import { availabilityList, locationList, typeList, type WireAvailability, type WireType } from "./wire.ts";

/** An amount of the wire; null when it is none, or nothing, or nobody knows of what. */
export function priceOf(text: string | null, currency: string): Money | null {
  if (text === null || !/^[A-Za-z]{3}$/.test(currency)) return null;
  try {
    const money = moneyFromDecimal(text.replace(/(\.\d{12})\d+$/, "$1"), currency.toUpperCase());
    return money.micros > 0n ? money : null;
  } catch {
    return null;
  }
}

/** Which types are to be had where. */
type Availability = ReadonlyMap<string, ReadonlySet<string>>;

function availabilityOf(rows: readonly WireAvailability[]): Availability {
  return new Map(rows.map(({ location_code, availabilities }) => [location_code, new Set(availabilities)]));
}

/**
 * What is to be had as spot. The vendor's Go SDK asks with `is_spot`, its Python SDK with `isSpot`, and which of them the
 * server honours is not documented: the other one would be ignored, and the answer would be about on-demand machines. So
 * both are sent, and each alone to a server that takes only what it knows.
 */
async function spotAvailability(client: VerdaClient, context: CallContext): Promise<readonly WireAvailability[]> {
  const ask = (query: Readonly<Record<string, boolean>>) => client.read(availabilityList, "/instance-availability", context, query);
  try {
    return await ask({ is_spot: true, isSpot: true });
  } catch (error) {
    if (!isFault(error, "invalid-request")) throw error;
  }
  try {
    return await ask({ is_spot: true });
  } catch (error) {
    if (!isFault(error, "invalid-request")) throw error;
    return ask({ isSpot: true });
  }
}

/** GPUs as a description and two numbers tell them; memory is counted over all of them. */
export function gpuOf({ gpu, gpu_memory: memory }: Pick<WireType, "gpu" | "gpu_memory">): Offer["gpu"] {
  const count = gpu.number_of_gpus;
  const { vramGb, ...named } = gpuFromName(gpu.description);
  const total = memory.size_in_gigabytes;
  return { ...named, count, vramGb: total > 0 && count > 0 ? total / count : (vramGb ?? 0) };
}

function offersOf(row: WireType, location: string, stock: Readonly<Record<"spot" | "on-demand", Availability>>, now: number): Offer[] {
  const onDemandPrice = priceOf(row.price_per_hour, row.currency);
  const prices = { spot: priceOf(row.spot_price, row.currency), "on-demand": onDemandPrice };
  const offers: Offer[] = [];
  for (const billing of ["spot", "on-demand"] as const) {
    const price = prices[billing];
    if (price === null) continue;
    offers.push({
      provider: "verda",
      region: location,
      zone: location,
      type: row.instance_type,
      gpu: gpuOf(row),
      vcpus: row.cpu.number_of_cores,
      memoryGb: row.memory.size_in_gigabytes,
      billing,
      price,
      onDemandPrice,
      stock: stock[billing].get(location)?.has(row.instance_type) === true ? "unknown" : 0,
      noticeSeconds: 0,
      protectionSeconds: 0,
      interruptionsPerHour: null,
      source: "live",
      observedAt: now,
    });
  }
  return offers;
}

function matches(offer: Offer, { gpuModel, gpuCount, regions }: OfferQuery): boolean {
  return (
    (gpuModel === undefined || offer.gpu.model.toUpperCase() === gpuModel.toUpperCase()) &&
    (gpuCount === undefined || offer.gpu.count === gpuCount) &&
    (regions === undefined || regions.length === 0 || regions.includes(offer.region))
  );
}

/** Every GPU type in every location, as spot and on demand. Prices are of the whole instance; how many are left is not told. */
export async function listOffers(client: VerdaClient, query: OfferQuery, context: CallContext): Promise<readonly Offer[]> {
  const [types, locations, spot, onDemand] = await Promise.all([
    client.read(typeList, "/instance-types", context, { currency: "usd" }),
    client.read(locationList, "/locations", context),
    spotAvailability(client, context),
    client.read(availabilityList, "/instance-availability", context),
  ]);
  const stock = { spot: availabilityOf(spot), "on-demand": availabilityOf(onDemand) };
  const now = client.now();
  return types
    .filter((row) => row.instance_type !== "" && Number.isInteger(row.gpu.number_of_gpus) && row.gpu.number_of_gpus > 0)
    .flatMap((row) => locations.flatMap(({ code }) => offersOf(row, code, stock, now)))
    .filter((offer) => matches(offer, query));
}
