import type { Account } from "../../model/account.ts";
import { moneyFromDecimal, moneyToDecimal } from "../../model/money.ts";
import type { Offer } from "../../model/offer.ts";
import { isFault, ProviderError } from "../errors.ts";
import type {
  CallContext,
  Capabilities,
  CredentialOperations,
  OfferQuery,
  Provider,
  ProviderInstance,
  ProviderVolume,
  Reach,
} from "../provider.ts";
import { type LocalClient, type LocalWorld, localClient } from "./client.ts";
import { endedBy, stateOf } from "./codes.ts";
import { LOCAL_ASLEEP } from "./sleep.ts";
import {
  accountSchema,
  allOffers,
  allVolumes,
  anything,
  billSchema,
  instancePage,
  oneInstance,
  oneVolume,
  type WireInstance,
  type WireOffer,
  type WireVolume,
} from "./wire.ts";

const PAGE = 200;
const MOST_PAGES = 1000;

/** From the first start on; the folder is gone with the instance, the log stays. */
function reachOf(instance: WireInstance): Reach | null {
  if (instance.startedAt === null) return null;
  return { kind: "process", cwd: instance.rootDir, env: instance.env, log: instance.consoleLog };
}

function reasonOf({ reason, exitCode }: WireInstance): string | null {
  return reason !== null && exitCode !== null ? `${reason} (exit code ${exitCode})` : reason;
}

function toInstance(instance: WireInstance, seenAt: number): ProviderInstance {
  const { notice } = instance;
  return {
    providerId: instance.id,
    name: instance.name,
    token: instance.clientToken,
    state: stateOf(instance.state),
    rawState: instance.state,
    region: instance.region,
    zone: instance.zone,
    type: instance.type,
    gpu: instance.gpu,
    billing: instance.billing,
    price: moneyFromDecimal(instance.price, instance.currency),
    createdAt: instance.createdAt,
    protectedUntil: instance.protectedUntil,
    notice: notice === null ? null : { kind: notice.kind, source: "api", seenAt, deadline: notice.deadline },
    reach: reachOf(instance),
    volumeIds: instance.volumes.map(({ id }) => id),
    reason: reasonOf(instance),
    endedBy: endedBy(instance.reason),
    canHibernate: true,
    dataKeptUntil: null,
    endpoints: [],
    rootVolumeId: null,
  };
}

function toOffer(offer: WireOffer, observedAt: number): Offer {
  const { currency, ...rest } = offer;
  return {
    ...rest,
    provider: "local",
    price: moneyFromDecimal(offer.price, currency),
    onDemandPrice: moneyFromDecimal(offer.onDemandPrice, currency),
    source: "live",
    observedAt,
  };
}

function toVolume(volume: WireVolume): ProviderVolume {
  return {
    providerId: volume.id,
    name: volume.name,
    token: volume.clientToken,
    sizeGb: volume.sizeGb,
    region: volume.region,
    zone: volume.zone,
    rawState: volume.state,
    attachedTo: volume.attachedTo,
    pricePerHour: moneyFromDecimal(volume.pricePerHour, volume.currency),
    usedBytes: volume.usedBytes,
    localPath: volume.path,
    device: null,
  };
}

function matches(offer: Offer, query: OfferQuery): boolean {
  return (
    (query.gpuModel === undefined || offer.gpu.model.toUpperCase() === query.gpuModel.toUpperCase()) &&
    (query.gpuCount === undefined || offer.gpu.count === query.gpuCount) &&
    (query.regions === undefined || query.regions.length === 0 || query.regions.includes(offer.region))
  );
}

async function listAll(client: LocalClient, context: CallContext): Promise<readonly WireInstance[]> {
  const found: WireInstance[] = [];
  let cursor: string | null = null;
  for (let page = 0; page < MOST_PAGES; page++) {
    const after: string = cursor === null ? "" : `&cursor=${encodeURIComponent(cursor)}`;
    const answer: { readonly instances: readonly WireInstance[]; readonly nextCursor: string | null } = await client.call(instancePage, {
      method: "GET",
      path: `/v1/instances?limit=${PAGE}${after}`,
      signal: context.signal,
    });
    found.push(...answer.instances);
    if (answer.nextCursor === null) return found;
    if (answer.nextCursor === cursor) break;
    cursor = answer.nextCursor;
  }
  throw new ProviderError("local", { kind: "protocol" }, "the list of instances does not end");
}

async function getInstance(client: LocalClient, id: string, context: CallContext): Promise<WireInstance | undefined> {
  try {
    return (await client.call(oneInstance, { method: "GET", path: `/v1/instances/${encodeURIComponent(id)}`, signal: context.signal }))
      .instance;
  } catch (error) {
    if (isFault(error, "not-found")) return undefined;
    throw error;
  }
}

const CAPABILITIES: Capabilities = {
  noticeSeconds: 120,
  protectionSeconds: 0,
  hibernate: "native",
  // True in some of its profiles only; nobody may rely on it.
  idempotentLaunch: false,
  // It lists at once; this is for a request whose sender was killed and that is still on its way.
  listSettlesMs: 2_000,
  volumes: true,
  zonalVolumes: false,
  endsAtTtl: true,
  restartsReclaimed: false,
  listEvery: null,
  machine: { kind: "process", notices: "local", endsItself: true, volumes: "mounted" },
  retainsAddress: false,
  keepsRoot: false,
  billsMarketPrice: false,
  freeIfReclaimedWithinMs: 0,
  stoppedBillsGpu: true,
  pollMs: 150,
  whyNoStop: "here a machine either runs, hibernates or is gone",
  asleep: LOCAL_ASLEEP,
};

/** Two computers may share one state, and neither can say anything of the machines of the other's embedded cloud. */
function credentialsOf(client: LocalClient): CredentialOperations {
  let account: Account | undefined;
  return {
    async account({ signal }) {
      account ??= (await client.call(accountSchema, { method: "GET", path: "/v1/account", signal })).account;
      return account;
    },
    expiry: async () => ({ expiresAt: null, renews: true, why: "the embedded cloud of this computer, which asks for none" }),
  };
}

/** The embedded cloud of this home, spoken to like any other. It is started by the first call. */
export function localProvider(world: LocalWorld): Provider {
  const client = localClient(world, { autoStart: true });
  const now = () => world.clock.now();
  const change = (method: "POST" | "DELETE", path: string, context: CallContext) =>
    client.call(anything, { method, path, signal: context.signal });
  return {
    id: "local",
    capabilities: CAPABILITIES,
    async offers(query, context) {
      const { offers } = await client.call(allOffers, { method: "GET", path: "/v1/offers", signal: context.signal });
      const observedAt = now();
      return offers.map((offer) => toOffer(offer, observedAt)).filter((offer) => matches(offer, query));
    },
    async launch(spec, context) {
      const body = {
        name: spec.name,
        clientToken: spec.token,
        type: spec.offer.type,
        zone: spec.offer.zone,
        billing: spec.offer.billing,
        maxPrice: moneyToDecimal(spec.maxPrice ?? spec.offer.price),
        tags: spec.labels,
        env: spec.env,
        bootScript: spec.bootScript,
        volumes: spec.volumes.map(({ providerVolumeId, mount }) => ({ id: providerVolumeId, mount })),
        ttlSeconds: spec.ttlSeconds,
      };
      const { instance } = await client.call(oneInstance, { method: "POST", path: "/v1/instances", body, signal: context.signal });
      return toInstance(instance, now());
    },
    async list(context) {
      const instances = await listAll(client, context);
      const seenAt = now();
      return instances.map((instance) => toInstance(instance, seenAt));
    },
    async get(providerId, context) {
      const instance = await getInstance(client, providerId, context);
      return instance === undefined ? undefined : toInstance(instance, now());
    },
    async destroy(providerId, context) {
      try {
        const path = `/v1/instances/${encodeURIComponent(providerId)}`;
        const { instance } = await client.call(oneInstance, { method: "DELETE", path, signal: context.signal });
        return instance.state === "terminated" ? "gone" : "accepted";
      } catch (error) {
        if (isFault(error, "not-found")) return "gone";
        throw error;
      }
    },
    volumes: {
      async create(spec, context) {
        const body = { name: spec.name, clientToken: spec.token, sizeGb: spec.sizeGb, zone: spec.zone };
        return toVolume((await client.call(oneVolume, { method: "POST", path: "/v1/volumes", body, signal: context.signal })).volume);
      },
      async list(context) {
        return (await client.call(allVolumes, { method: "GET", path: "/v1/volumes", signal: context.signal })).volumes.map(toVolume);
      },
      async remove(providerId, context) {
        await change("DELETE", `/v1/volumes/${encodeURIComponent(providerId)}`, context);
      },
    },
    hibernation: {
      async hibernate(providerId, context) {
        await change("POST", `/v1/instances/${encodeURIComponent(providerId)}/hibernate`, context);
      },
      async restore(providerId, context) {
        await change("POST", `/v1/instances/${encodeURIComponent(providerId)}/restore`, context);
      },
    },
    credentials: credentialsOf(client),
    billing: {
      async billed(since, context) {
        const path = `/v1/bill?since=${encodeURIComponent(new Date(since).toISOString())}`;
        const { items } = await client.call(billSchema, { method: "GET", path, signal: context.signal });
        return items.map(({ resourceId, kind, from, to, amount, currency }) => ({
          resourceId,
          kind,
          from,
          to,
          amount: moneyFromDecimal(amount, currency),
        }));
      },
    },
  };
}
