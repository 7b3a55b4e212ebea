import type { Offer } from "../../model/offer.ts";
import { Problem } from "../../model/problem.ts";
import { priceText } from "../../pricing/currency.ts";
import { ProviderError } from "../../providers/errors.ts";
import type { Provider, ProviderInstance } from "../../providers/provider.ts";
import type { InstanceRecord, IntentRecord } from "../../state/records.ts";
import { overrunEvent } from "../budgets/budget-events.ts";
import { launching, withinBudgets } from "../budgets/budget-guard.ts";
import { asSuccessor, successorOf } from "../deciding/ahead.ts";
import { asOffered, offerKey } from "../deciding/offer-choice.ts";
import { didNothing } from "../faults.ts";
import { call, type Fleet } from "../fleet.ts";
import { newIntent } from "../intent.ts";
import { changeRecord, eventOf } from "../record-change.ts";
import { passedOverFor } from "./no-capacity.ts";
import { planLaunch } from "./plan.ts";
import { findLaunched, interruptionsAt, requestMachine } from "./request.ts";

/** An offer that just said no is passed over for this long. */
const BLOCK_MS = 180_000;
/** More offers than these are not tried within one notice and at one go. */
const MOST_TRIES = 3;

/**
 * Rents the machine that is to take over, beside the one that is going. It gets the boot script of the same instance and no
 * volume: its agent waits. That there is none to be had is no failure; the loss itself is answered as ever.
 */
export async function launchAhead(fleet: Fleet, record: InstanceRecord, signal: AbortSignal): Promise<void> {
  let current = record;
  for (let tries = 0; tries < MOST_TRIES; tries++) {
    // What is learnt of the pools holds for a replacement, and that is what it is.
    const planned = { record: { ...current, generation: current.generation + 1 } };
    const plan = await planLaunch(fleet, current.spec, signal, planned).catch(expected(signal));
    const offer = plan?.offers.find(({ provider }) => provider === current.provider);
    if (offer === undefined) break;
    const tried = await tryAhead(fleet, current, await fleet.provider(offer.provider), offer, signal);
    current = tried.record;
    if (tried.done) return;
  }
  await changeRecord(
    fleet,
    current,
    { outlook: { ...current.outlook, successor: null, refusedAheadAt: fleet.clock.now() } },
    { events: [eventOf(fleet, current, "action", { action: "launch-ahead-refused" })] },
  );
}

/** What may go wrong without being anybody's fault: it is as if there were no offer. */
function expected(signal: AbortSignal) {
  return (error: unknown): undefined => {
    signal.throwIfAborted();
    if (!(error instanceof Problem) && !(error instanceof ProviderError)) throw error;
    return undefined;
  };
}

async function tryAhead(
  fleet: Fleet,
  record: InstanceRecord,
  provider: Provider,
  offer: Offer,
  signal: AbortSignal,
): Promise<{ readonly record: InstanceRecord; readonly done: boolean }> {
  const promised = await withinBudgets(fleet, [launching(record, offer.price, fleet.clock.now())], signal, (held, warned) =>
    promiseAhead(held, record, offer, warned),
  ).catch(expected(signal));
  if (promised === undefined) return { record, done: false };
  const { intent } = promised;
  fleet.say(`${record.name}: asking ${offer.provider} for ${offer.type} in ${offer.zone}, to take over`);
  try {
    const parts = { token: intent.token, volume: null, root: undefined };
    const instance = await requestMachine(fleet, promised.record, provider, offer, parts, signal);
    return { record: await adoptAhead(fleet, promised.record, intent, instance), done: true };
  } catch (error) {
    if (!didNothing(error)) {
      const found = await findLaunched(fleet, provider, intent.token, signal);
      if (found === undefined) throw error;
      return { record: await adoptAhead(fleet, promised.record, intent, found), done: true };
    }
    const why = passedOverFor(error, offer);
    return { record: await refuseAhead(fleet, promised.record, intent, error.message, why === null ? null : { offer, why }), done: false };
  }
}

async function promiseAhead(
  fleet: Fleet,
  record: InstanceRecord,
  offer: Offer,
  warned: Parameters<Parameters<typeof withinBudgets>[3]>[1],
): Promise<{ readonly record: InstanceRecord; readonly intent: IntentRecord }> {
  const now = fleet.clock.now();
  const intent = newIntent(fleet, {
    kind: "launch",
    instanceId: record.id,
    provider: offer.provider,
    detail: { offer: offerKey(offer), generation: record.generation + 1, successor: true },
  });
  const successor = successorOf(intent.token, asOffered(offer));
  const told = { intent: "launch-ahead", token: intent.token, offer: offerKey(offer), price: priceText(offer.price) };
  const changed = await changeRecord(
    fleet,
    record,
    { outlook: { ...record.outlook, successor, interruptions: await interruptionsAt(fleet, offer) } },
    {
      openIntents: [intent],
      events: [eventOf(fleet, record, "intent", told), ...warned.map((overrun) => overrunEvent(now, record, overrun))],
    },
  );
  return { record: changed, intent };
}

/** Records the machine that a launch ahead made, whether its answer came back or it was found by its token. */
export async function adoptAhead(
  fleet: Fleet,
  record: InstanceRecord,
  intent: IntentRecord,
  instance: ProviderInstance,
): Promise<InstanceRecord> {
  const { successor } = record.outlook;
  const { providerId, region, zone, type, price } = instance;
  const known = { providerId, region, zone, ...(price === null ? {} : { price: priceText(price) }) };
  return changeRecord(
    fleet,
    record,
    { outlook: { ...record.outlook, successor: successor && { ...successor, ...known } } },
    {
      closeIntents: [{ id: intent.id, status: "done", at: fleet.clock.now(), detail: { providerId } }],
      events: [eventOf(fleet, record, "action", { action: "launch-ahead", successor: providerId, type, zone })],
    },
  );
}

/** Closes a promise of a machine ahead that came to nothing. */
export async function refuseAhead(
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
    { outlook: { ...record.outlook, successor: null, refusedAheadAt: at } },
    {
      closeIntents: [{ id: intent.id, status: "failed", at, detail: { why } }],
      events: [eventOf(fleet, record, "action", { action: "launch-refused", why })],
      ...(passedOver === null ? {} : { blockOffers: [{ key: offerKey(passedOver.offer), until: at + BLOCK_MS, why: passedOver.why }] }),
    },
  );
}

/** The one before it is gone: its successor is the machine now, and what follows is what follows every launch. */
export async function takeOver(fleet: Fleet, record: InstanceRecord): Promise<void> {
  const { successor } = record.outlook;
  if (successor?.providerId == null) return;
  const { providerId, zone, type } = successor;
  await changeRecord(
    fleet,
    record,
    {
      ...asSuccessor(successor),
      providerId,
      state: "provisioning",
      outlook: { ...record.outlook, successor: null, waiting: null, spot: null, dearSince: null },
      reason: null,
    },
    { events: [eventOf(fleet, record, "action", { action: "take-over", providerId, type, zone })] },
  );
}

/**
 * Ends a machine that was rented ahead and is not needed. It stays on the record until the provider says that it is gone.
 * @returns milliseconds until it is worth another look.
 */
export async function endSuccessor(fleet: Fleet, record: InstanceRecord, signal: AbortSignal): Promise<number> {
  const { successor } = record.outlook;
  if (successor === null) return 0;
  const { providerId } = successor;
  const provider = await fleet.provider(successor.provider);
  const answer = providerId === null ? "gone" : await call(signal, (context) => provider.destroy(providerId, context));
  if (answer !== "gone") return provider.capabilities.pollMs;
  await changeRecord(
    fleet,
    record,
    { outlook: { ...record.outlook, successor: null } },
    { events: [eventOf(fleet, record, "action", { action: "end-successor", successor: providerId })] },
  );
  return 0;
}
