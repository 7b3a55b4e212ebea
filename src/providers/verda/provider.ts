import { LASTING_KEY } from "../lasting-key.ts";
import type { Capabilities, Provider, ProviderInstance } from "../provider.ts";
import { type VerdaWorld, verdaClient } from "./client.ts";
import { NEVER_WAS } from "./codes.ts";
import { destroyInstance } from "./destroy.ts";
import { findInstance, listInstances, toInstance } from "./instances.ts";
import { launchInstance } from "./launch.ts";
import { leftoversOf } from "./leftovers.ts";
import { listOffers } from "./offers.ts";
import { VERDA_ASLEEP } from "./sleep.ts";
import { volumeOperations } from "./volumes.ts";
import type { WireInstance } from "./wire.ts";

const CAPABILITIES: Capabilities = {
  // No notice, event or field before a reclaim is documented.
  noticeSeconds: 0,
  protectionSeconds: 0,
  // Its own hibernation is documented in two ways that exclude each other, and left alone.
  hibernate: "park",
  idempotentLaunch: false,
  // 60 requests a minute to one path is the limit.
  pollMs: 2_000,
  // Not documented. The vendor's SDKs ask for an instance right after they made it; this is for a request still on its way.
  listSettlesMs: 10_000,
  volumes: true,
  zonalVolumes: false,
  endsAtTtl: false,
  restartsReclaimed: false,
  listEvery: null,
  machine: { kind: "vm", notices: "controller", endsItself: false, volumes: "device" },
  retainsAddress: false,
  keepsRoot: true,
  // FIXED_PRICE is ordered.
  billsMarketPrice: false,
  freeIfReclaimedWithinMs: 0,
  stoppedBillsGpu: true,
  whyNoStop: "a machine that is shut down at Verda is billed like one that runs",
  asleep: VERDA_ASLEEP,
};

/** Verda (formerly DataCrunch). Facts and their sources: docs/providers/verda.md. */
export async function verdaProvider(world: VerdaWorld): Promise<Provider> {
  const client = verdaClient(world);
  const { VERDA_SSH_USER: given } = world.env;
  const user = given === undefined || given === "" ? "root" : given;
  /** Ids that were ended, of which the cloud may go on saying that there was no capacity for them. */
  const ended = new Set<string>();
  const inOurWords = (wire: WireInstance): ProviderInstance => {
    const instance = toInstance(wire, { offsetMs: client.clockOffsetMs(), user });
    return wire.status === NEVER_WAS && ended.has(wire.id) ? { ...instance, state: "gone" } : instance;
  };
  return {
    id: "verda",
    capabilities: CAPABILITIES,
    offers: (query, context) => listOffers(client, query, context),
    launch: (spec, context) => launchInstance(client, spec, context),
    async list(context) {
      return (await listInstances(client, context)).map(inOurWords);
    },
    async get(providerId, context) {
      const instance = await findInstance(client, providerId, context);
      return instance === undefined ? undefined : inOurWords(instance);
    },
    async destroy(providerId, context, options) {
      const how = await destroyInstance(client, providerId, context, options ?? { keepRoot: false });
      if (how === "gone") ended.add(providerId);
      return how;
    },
    volumes: volumeOperations(client),
    credentials: LASTING_KEY,
    leftovers: leftoversOf(client),
  };
}
