import type { Instances, Order } from "./instances.ts";
import type { Market } from "./market.ts";
import { invalid, Refusal } from "./refusals.ts";
import type { PpioSettings } from "./settings.ts";
import type { Storages } from "./storages.ts";

interface Books {
  readonly market: Market;
  readonly instances: Instances;
  readonly storages: Storages;
  readonly settings: () => PpioSettings;
  /** The registry credentials that the account keeps, by id. */
  readonly auths: ReadonlyMap<string, string>;
}

type Body = Readonly<Record<string, unknown>>;

const KNOWN = new Set(
  "name productId gpuNum rootfsSize imageUrl imageAuth imageAuthId ports envs tools command entrypoint clusterId networkStorages networkId kind month billingMode autoRenew autoRenewMonth minCudaVersion".split(
    " ",
  ),
);
const RESERVED_PORTS = new Set([2222, 2223, 2224]);

function text(body: Body, field: string, shortest: number, longest: number): string {
  const value = body[field] ?? "";
  if (typeof value !== "string" || value.length < shortest || value.length > longest) throw invalid(field);
  return value;
}

function whole(body: Body, field: string, least: number, most: number): number {
  const value = body[field];
  if (typeof value !== "number" || !Number.isInteger(value) || value < least || value > most) throw invalid(field);
  return value;
}

function rows(body: Body, field: string, most: number): readonly Body[] {
  const value = body[field] ?? [];
  if (!Array.isArray(value) || value.length > most || value.some((row) => typeof row !== "object" || row === null)) throw invalid(field);
  return value;
}

function portsOf(body: Body): Order["ports"] {
  const line = text(body, "ports", 0, 1000);
  const ports = line === "" ? [] : line.split(",").map((word) => /^\s*(\d{1,5})\/(tcp|http)\s*$/.exec(word));
  const read = ports.map((match) => ({ port: Number(match?.[1] ?? 0), type: match?.[2] ?? "" }));
  if (read.some(({ port }) => port < 1 || port > 65_535 || RESERVED_PORTS.has(port)) || read.length > 15) throw invalid("ports");
  return read;
}

function billingOf(body: Body): Order["billingMode"] {
  const mode = body["billingMode"] ?? "onDemand";
  if (mode !== "onDemand" && mode !== "monthly" && mode !== "spot") throw invalid("billingMode");
  const month = body["month"] === undefined ? 0 : whole(body, "month", 0, 120);
  // Whatever else is said.
  return month > 0 ? "monthly" : mode;
}

/** Checks a create request as the documents have it; a field they do not know is refused, which the real one may not do. @throws Refusal */
export function orderOf(body: Body, { market, instances, storages, settings, auths }: Books): Order {
  for (const field of Object.keys(body)) if (!KNOWN.has(field)) throw invalid(`unknown: ${field}`);
  const product = market.product(text(body, "productId", 1, 255));
  const gpuNum = whole(body, "gpuNum", 1, 8);
  if (!["gpu", "cpu"].includes(String(body["kind"]))) throw invalid("kind");
  if (product === undefined) throw new Refusal(400, "RESOURCE_NOT_FOUND", "product not found");
  const rootfsSize = whole(body, "rootfsSize", 10, 6144);
  if (rootfsSize < product.minRootFS || rootfsSize > product.maxRootFS) throw invalid("rootfsSize");
  const envs = rows(body, "envs", 100).map((row) => ({ key: text(row, "key", 1, 511), value: text(row, "value", 0, 4095) }));
  const mounts = rows(body, "networkStorages", 30).map((row) => {
    // Small letters are another field, which nobody reads.
    if (Object.keys(row).some((field) => field !== "Id" && field !== "mountPoint")) throw invalid("networkStorages");
    return { id: text(row, "Id", 1, 255), mountPoint: text({ mountPoint: "/network", ...row }, "mountPoint", 1, 4095) };
  });
  const imageAuthId = text(body, "imageAuthId", 0, 255);
  if (imageAuthId !== "" && !auths.has(imageAuthId)) throw new Refusal(400, "RESOURCE_NOT_FOUND", "image auth not found");
  const billingMode = billingOf(body);
  if (billingMode === "spot" && product.spotPrice === 0) throw new Refusal(400, "UNSUPPORTED_BILLING_MODE");
  const asked = text(body, "clusterId", 0, 255);
  const anywhere = market.clusters.find(({ id }) => market.in(id).includes(product) && market.free(id, product.id) >= gpuNum);
  const clusterId = asked !== "" ? asked : (anywhere ?? market.clusters[0])?.id;
  if (!market.clusters.some(({ id }) => id === clusterId) || clusterId === undefined) throw invalid("clusterId");
  for (const { id } of mounts)
    if (storages.find(id).clusterId !== clusterId) throw new Refusal(400, "NETWORK_STORAGE_UNAVAILABLE", "storage of another cluster");
  if (settings().balanceUsedUp) throw new Refusal(400, "BALANCE_NOT_ENOUGH");
  if (instances.all().length >= settings().instanceLimit)
    throw new Refusal(400, "CREATE_INSTANCE_LIMIT", "please recharge or delete other instances");
  if (!market.in(clusterId).includes(product) || market.free(clusterId, product.id) < gpuNum)
    throw new Refusal(400, "INSUFFICIENT_RESOURCE");
  return {
    name: text(body, "name", 0, 255),
    product,
    clusterId,
    gpuNum,
    rootfsSize,
    imageUrl: text(body, "imageUrl", 1, 500),
    imageAuthId,
    command: text(body, "command", 0, 2047),
    entrypoint: text(body, "entrypoint", 0, 2047),
    envs,
    ports: portsOf(body),
    storages: mounts,
    billingMode,
  };
}
