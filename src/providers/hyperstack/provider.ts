import { isFault, ProviderError } from "../errors.ts";
import { LASTING_KEY } from "../lasting-key.ts";
import type { CallContext, Capabilities, Provider, ProviderInstance } from "../provider.ts";
import { type Api, type HyperstackWorld, hyperstackApi } from "./api.ts";
import { PROVIDER, takesVolumes } from "./codes.ts";
import { hibernationOf } from "./hibernation.ts";
import { dataVolumes, toInstance } from "./instances.ts";
import { launchVm } from "./launch.ts";
import { leftoversOf } from "./leftovers.ts";
import { MACHINES, type Machines, machines as machinesOf } from "./machines.ts";
import { allOffers } from "./offers.ts";
import { places as placesOf } from "./places.ts";
import { pricebook } from "./prices.ts";
import { HYPERSTACK_ASLEEP } from "./sleep.ts";
import { volumesOf } from "./volumes.ts";
import { isId, type WireVm } from "./wire.ts";

const CAPABILITIES: Capabilities = {
  // No notice is documented: treated as none.
  noticeSeconds: 0,
  protectionSeconds: 0,
  hibernate: "native",
  idempotentLaunch: false,
  // 500 requests a minute and address, shared with everything else there; its machines take minutes to change.
  pollMs: 5_000,
  // Nothing is documented; a create that was accepted late in its minute, and then some.
  listSettlesMs: 30_000,
  volumes: true,
  zonalVolumes: false,
  endsAtTtl: false,
  restartsReclaimed: false,
  listEvery: null,
  machine: { kind: "vm", notices: "controller", endsItself: false, volumes: "device" },
  retainsAddress: true,
  keepsRoot: false,
  // A fixed discount; nothing says that a machine that runs is priced anew.
  billsMarketPrice: false,
  freeIfReclaimedWithinMs: 0,
  stoppedBillsGpu: true,
  whyNoStop: "a machine that is only shut off is billed in full on Hyperstack, its GPU included",
  asleep: HYPERSTACK_ASLEEP,
};

/** Volumes come first, but not for ever: the machine costs far more than a volume that stays RESERVED. */
const DETACH_WITHIN_MS = 20_000;

/** Ends a machine; its volumes are taken off before, so that they are free when it is gone and not RESERVED. */
async function end(api: Api, machines: Machines, asked: Set<string>, id: string, context: CallContext): Promise<"accepted" | "gone"> {
  const vm = await machines.get(id, context);
  if (vm === undefined || vm.status === "DELETED") return "gone";
  if (vm.status === "DELETING") return "accepted";
  if (takesVolumes(vm.status) && dataVolumes(vm).length > 0)
    await machines.detachAll(id, api.now() + DETACH_WITHIN_MS, context).catch((error: unknown) => {
      if (context.signal.aborted) throw error;
    });
  asked.add(id);
  try {
    await api.change({ method: "DELETE", path: `${MACHINES}/${id}`, unknown400: { kind: "conflict" } }, context);
    return "accepted";
  } catch (error) {
    // 409 and a 400 about its state: a snapshot is being made, or it is in between. It will pass.
    if (isFault(error, "conflict")) throw new ProviderError(PROVIDER, { kind: "unavailable" }, error.message, error.rawCode, error);
    if (!isFault(error, "not-found")) throw error;
    const still = await machines.get(id, context);
    if (still === undefined || still.status === "DELETED") return "gone";
    throw new ProviderError(PROVIDER, { kind: "unavailable" }, `machine ${id} was denied and is there`, error.rawCode, error);
  }
}

/** Hyperstack (NexGen Cloud, "Infrahub" API v1). Wire facts and what is unknown: docs/providers/hyperstack.md. */
export async function hyperstackProvider(world: HyperstackWorld): Promise<Provider> {
  const api = hyperstackApi(world);
  const machines = machinesOf(api);
  const places = placesOf(api);
  const book = pricebook(api);
  const endedByUs = new Set<string>();
  const shown = async (found: readonly WireVm[], context: CallContext): Promise<readonly ProviderInstance[]> => {
    const around = {
      prices: found.length === 0 ? undefined : await book.recent(context),
      isEndedByUs: (id: string) => endedByUs.has(id),
      clockOffsetMs: api.clockOffsetMs(),
      login: world.env["HYPERSTACK_SSH_USER"] || undefined,
    };
    return found.map((vm) => toInstance(vm, around));
  };
  return {
    id: PROVIDER,
    capabilities: CAPABILITIES,
    offers: (query, context) => allOffers(api, book, query, context),
    async launch(spec, context) {
      const vm = await launchVm(api, machines, places, spec, context);
      const around = { prices: undefined, isEndedByUs: () => false, clockOffsetMs: api.clockOffsetMs(), login: undefined };
      return { ...toInstance(vm, around), price: spec.offer.price };
    },
    list: async (context) => shown(await machines.list(context), context),
    async get(providerId, context) {
      const vm = await machines.get(providerId, context);
      return vm === undefined ? undefined : (await shown([vm], context))[0];
    },
    destroy: async (providerId, context) => (isId(providerId) ? end(api, machines, endedByUs, providerId, context) : "gone"),
    volumes: volumesOf(api, machines, places, book),
    hibernation: hibernationOf(api, machines),
    credentials: LASTING_KEY,
    leftovers: leftoversOf(api),
  };
}
