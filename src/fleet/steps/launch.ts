import { EXIT } from "../../model/exit-codes.ts";
import type { Offer } from "../../model/offer.ts";
import { Problem } from "../../model/problem.ts";
import type { Overrun } from "../../pricing/budget-room.ts";
import { priceText } from "../../pricing/currency.ts";
import { isFault } from "../../providers/errors.ts";
import type { Provider, ProviderInstance } from "../../providers/provider.ts";
import type { InstanceRecord, IntentRecord, VolumeRecord } from "../../state/records.ts";
import { accountFor } from "../account.ts";
import { overrunEvent } from "../budgets/budget-events.ts";
import { launching, noteNoRoom, requireRoom, withinBudgets } from "../budgets/budget-guard.ts";
import { comebackOf, isSnapshotDone } from "../climbing/climb.ts";
import { awaitsCopy, handOver, NOT_MOVED, volumesAgain } from "../climbing/moved-volume.ts";
import { dropTwin } from "../climbing/twins.ts";
import { asOffered, offerKey, TOO_DEAR } from "../deciding/offer-choice.ts";
import { launchReason } from "../deciding/waiting.ts";
import { didNothing } from "../faults.ts";
import type { Fleet } from "../fleet.ts";
import { newIntent } from "../intent.ts";
import { leastRate } from "../ledger.ts";
import { changeRecord, eventOf } from "../record-change.ts";
import { isRootThere, isWithVolume, leaveRoot, rootOf } from "../volumes/root-volume.ts";
import { ensureVolume } from "../volumes/volumes.ts";
import { BLOCK_MS, noteWaiting, passedOverFor, passOver, type Quota } from "./no-capacity.ts";
import { type NextPlace, nextPlace, type Place, volumesOf } from "./place.ts";
import type { Plan } from "./plan.ts";
import { findLaunched, interruptionsAt, requestMachine } from "./request.ts";

/**
 * Rents a machine for a record: the best offer, and the next one each time an offer says no.
 * @returns the record with its machine; or, after an answer that got lost, the record with its promise still open.
 * @throws Problem (exit 5) when no offer is left, Problem or ProviderError when the provider refuses for another reason.
 */
export async function launch(fleet: Fleet, record: InstanceRecord, signal: AbortSignal): Promise<InstanceRecord> {
  await requireRoom(fleet, [launching(record, leastRate(record), fleet.clock.now())]).catch((error) => noteNoRoom(fleet, record, error));
  const waited = await isSnapshotDone(fleet, record, signal);
  if (!waited.isDone) return waited.record;
  let { current, root } = await withRoot(fleet, waited.record, signal);
  let found: Exclude<NextPlace, { readonly kind: "under-way" | "again" }> | undefined;
  for (let attempt = 0; attempt < 20; attempt++) {
    const next = await nextPlace(fleet, current, root, signal);
    current = next.record;
    if (next.kind === "under-way") return current;
    if (next.kind === "again") continue;
    found = next;
    if (next.kind === "none") break;
    const provider = await fleet.provider(next.offer.provider);
    const tried = await launchOffer(becauseOf(fleet, current, next.offer, next.plan), current, provider, next, signal);
    current = tried.record;
    if (tried.done) return current;
    if (next.twin !== null) await dropTwin(fleet, current, next.twin, signal);
    if (tried.quota !== undefined) await passOver(fleet, next.plan.offers, next.offer, tried.quota);
  }
  const why = found?.kind === "none" ? found.why : null;
  current = await noteWaiting(fleet, current, why ?? "every offer refused");
  throw noMachine(current, found, why);
}

function noMachine({ name }: InstanceRecord, found: NextPlace | undefined, why: string | null): Problem {
  const silent = found?.kind === "none" ? found.silent : found?.kind === "place" ? found.plan.silent : [];
  const quiet = silent.map(({ provider, why: reason }) => `${provider} did not answer (${reason})`).join("; ");
  const isTooDear = why?.startsWith(TOO_DEAR) === true || (found?.kind === "none" && found.isDear === true);
  return new Problem({
    code: "SPOT_E_NO_CAPACITY",
    message: `no machine for ${name}: ${why ?? "every offer refused"}${quiet === "" ? "" : `; ${quiet}`}`,
    exit: isTooDear ? EXIT.refused : EXIT.noCapacity,
    retryable: true,
    next: ["spot offers"],
  });
}

/** Why this very offer is taken, for the events of its launch. */
function becauseOf(fleet: Fleet, record: InstanceRecord, offer: Offer, { prefer }: Pick<Plan, "prefer">): Fleet {
  const because = launchReason(record, offer, prefer, fleet.clock.now());
  return because === null ? fleet : { ...fleet, because: fleet.because === undefined ? because : `${fleet.because}; ${because}` };
}

/** The record with the root disk that was kept for it, if it is still there and its volume lies where it does. */
async function withRoot(
  fleet: Fleet,
  record: InstanceRecord,
  signal: AbortSignal,
): Promise<{ readonly current: InstanceRecord; readonly root: VolumeRecord | undefined }> {
  const root = await rootOf(fleet, record);
  if (root !== undefined && (await isRootThere(fleet, root, signal))) {
    if (await isWithVolume(fleet, record, root)) return { current: record, root };
    const { set, events } = await leaveRoot(fleet, record);
    return { current: await changeRecord(fleet, record, set, { events }), root: undefined };
  }
  if (record.rootVolume === null) return { current: record, root: undefined };
  return { current: await changeRecord(fleet, record, { rootVolume: null }), root: undefined };
}

async function launchOffer(
  fleet: Fleet,
  record: InstanceRecord,
  provider: Provider,
  { offer, root, twin, rung }: Place,
  signal: AbortSignal,
): Promise<{ readonly record: InstanceRecord; readonly done: boolean; readonly quota?: Quota }> {
  const { spec } = record;
  const wanted = spec.volume === null ? null : { ...spec.volume, fleet: spec.fleet, madeFor: record.id };
  const volume = twin ?? (wanted === null ? null : await volumeAt(fleet, provider, wanted, offer, signal));
  if (volume === "impossible") return { record, done: false };
  const account = await accountFor(fleet, offer.provider, signal);
  const promised = await withinBudgets(fleet, [launching(record, offer.price, fleet.clock.now())], signal, (held, warned) =>
    promise(held, record, offer, { volumes: volumesOf(record, volume), root, warned, account, rung }),
  ).catch((error) => noteNoRoom(fleet, record, error));
  fleet.say(`asking ${offer.provider} for ${offer.type} in ${offer.zone}`);
  try {
    const parts = { token: promised.intent.token, volume, root };
    const instance = await requestMachine(fleet, promised.record, provider, offer, parts, signal);
    return { record: await adoptLaunch(fleet, promised.record, promised.intent, instance), done: true };
  } catch (error) {
    if (!didNothing(error)) {
      const found = await findLaunched(fleet, provider, promised.intent.token, signal);
      if (found === undefined) throw error;
      return { record: await adoptLaunch(fleet, promised.record, promised.intent, found), done: true };
    }
    const why = passedOverFor(error, offer);
    const closed = await refuseLaunch(fleet, promised.record, promised.intent, error.message, why === null ? null : { offer, why });
    if (why === null) throw error;
    return {
      record: closed,
      done: false,
      ...(error.fault.kind === "quota" ? { quota: { scope: error.fault.scope ?? "provider", why } } : {}),
    };
  }
}

/** The volume where the offer is; an offer at a place that can have none is passed over like one without capacity. */
async function volumeAt(
  fleet: Fleet,
  provider: Provider,
  wanted: NonNullable<InstanceRecord["spec"]["volume"]> & { readonly fleet: string | null; readonly madeFor: string },
  offer: Offer,
  signal: AbortSignal,
): Promise<VolumeRecord | "impossible"> {
  try {
    return await ensureVolume(fleet, provider, wanted, offer, signal);
  } catch (error) {
    if (!isFault(error, "unsupported", "no-capacity")) throw error;
    fleet.say(`no volume in ${offer.zone} (${error.message}); trying another offer`);
    await fleet.state.commit({
      blockOffers: [{ key: offerKey(offer), until: fleet.clock.now() + BLOCK_MS, why: `no volume there: ${error.message}` }],
    });
    return "impossible";
  }
}

/** The promise: from here on a machine with this token may exist, and the database knows it. */
async function promise(
  fleet: Fleet,
  record: InstanceRecord,
  offer: Offer,
  {
    volumes,
    root,
    warned,
    account,
    rung,
  }: Pick<InstanceRecord, "volumes" | "account"> & Pick<Place, "root" | "rung"> & { readonly warned: readonly Overrun[] },
): Promise<{ readonly record: InstanceRecord; readonly intent: IntentRecord }> {
  const now = fleet.clock.now();
  const comeback = comebackOf(record);
  const intent = newIntent(fleet, {
    kind: "launch",
    instanceId: record.id,
    provider: offer.provider,
    detail: { offer: offerKey(offer), generation: record.generation, root: root?.id ?? null },
  });
  const set = {
    state: "requested" as const,
    ...asOffered(offer),
    account,
    providerId: null,
    parked: null,
    volumes,
    ttlEndsAt: record.ttlEndsAt ?? (record.spec.ttlMs === null ? null : now + record.spec.ttlMs),
    // Whatever comes of it, a later look need not wait for the time that was meant for this one.
    outlook: {
      ...record.outlook,
      waiting: record.outlook.waiting && { ...record.outlook.waiting, nextLook: now },
      interruptions: await interruptionsAt(fleet, offer),
      ...(comeback === null ? {} : { comeback: { ...comeback, rung } }),
    },
  };
  const changed = await changeRecord(fleet, record, set, {
    openIntents: [intent],
    events: [
      eventOf(fleet, { name: record.name, provider: offer.provider }, "intent", {
        intent: "launch",
        token: intent.token,
        offer: offerKey(offer),
        price: priceText(offer.price),
      }),
      ...warned.map((overrun) => overrunEvent(now, { name: record.name, provider: offer.provider }, overrun)),
    ],
  });
  return { record: changed, intent };
}

/** Records the machine that a launch made, whether its answer came back or it was found by its token. */
export async function adoptLaunch(
  fleet: Fleet,
  record: InstanceRecord,
  intent: IntentRecord,
  instance: ProviderInstance,
): Promise<InstanceRecord> {
  const at = fleet.clock.now();
  const comeback = comebackOf(record);
  // A copy whose checkpoint is still to come gets its name when that has arrived: until then the volume holds the work.
  const isEmpty = await awaitsCopy(fleet, record);
  const { events, ...moved } = isEmpty ? NOT_MOVED : await handOver(fleet, record);
  // While a copy is awaited all is as it was, and so is the root disk of the machine before.
  const root = !isEmpty && intent.detail["root"] === null ? await leaveRoot(fleet, record) : { set: {}, events: [] };
  const { unusedAt: _, ...outlook } = record.outlook;
  // More than one: a copy, and the volume that it stands in for.
  const given = record.volumes.length > 1 && !isEmpty ? record.volumes.map(({ id }) => id) : [];
  return changeRecord(
    fleet,
    record,
    {
      ...root.set,
      volumes: isEmpty ? record.volumes : record.volumes.slice(0, 1),
      providerId: instance.providerId,
      rawState: instance.rawState,
      state: "provisioning",
      region: instance.region,
      zone: instance.zone,
      protectedUntil: instance.protectedUntil,
      ...(instance.price === null ? {} : { price: instance.price }),
      parkOnly: false,
      sealedAsleep: false,
      // What a machine has had may have been written to: a snapshot from before is not known to be fresh any more.
      outlook: {
        ...outlook,
        waiting: null,
        spot: null,
        dearSince: null,
        ...(given.length > 0 && { given: [...new Set([...(outlook.given ?? []), ...given])] }),
        ...(isEmpty && { vessels: [...new Set([...(outlook.vessels ?? []), ...record.volumes.slice(0, 1).map(({ id }) => id)])] }),
        ...(comeback && { comeback: { ...comeback, snapshot: null } }),
      },
      reason: null,
    },
    {
      ...moved,
      closeIntents: [{ id: intent.id, status: "done", at, detail: { providerId: instance.providerId } }],
      events: [
        ...events,
        ...root.events,
        eventOf(fleet, record, "action", { action: "launch", providerId: instance.providerId, type: instance.type, zone: instance.zone }),
      ],
    },
  );
}

/** Closes a promise that came to nothing; the offer that it was about is passed over for a while, where there is a reason to. */
export async function refuseLaunch(
  fleet: Fleet,
  record: InstanceRecord,
  intent: IntentRecord,
  why: string,
  passedOver: { readonly offer: Offer; readonly why: string } | null,
): Promise<InstanceRecord> {
  const at = fleet.clock.now();
  return changeRecord(
    fleet,
    record,
    { reason: why, ...(await volumesAgain(fleet, record)) },
    {
      closeIntents: [{ id: intent.id, status: "failed", at, detail: { why } }],
      events: [eventOf(fleet, record, "action", { action: "launch-refused", why })],
      ...(passedOver === null ? {} : { blockOffers: [{ key: offerKey(passedOver.offer), until: at + BLOCK_MS, why: passedOver.why }] }),
    },
  );
}
