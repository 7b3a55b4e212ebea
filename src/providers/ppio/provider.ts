import { isFault, ProviderError } from "../errors.ts";
import { LASTING_KEY } from "../lasting-key.ts";
import type { CallContext, Capabilities, Provider, ProviderInstance } from "../provider.ts";
import { tokenOf } from "../tagged-name.ts";
import { type PpioApi, type PpioWorld, ppioApi } from "./api.ts";
import { saysNothing, stateOf } from "./codes.ts";
import { inTurn } from "./in-turn.ts";
import { instanceOf, type Memory } from "./instance-view.ts";
import { launchInstance } from "./launch.ts";
import { allOffers } from "./offers.ts";
import { NOVITA, PPIO, type Vendor } from "./vendors.ts";
import { ppioVolumes } from "./volumes.ts";
import type { WireInstance } from "./wire.ts";

const CAPABILITIES: Omit<Capabilities, "asleep"> = {
  noticeSeconds: 3600,
  protectionSeconds: 3600,
  hibernate: "park",
  idempotentLaunch: false,
  // The limit is not documented; clients that were run against it ask every two to five seconds.
  pollMs: 2_000,
  // Not documented. A list that is behind, or a create that was still under way when its connection broke, should be over by then.
  listSettlesMs: 30_000,
  volumes: true,
  zonalVolumes: false,
  endsAtTtl: false,
  restartsReclaimed: false,
  listEvery: null,
  machine: { kind: "container", notices: "controller", endsItself: false, volumes: "mounted" },
  retainsAddress: false,
  keepsRoot: false,
  // Whether the price of a machine that runs ever changes is not documented, and no answer tells one.
  billsMarketPrice: false,
  freeIfReclaimedWithinMs: 0,
  stoppedBillsGpu: false,
  whyNoStop: "stopped, it still costs storage, its disk is deleted after at most 7 days, and its node may be taken",
};

/** Reasons with which the state of an instance forbids something. */
const WRONG_STATE: readonly (string | null)[] = ["CONFLICT", "INVALID_STATE_CHANGE", "OPERATION_LIMIT", "DEPENDENT_RESOURCE_STATE"];

/**
 * One instance, from two calls: only the details know the way in, only the list knows of a reclaim. One that the details do not
 * find is gone when the list does not have it either.
 */
async function look(api: PpioApi, id: string, memory: Memory, context: CallContext): Promise<WireInstance | undefined> {
  const details = await api.details(id, context);
  // What is not in the whole list is gone; what a search by name does not find may be there all the same.
  const search = async (name: string | null) =>
    (name === null ? undefined : await api.row(id, name, context)) ?? api.row(id, null, context);
  if (details === undefined) return search(memory.names.get(id) || null);
  const isSpot = details.billingMode === "spot" || details.billingMode === "";
  if (!isSpot || ["gone", "terminating"].includes(stateOf(details.status))) return details;
  // Without the row a notice would be missed.
  const row = await search(details.name || null);
  if (row === undefined) return details;
  // The row is the younger of the two, and by the documents the only one with the fields of a reclaim.
  return {
    ...details,
    status: row.status,
    statusError: row.statusError,
    spotStatus: row.spotStatus || details.spotStatus,
    spotReclaimTime: row.spotReclaimTime ?? details.spotReclaimTime,
    createdAt: details.createdAt ?? row.createdAt,
    lastStoppedAt: details.lastStoppedAt ?? row.lastStoppedAt,
    releaseDataAt: details.releaseDataAt ?? row.releaseDataAt,
  };
}

/**
 * The whole account. How one is reached is left out: that would be a call for every row, and whoever needs it asks for that
 * very one. Only of ours that are stopped, which is rare, the details are asked for, so that until when their data is kept is
 * the same here as there.
 */
async function listAll(api: PpioApi, context: CallContext): Promise<readonly WireInstance[]> {
  const rows = await api.instances(null, context);
  const asleep = rows.filter(
    ({ status, name, releaseDataAt }) => stateOf(status) === "stopped" && tokenOf(name) !== null && releaseDataAt === null,
  );
  const details = await inTurn(asleep, ({ id }) => api.details(id, context));
  const days = new Map(details.flatMap((one) => (one === undefined ? [] : [[one.id, one] as const])));
  return rows.map((row) => {
    const known = days.get(row.id);
    if (known === undefined) return row;
    const { keepDataDay, releaseDataAt, lastStoppedAt } = known;
    return { ...row, keepDataDay, releaseDataAt, lastStoppedAt: lastStoppedAt ?? row.lastStoppedAt };
  });
}

async function destroy(api: PpioApi, id: string, memory: Memory, context: CallContext): Promise<"accepted" | "gone"> {
  try {
    await api.change("/gpu/instance/delete", { instanceId: id }, context);
    return "accepted";
  } catch (error) {
    const isWordless = saysNothing(error);
    if (!(error instanceof ProviderError) || !(isWordless || isFault(error, "not-found", "conflict"))) throw error;
    const found = await look(api, id, memory, context).catch((failure: unknown) => {
      // The delete itself was refused: nothing was done.
      if (isFault(failure, "protocol", "not-found"))
        throw new ProviderError(api.vendor.id, { kind: "unavailable" }, failure.message, failure.rawCode, failure);
      throw failure;
    });
    const state = found === undefined ? "gone" : stateOf(found.status);
    if (state === "gone") return "gone";
    if (state === "terminating") return "accepted";
    // Clients of this API tell of a delete that wants a stop first. It ends the bill for the GPU, and the next call ends the rest.
    if ((isWordless || WRONG_STATE.includes(error.rawCode)) && state === "running")
      await api.change("/gpu/instance/stop", { instanceId: id }, context);
    throw new ProviderError(
      api.vendor.id,
      { kind: "unavailable" },
      `it cannot be deleted now (${found?.status}): ${error.message}`,
      error.rawCode,
      error,
    );
  }
}

function provider(vendor: Vendor, world: PpioWorld): Provider {
  const api = ppioApi(vendor, world);
  const memory: Memory = { prices: new Map(), made: new Map(), noticed: new Map(), names: new Map() };
  const seen = (wire: WireInstance): ProviderInstance => instanceOf(wire, { vendor: vendor.id, seenAt: api.now(), ours: api.ours, memory });
  return {
    id: vendor.id,
    capabilities: { ...CAPABILITIES, asleep: vendor.asleep },
    offers: (query, context) => allOffers(api, query, context),
    launch: (spec, context) => launchInstance(api, spec, memory, context),
    list: async (context) => (await listAll(api, context)).map(seen),
    async get(providerId, context) {
      const found = await look(api, providerId, memory, context);
      return found === undefined ? undefined : seen(found);
    },
    destroy: (providerId, context) => destroy(api, providerId, memory, context),
    volumes: ppioVolumes(api),
    credentials: LASTING_KEY,
  };
}

/** GPU instances at PPIO, in CNY. */
export async function ppioProvider(world: PpioWorld): Promise<Provider> {
  return provider(PPIO, world);
}

/** GPU instances at Novita, in USD: the same API at another host. */
export async function novitaProvider(world: PpioWorld): Promise<Provider> {
  return provider(NOVITA, world);
}
