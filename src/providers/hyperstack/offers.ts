import { gpuFromName } from "../../model/gpu-names.ts";
import type { Offer } from "../../model/offer.ts";
import type { CallContext, OfferQuery } from "../provider.ts";
import type { Api } from "./api.ts";
import { PROVIDER } from "./codes.ts";
import type { Pricebook, Prices } from "./prices.ts";
import { flavorGroups, stocksSchema, type WireFlavor, type WireStocks } from "./wire.ts";

const SPOT = /-spot$/i;

/** Spot is nothing but the end of a flavor's name. */
export function isSpot(flavorName: string): boolean {
  return SPOT.test(flavorName);
}

/** `10+` is at least ten, so ten can be had. */
function countOf(told: unknown): number | null {
  const digits = /^(\d{1,9})\+?$/.exec(String(told ?? "").trim())?.[1];
  return digits === undefined ? null : Number(digits);
}

function stockOf(flavor: WireFlavor, region: string, { stocks }: WireStocks): number | "unknown" {
  if (flavor.stock_available === false) return 0;
  const model = stocks
    .filter((one) => one.region === region)
    .flatMap(({ models }) => models)
    .find(({ model: name }) => name === flavor.gpu);
  const gpus = flavor.gpu_count ?? 1;
  const machines = countOf(model?.configurations[`${gpus}x`]);
  if (machines !== null) return machines;
  const available = countOf(model?.available);
  return available === null ? "unknown" : Math.floor(available / gpus);
}

/** Null for a flavor that is not for rent here: without a GPU, without a region or without a price. */
function toOffer(flavor: WireFlavor, region: string | null, prices: Prices, stocks: WireStocks, observedAt: number): Offer | null {
  const count = flavor.gpu_count ?? 0;
  const gpu = flavor.gpu ?? "";
  const price = prices.of(gpu, count);
  if (region === null || gpu === "" || !Number.isInteger(count) || count < 1 || price === null) return null;
  const { vramGb, ...named } = gpuFromName(gpu);
  const billing = isSpot(flavor.name) ? "spot" : "on-demand";
  return {
    provider: PROVIDER,
    region,
    zone: region,
    type: flavor.name,
    gpu: { ...named, count, vramGb: vramGb ?? 0 },
    vcpus: flavor.cpu ?? 0,
    memoryGb: flavor.ram ?? 0,
    billing,
    price,
    onDemandPrice: billing === "spot" ? prices.of(gpu.replace(SPOT, ""), count) : price,
    stock: stockOf(flavor, region, stocks),
    noticeSeconds: 0,
    protectionSeconds: 0,
    interruptionsPerHour: null,
    source: "live",
    observedAt,
  };
}

function matches(offer: Offer, query: OfferQuery): boolean {
  return (
    (query.gpuModel === undefined || offer.gpu.model.toUpperCase() === query.gpuModel.toUpperCase()) &&
    (query.gpuCount === undefined || offer.gpu.count === query.gpuCount) &&
    (query.regions === undefined || query.regions.length === 0 || query.regions.includes(offer.region))
  );
}

/** Three requests: flavors of every region, stocks, prices. The price of a GPU-hour is that of `flavor.gpu` in the pricebook. */
export async function allOffers(api: Api, book: Pricebook, query: OfferQuery, context: CallContext): Promise<readonly Offer[]> {
  const { data } = await api.read(flavorGroups, "/core/flavors", context);
  const stocks = await api.read(stocksSchema, "/core/stocks", context);
  const prices = await book.ask(context);
  const observedAt = api.now();
  return data
    .flatMap(({ region_name, flavors }) =>
      flavors.map((flavor) => (flavor === null ? null : toOffer(flavor, flavor.region_name ?? region_name, prices, stocks, observedAt))),
    )
    .filter((offer): offer is Offer => offer !== null && matches(offer, query));
}
