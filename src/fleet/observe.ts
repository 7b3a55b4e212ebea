import { isFault } from "../providers/errors.ts";
import type { ProviderInstance } from "../providers/provider.ts";
import type { InstanceRecord, IntentRecord } from "../state/records.ts";
import { type CloudView, isUp, type Observation } from "./decide.ts";
import { problemOf } from "./faults.ts";
import { call, type Fleet } from "./fleet.ts";
import { closedIntervals, openedInterval } from "./ledger.ts";

/** A provider's whole account, fetched once for many records; a string says why it could not be. */
export type Listing = readonly ProviderInstance[] | string;

/**
 * Looks at one record's machine, asking as little as the decision needs.
 * @throws Problem (exit 4) when the credentials are refused; every other fault is `silent`.
 */
export async function observe(fleet: Fleet, record: InstanceRecord, signal: AbortSignal, listing?: Listing): Promise<Observation> {
  const provider = await fleet.provider(record.provider);
  const launchIntent = (await fleet.state.pendingIntents({ instanceId: record.id })).find((intent) => intent.kind === "launch") ?? null;
  const answer = launchIntent === null ? await lookAt(fleet, record, signal, listing) : await lookFor(fleet, launchIntent, signal);
  const base = {
    now: fleet.clock.now(),
    launchIntent,
    foundByToken: launchIntent !== null && answer.kind === "here" ? answer.instance : null,
    listSettlesMs: provider.capabilities.listSettlesMs,
    hibernates: provider.capabilities.hibernate,
    cloud: answer,
  };
  const needsGuest = launchIntent === null && answer.kind === "here" && record.desired === "running" && !isUp(record);
  const reach = answer.kind === "here" && ["running", "reclaiming"].includes(answer.instance.state) ? answer.instance.reach : null;
  if (!needsGuest || reach === null) return { ...base, guest: null, ready: false };
  const guest = (await fleet.guest.report(reach, signal).catch(() => undefined)) ?? null;
  const started = guest !== null && (guest.phase === "running" || guest.phase === "exited");
  return { ...base, guest, ready: started && (await fleet.guest.isReady(reach, record.spec, signal).catch(() => false)) };
}

async function lookAt(fleet: Fleet, record: InstanceRecord, signal: AbortSignal, listing: Listing | undefined): Promise<CloudView> {
  const { providerId } = record;
  if (providerId === null) return { kind: "none" };
  if (typeof listing === "string") return { kind: "silent", why: listing };
  const listed = listing?.find((instance) => instance.providerId === providerId);
  if (listed !== undefined) return listed.state === "gone" ? { kind: "gone", instance: listed } : { kind: "here", instance: listed };
  // Missing from a list is a hint, not a proof: the provider is asked for this very machine.
  return asking(signal, async () => {
    const provider = await fleet.provider(record.provider);
    const instance = await call(signal, (context) => provider.get(providerId, context));
    if (instance === undefined) return { kind: "gone", instance: null };
    return instance.state === "gone" ? { kind: "gone", instance } : { kind: "here", instance };
  });
}

async function lookFor(fleet: Fleet, intent: IntentRecord, signal: AbortSignal): Promise<CloudView> {
  return asking(signal, async () => {
    const provider = await fleet.provider(intent.provider);
    const found = (await call(signal, (context) => provider.list(context))).find((instance) => instance.token === intent.token);
    return found === undefined ? { kind: "none" } : { kind: "here", instance: found };
  });
}

async function asking(signal: AbortSignal, ask: () => Promise<CloudView>): Promise<CloudView> {
  try {
    return await ask();
  } catch (error) {
    if (signal.aborted || isFault(error, "auth")) throw problemOf(error);
    return { kind: "silent", why: error instanceof Error ? error.message : String(error) };
  }
}

/** Keeps the ledger true to what the provider says: an interval is open exactly while a GPU is billed. */
export async function followLedger(fleet: Fleet, record: InstanceRecord, seen: Observation): Promise<void> {
  if (seen.cloud.kind === "silent" || seen.launchIntent !== null) return;
  const open = (await fleet.state.ledger({ instanceId: record.id, openOnly: true })).filter((entry) => entry.kind === "gpu");
  const billed = seen.cloud.kind === "here" && ["running", "reclaiming", "stopped", "unknown"].includes(seen.cloud.instance.state);
  const providerId = seen.cloud.kind === "here" ? seen.cloud.instance.providerId : null;
  const ended = open.filter((entry) => !billed || entry.providerId !== providerId);
  const opened = billed && providerId !== null && open.length === ended.length ? openedInterval(record, providerId, seen.now) : null;
  if (ended.length === 0 && opened === null) return;
  await fleet.state.commit({ ledger: [...closedIntervals(ended, seen.now), ...(opened === null ? [] : [opened])] });
}
