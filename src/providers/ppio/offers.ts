import { gpuFromName } from "../../model/gpu-names.ts";
import type { Billing } from "../../model/instance.ts";
import type { Offer } from "../../model/offer.ts";
import type { CallContext, OfferQuery } from "../provider.ts";
import type { PpioApi } from "./api.ts";
import { inTurn } from "./in-turn.ts";
import { priceOf } from "./prices.ts";
import { clusterList, type WireCluster, type WireProduct } from "./wire.ts";

/** A product is sold per GPU, one to eight of them (create call). These are shown unless one number is asked for. */
const COUNTS = [1, 2, 4, 8];
const MOST_GPUS = 8;
const NOTICE_SECONDS = 3600;

interface Place {
  readonly clusterId: string;
  readonly billing: readonly Billing[];
  readonly method: "onDemand" | "spot";
}

/**
 * Whether a product that is told for a cluster is sold there. Its `regions` are ids by PPIO, and by Novita names with or
 * without what stands in brackets (`US-CA-06 (California)`, whose id is `us-ca-06`; but the id of `CN-HK-01` is another word).
 * Where they are none of any cluster that is known, the cloud's own filter is believed.
 */
function isSoldIn({ regions }: WireProduct, clusterId: string, clusters: readonly WireCluster[]): boolean {
  const told = new Set(regions.flatMap((region) => wordsFor(region)));
  const meant = clusters.filter(({ id, name }) => [id, name].flatMap(wordsFor).some((word) => told.has(word)));
  return meant.length === 0 || meant.some(({ id }) => id === clusterId);
}

/** A name of a cluster, and the same without its brackets. */
function wordsFor(name: string): readonly string[] {
  const plain = name.trim().toLowerCase();
  return plain === "" ? [] : [plain, plain.replace(/\s*\(.*$/, "")];
}

function offersOf(product: WireProduct, place: Place, counts: readonly number[], api: PpioApi): readonly Offer[] {
  const { clusterId } = place;
  const { vramGb, ...named } = gpuFromName(product.name);
  const isSoldOut = product.availableDeploy === false || product.inventoryState === "none";
  const { currency, id } = api.vendor;
  return counts.flatMap((count) =>
    place.billing.flatMap((billing): Offer[] => {
      const price = priceOf(product, billing, count, currency);
      if (price === null) return [];
      const isSpot = billing === "spot";
      return [
        {
          provider: id,
          region: clusterId,
          zone: clusterId,
          type: `${product.id}:${count}`,
          gpu: { ...named, count, vramGb: vramGb ?? 0 },
          vcpus: (product.cpuPerGpu ?? 0) * count,
          memoryGb: (product.memoryPerGpu ?? 0) * count,
          billing,
          price,
          onDemandPrice: priceOf(product, "on-demand", count, currency),
          stock: isSoldOut ? 0 : "unknown",
          noticeSeconds: isSpot ? NOTICE_SECONDS : 0,
          protectionSeconds: isSpot ? NOTICE_SECONDS : 0,
          interruptionsPerHour: null,
          source: "live",
          observedAt: api.now(),
        },
      ];
    }),
  );
}

/**
 * Everything rentable, cluster by cluster: prices and stock of a product differ between clusters, and the call without one is
 * a sum. Two calls for each cluster, six at a time. That something is in stock is a number nowhere, so it is `unknown`.
 */
export async function allOffers(api: PpioApi, query: OfferQuery, context: CallContext): Promise<readonly Offer[]> {
  const { gpuCount, gpuModel, regions } = query;
  if (gpuCount !== undefined && (gpuCount < 1 || gpuCount > MOST_GPUS)) return [];
  const { data } = await api.read(clusterList, "/clusters", undefined, context);
  const clusters = data.map(({ id }) => id).filter((id) => regions === undefined || regions.length === 0 || regions.includes(id));
  const places = clusters.flatMap((clusterId): Place[] => [
    { clusterId, billing: ["spot"], method: "spot" },
    { clusterId, billing: ["on-demand", "monthly"], method: "onDemand" },
  ]);
  const counts = gpuCount === undefined ? COUNTS : [gpuCount];
  const found = await inTurn(places, async (place) => {
    const gpuNum = gpuCount === undefined ? {} : { gpuNum: gpuCount };
    const products = await api.products({ clusterId: place.clusterId, billingMethod: place.method, ...gpuNum }, context);
    return products
      .filter((product) => isSoldIn(product, place.clusterId, data))
      .flatMap((product) => offersOf(product, place, counts, api));
  });
  return found.flat().filter((offer) => gpuModel === undefined || offer.gpu.model.toUpperCase() === gpuModel.toUpperCase());
}
