import type { Account } from "../../model/account.ts";
import { EXIT } from "../../model/exit-codes.ts";
import { CLOUD_SLACK_MS } from "../../model/guard.ts";
import type { Offer } from "../../model/offer.ts";
import { Problem } from "../../model/problem.ts";
import type { Overrun } from "../../pricing/budget-room.ts";
import { BUNDLED_RATE, priceText } from "../../pricing/currency.ts";
import { isFault } from "../../providers/errors.ts";
import type { Provider, ProviderInstance } from "../../providers/provider.ts";
import type { InstanceRecord, IntentRecord, VolumeRecord } from "../../state/records.ts";
import { accountFor } from "../account.ts";
import { overrunEvent } from "../budgets/budget-events.ts";
import { launching, noteNoRoom, requireRoom, withinBudgets } from "../budgets/budget-guard.ts";
import { asOffered, offerKey, priceCap, TOO_DEAR } from "../deciding/offer-choice.ts";
import { launchReason } from "../deciding/waiting.ts";
import { didNothing } from "../faults.ts";
import { call, type Fleet } from "../fleet.ts";
import { newIntent } from "../intent.ts";
import { leastRate } from "../ledger.ts";
import { peerKeys } from "../peers.ts";
import { changeRecord, eventOf } from "../record-change.ts";
import { removeFreshVolume } from "../volumes/fresh-volume.ts";
import { isRootThere, rootOf } from "../volumes/root-volume.ts";
import { ensureVolume } from "../volumes/volumes.ts";
import { BLOCK_MS, noteWaiting, passedOverFor, passOver, type Quota } from "./no-capacity.ts";
import { type Plan, planLaunch } from "./plan.ts";

/**
 * The agent ends the machine at its TTL, after a last seal; the cloud's own limit comes this much later, for the case that
 * the agent cannot.
 */
const TTL_SLACK_SECONDS = CLOUD_SLACK_MS / 1000;

/**
 * Rents a machine for a record: the best offer, and the next one each time an offer says no.
 * @returns the record with its machine; or, after an answer that got lost, the record with its promise still open.
 * @throws Problem (exit 5) when no offer is left, Problem or ProviderError when the provider refuses for another reason.
 */
export async function launch(fleet: Fleet, record: InstanceRecord, signal: AbortSignal): Promise<InstanceRecord> {
  await requireRoom(fleet, [launching(record, leastRate(record), fleet.clock.now())]).catch((error) => noteNoRoom(fleet, record, error));
  let { current, root } = await withRoot(fleet, record, signal);
  let last: Plan | undefined;
  for (let attempt = 0; attempt < 20; attempt++) {
    const plan = await planLaunch(fleet, current.spec, signal, root === undefined ? { record: current } : { record: current, root });
    const [offer] = plan.offers;
    last = plan;
    if (offer === undefined) {
      // A volume that was made for this very launch and is still empty must not tie it to a place without capacity.
      if (plan.tie !== null && root === undefined && (await removeFreshVolume(fleet, current, signal))) continue;
      break;
    }
    const provider = await fleet.provider(offer.provider);
    const tried = await launchOffer(becauseOf(fleet, current, offer, plan), current, provider, offer, root, signal);
    current = tried.record;
    if (tried.done) return current;
    if (tried.quota !== undefined) await passOver(fleet, plan.offers, offer, tried.quota);
  }
  const why = last?.why;
  current = await noteWaiting(fleet, current, why ?? "every offer refused");
  const quiet = (last?.silent ?? []).map(({ provider, why: reason }) => `${provider} did not answer (${reason})`).join("; ");
  throw new Problem({
    code: "SPOT_E_NO_CAPACITY",
    message: `no machine for ${current.name}: ${why ?? "every offer refused"}${quiet === "" ? "" : `; ${quiet}`}`,
    exit: why?.startsWith(TOO_DEAR) === true ? EXIT.refused : EXIT.noCapacity,
    retryable: true,
    next: ["spot offers"],
  });
}

/** Why this very offer is taken, for the events of its launch. */
function becauseOf(fleet: Fleet, record: InstanceRecord, offer: Offer, { prefer }: Plan): Fleet {
  const because = launchReason(record, offer, prefer, fleet.clock.now());
  return because === null ? fleet : { ...fleet, because: fleet.because === undefined ? because : `${fleet.because}; ${because}` };
}

/** The record with the root disk that was kept for it, if it is still there. */
async function withRoot(
  fleet: Fleet,
  record: InstanceRecord,
  signal: AbortSignal,
): Promise<{ readonly current: InstanceRecord; readonly root: VolumeRecord | undefined }> {
  const root = await rootOf(fleet, record);
  if (root !== undefined && (await isRootThere(fleet, root, signal))) return { current: record, root };
  if (record.rootVolume === null) return { current: record, root: undefined };
  return { current: await changeRecord(fleet, record, { rootVolume: null }), root: undefined };
}

async function launchOffer(
  fleet: Fleet,
  record: InstanceRecord,
  provider: Provider,
  offer: Offer,
  root: VolumeRecord | undefined,
  signal: AbortSignal,
): Promise<{ readonly record: InstanceRecord; readonly done: boolean; readonly quota?: Quota }> {
  const { spec } = record;
  const volume =
    spec.volume === null ? null : await volumeAt(fleet, provider, { ...spec.volume, fleet: spec.fleet, madeFor: record.id }, offer, signal);
  if (volume === "impossible") return { record, done: false };
  const account = await accountFor(fleet, offer.provider, signal);
  const promised = await withinBudgets(fleet, [launching(record, offer.price, fleet.clock.now())], signal, (held, warned) =>
    promise(held, record, offer, { volume, warned, account }),
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

/** Asks for one machine. What it is to be is written down already, under this token. @throws ProviderError */
export async function requestMachine(
  fleet: Fleet,
  record: InstanceRecord,
  provider: Provider,
  offer: Offer,
  parts: { readonly token: string; readonly volume: VolumeRecord | null; readonly root: VolumeRecord | undefined },
  signal: AbortSignal,
): Promise<ProviderInstance> {
  const { spec } = record;
  const { token, volume, root } = parts;
  const sshKey = provider.capabilities.machine.kind === "process" ? null : await fleet.guest.publicKey(signal);
  const peers = sshKey === null ? [] : await peerKeys(fleet, sshKey);
  const beside = sshKey === null || peers.length === 0 ? undefined : { ourKey: sshKey, keys: peers };
  const bootScript = await fleet.guest.bootScript(record, provider.capabilities, beside);
  return call(signal, (context) =>
    provider.launch(
      {
        name: record.name,
        token: token,
        offer,
        // Null where nobody named one: the price of the moment would be a limit, and the next rise of the market a reclaim.
        maxPrice: priceCap(spec, offer.price.currency, fleet.exchange ?? BUNDLED_RATE),
        image: spec.image,
        volumes: volume?.providerId == null ? [] : [{ providerVolumeId: volume.providerId, mount: spec.volume?.mount ?? "/data" }],
        env: {},
        bootScript,
        sshKey,
        ...(peers.length === 0 ? {} : { peerKeys: peers }),
        ports: spec.ports,
        registryAuth: spec.registryAuth,
        rootVolumeId: root?.providerId ?? null,
        ttlSeconds:
          record.ttlEndsAt === null ? null : Math.max(1, Math.ceil((record.ttlEndsAt - fleet.clock.now()) / 1000)) + TTL_SLACK_SECONDS,
        labels: spec.labels,
        ...(spec.onReclaim === "wait" ? { waitsForCapacity: true } : {}),
      },
      context,
    ),
  );
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

/**
 * Looks for the machine of a launch whose answer got lost. It may have arrived at the very end of a long wait: only now
 * begins the time in which it is sure to be listed.
 */
export async function findLaunched(
  fleet: Fleet,
  provider: Provider,
  token: string,
  signal: AbortSignal,
): Promise<ProviderInstance | undefined> {
  const until = fleet.clock.monotonic() + provider.capabilities.listSettlesMs;
  for (;;) {
    const listed = await call(signal, (context) => provider.list(context)).catch(() => []);
    const found = listed.find((instance) => instance.token === token);
    const restMs = until - fleet.clock.monotonic();
    if (found !== undefined || restMs <= 0) return found;
    await fleet.clock.sleep(Math.min(Math.max(500, provider.capabilities.pollMs), restMs), signal);
  }
}

/** The promise: from here on a machine with this token may exist, and the database knows it. */
async function promise(
  fleet: Fleet,
  record: InstanceRecord,
  offer: Offer,
  {
    volume,
    warned,
    account,
  }: { readonly volume: VolumeRecord | null; readonly warned: readonly Overrun[]; readonly account: Account | null },
): Promise<{ readonly record: InstanceRecord; readonly intent: IntentRecord }> {
  const now = fleet.clock.now();
  const intent = newIntent(fleet, {
    kind: "launch",
    instanceId: record.id,
    provider: offer.provider,
    detail: { offer: offerKey(offer), generation: record.generation },
  });
  const set = {
    state: "requested" as const,
    ...asOffered(offer),
    account,
    providerId: null,
    parked: null,
    volumes: volume === null ? [] : [{ name: volume.name, id: volume.id, mount: record.spec.volume?.mount ?? "/data" }],
    ttlEndsAt: record.ttlEndsAt ?? (record.spec.ttlMs === null ? null : now + record.spec.ttlMs),
    // Whatever comes of it, a later look need not wait for the time that was meant for this one.
    outlook: { ...record.outlook, waiting: record.outlook.waiting && { ...record.outlook.waiting, nextLook: now } },
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
  return changeRecord(
    fleet,
    record,
    {
      providerId: instance.providerId,
      rawState: instance.rawState,
      state: "provisioning",
      region: instance.region,
      zone: instance.zone,
      protectedUntil: instance.protectedUntil,
      ...(instance.price === null ? {} : { price: instance.price }),
      parkOnly: false,
      sealedAsleep: false,
      outlook: { ...record.outlook, waiting: null, spot: null, dearSince: null },
      reason: null,
    },
    {
      closeIntents: [{ id: intent.id, status: "done", at, detail: { providerId: instance.providerId } }],
      events: [
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
    { reason: why },
    {
      closeIntents: [{ id: intent.id, status: "failed", at, detail: { why } }],
      events: [eventOf(fleet, record, "action", { action: "launch-refused", why })],
      ...(passedOver === null ? {} : { blockOffers: [{ key: offerKey(passedOver.offer), until: at + BLOCK_MS, why: passedOver.why }] }),
    },
  );
}
