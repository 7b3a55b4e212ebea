import { type Money, moneyText } from "../../model/money.ts";
import { parsed } from "../cloud-http.ts";
import { isFault, ProviderError } from "../errors.ts";
import type { CallContext, LaunchSpec, ProviderInstance } from "../provider.ts";
import { taggedName } from "../tagged-name.ts";
import { type PpioApi, preparing } from "./api.ts";
import { containerBoot, LONGEST_COMMAND, LONGEST_VALUE, MOST_VARIABLES } from "./boot.ts";
import { stateOf } from "./codes.ts";
import { type Memory, PROTECTION_MS } from "./instance-view.ts";
import { priceOf } from "./prices.ts";
import { authList, created, type WireProduct } from "./wire.ts";

const LONGEST_NAME = 255;
/** GB of root disk where the product allows it: as much as Novita gives free of charge (guides/gpu-instance-pricing). */
const USUAL_ROOT_GB = 60;
const LEAST_ROOT_GB = 10;
const MOST_ROOT_GB = 6144;
/** The platform's own (create call). */
const RESERVED_PORTS = [2222, 2223, 2224];
const MOST_PORTS = 15;

function refused(api: PpioApi, kind: "invalid-request" | "price-too-low" | "conflict", why: string): ProviderError {
  return new ProviderError(api.vendor.id, { kind }, why);
}

function readType(type: string): { readonly productId: string; readonly gpuNum: number } {
  const at = type.lastIndexOf(":");
  return { productId: type.slice(0, at), gpuNum: Number(type.slice(at + 1)) };
}

function rootGb({ minRootFS, maxRootFS }: WireProduct): number {
  const least = Math.max(LEAST_ROOT_GB, minRootFS ?? 0);
  return Math.floor(Math.max(least, Math.min(USUAL_ROOT_GB, maxRootFS || MOST_ROOT_GB)));
}

function requireWithinLimits(api: PpioApi, spec: LaunchSpec, boot: ReturnType<typeof containerBoot>): void {
  const { ports, env } = spec;
  const reserved = ports.find(({ port }) => RESERVED_PORTS.includes(port));
  if (reserved !== undefined) throw refused(api, "invalid-request", `port ${reserved.port} is the platform's own there`);
  if (ports.length > MOST_PORTS) throw refused(api, "invalid-request", `at most ${MOST_PORTS} ports can be opened there`);
  if (boot.command.length > LONGEST_COMMAND || Object.keys(env).length + boot.envs.length > MOST_VARIABLES)
    throw refused(api, "invalid-request", "the boot script and the variables together are too long for this cloud");
  const long = Object.entries(env).find(([, value]) => value.length > LONGEST_VALUE);
  if (long !== undefined) throw refused(api, "invalid-request", `the value of ${long[0]} is longer than ${LONGEST_VALUE} characters`);
}

/** The id of registry credentials that were given by id or by name. */
async function authIdOf(api: PpioApi, wanted: string, context: CallContext): Promise<string> {
  const { data } = await preparing(api.vendor.id, () => api.read(authList, "/repository/auths", undefined, context));
  const found = data.find(({ id }) => id === wanted) ?? data.find(({ name }) => name === wanted);
  if (found !== undefined) return found.id;
  throw refused(api, "invalid-request", `${api.vendor.id} keeps no registry credentials called ${JSON.stringify(wanted)}`);
}

/** A storage can be mounted more than once there, and two workloads on one volume would spoil each other's work. */
async function requireFreeVolumes(api: PpioApi, { volumes }: LaunchSpec, context: CallContext): Promise<void> {
  if (volumes.length === 0) return;
  const wanted = new Set(volumes.map(({ providerVolumeId }) => providerVolumeId));
  const instances = await preparing(api.vendor.id, () => api.instances(null, context));
  const holder = instances.find(({ status, volumeMounts }) => stateOf(status) !== "gone" && volumeMounts.some(({ id }) => wanted.has(id)));
  if (holder !== undefined) throw refused(api, "conflict", `the volume is still mounted by ${holder.id} (${holder.status})`);
}

/** The product as it is offered at this moment: no request can carry a cap, so the price is looked at just before. */
async function productNow(
  api: PpioApi,
  spec: LaunchSpec,
  context: CallContext,
): Promise<{ readonly product: WireProduct; readonly price: Money }> {
  const { offer } = spec;
  const { productId, gpuNum } = readType(offer.type);
  const billingMethod = offer.billing === "spot" ? "spot" : "onDemand";
  const products = await preparing(api.vendor.id, () => api.products({ clusterId: offer.region, gpuNum, billingMethod }, context));
  const product = products.find(({ id }) => id === productId);
  const price = product === undefined ? null : priceOf(product, offer.billing, gpuNum, api.vendor.currency);
  if (product === undefined || price === null)
    throw new ProviderError(
      api.vendor.id,
      { kind: "no-capacity", scope: "offer" },
      `${offer.type} is no longer offered in ${offer.region}`,
    );
  return { product, price };
}

function requireWithinCap(api: PpioApi, spec: LaunchSpec, price: Money): void {
  const cap = spec.maxPrice ?? spec.offer.price;
  if (cap.currency === price.currency && cap.micros >= price.micros) return;
  throw refused(api, "price-too-low", `${spec.offer.type} costs ${moneyText(price)} an hour, the cap is ${moneyText(cap)}`);
}

async function createBody(api: PpioApi, spec: LaunchSpec, product: WireProduct, context: CallContext): Promise<unknown> {
  const { offer } = spec;
  const { productId, gpuNum } = readType(offer.type);
  const boot = containerBoot(spec.bootScript, spec.sshKey);
  requireWithinLimits(api, spec, boot);
  return {
    name: taggedName(spec.name, spec.token, LONGEST_NAME),
    productId,
    gpuNum,
    rootfsSize: rootGb(product),
    imageUrl: spec.image ?? api.vendor.defaultImage,
    ...(spec.registryAuth === null ? {} : { imageAuthId: await authIdOf(api, spec.registryAuth, context) }),
    // One string here, an array everywhere else. Whether it may be empty is not documented.
    ...(spec.ports.length === 0 ? {} : { ports: spec.ports.map(({ port, protocol }) => `${port}/${protocol}`).join(", ") }),
    envs: [...Object.entries(spec.env).map(([key, value]) => ({ key, value })), ...boot.envs],
    entrypoint: boot.entrypoint,
    command: boot.command,
    clusterId: offer.region,
    // With a capital letter; without it the storage is not mounted.
    networkStorages: spec.volumes.map(({ providerVolumeId, mount }) => ({ Id: providerVolumeId, mountPoint: mount })),
    kind: "gpu",
    // More than 0 months would make it monthly, whatever the mode says.
    month: 0,
    billingMode: offer.billing === "spot" ? "spot" : "onDemand",
  };
}

/** Sends the create call, once. An answer without an id is no answer: the instance is found by the token in its name. */
async function create(api: PpioApi, body: unknown, context: CallContext): Promise<string> {
  const answer = await api.change("/gpu/instance/create", body, context);
  try {
    return parsed(api.vendor.id, created, answer).id;
  } catch (error) {
    if (!isFault(error, "protocol")) throw error;
    throw new ProviderError(api.vendor.id, { kind: "ambiguous" }, `${answer.asked} was answered without an id`, error.rawCode, error);
  }
}

/**
 * Rents one instance. Nothing but the create call changes anything, and it is sent once: there is no idempotency key, so the
 * token travels in the name.
 * @throws ProviderError `price-too-low` and `conflict` before anything is sent; what the cloud says; `ambiguous`.
 */
export async function launchInstance(api: PpioApi, spec: LaunchSpec, memory: Memory, context: CallContext): Promise<ProviderInstance> {
  const { offer } = spec;
  if (offer.billing === "monthly") throw refused(api, "invalid-request", "a month cannot be rented by spot: it could not be ended before");
  requireWithinCap(api, spec, offer.price);
  const { product, price } = await productNow(api, spec, context);
  requireWithinCap(api, spec, price);
  await requireFreeVolumes(api, spec, context);
  const body = await createBody(api, spec, product, context);
  const sentAt = api.now();
  const providerId = await create(api, body, context);
  memory.prices.set(providerId, price);
  memory.made.set(providerId, sentAt);
  memory.names.set(providerId, taggedName(spec.name, spec.token, LONGEST_NAME));
  return {
    providerId,
    name: spec.name,
    token: spec.token,
    state: "provisioning",
    rawState: "toCreate",
    region: offer.region,
    zone: offer.zone,
    type: offer.type,
    gpu: offer.gpu,
    billing: offer.billing,
    price,
    createdAt: sentAt,
    protectedUntil: offer.billing === "spot" ? sentAt + PROTECTION_MS : null,
    notice: null,
    reach: null,
    volumeIds: spec.volumes.map(({ providerVolumeId }) => providerVolumeId),
    reason: null,
    endedBy: null,
    canHibernate: false,
    dataKeptUntil: null,
    endpoints: [],
    rootVolumeId: null,
  };
}
