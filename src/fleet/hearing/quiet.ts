import type { Capabilities, ProviderInstance } from "../../providers/provider.ts";
import type { InstanceRecord, LedgerRecord, State } from "../../state/records.ts";
import { decide, isUp } from "../deciding/decide.ts";
import type { Near } from "../deciding/stay.ts";
import type { Fleet } from "../fleet.ts";
import { dueToBeSeen, priceNow } from "../ledger.ts";
import { isBilled, type Listing, nearFromAfar, needsAgent } from "../observe.ts";
import { asHeard, secondMouth, wantsWord } from "./hearing.ts";

/** Tells of each record whether a pass has nothing to do with it. */
export type QuietTest = (record: InstanceRecord) => boolean;

/** Our books and the lists, as they are read once for a whole pass. */
export interface Books {
  readonly promised: ReadonlySet<string | null>;
  readonly billed: ReadonlyMap<string, readonly LedgerRecord[]>;
  /** By provider; undefined where none answered. */
  readonly clouds: ReadonlyMap<string, CloudBook | undefined>;
  /** Epoch milliseconds. */
  readonly now: number;
}

export async function readBooks(fleet: Fleet, listings: ReadonlyMap<string, Listing>): Promise<Books> {
  const [promised, billed, clouds] = await Promise.all([
    withIntents(fleet.state),
    openIntervals(fleet.state),
    Promise.all([...listings].map(async ([id, listing]) => [id, await cloudOf(fleet, id, listing)] as const)),
  ]);
  return { promised, billed, clouds: new Map(clouds), now: fleet.clock.now() };
}

/** Writes down which machines the lists had, in one statement for all of which that is due. */
export async function noteListed({ state }: Pick<Fleet, "state">, { billed, clouds, now }: Books): Promise<void> {
  const found = [...billed.values()].flat().filter(({ provider, providerId }) => {
    const cloud = clouds.get(provider);
    const instance = cloud?.machines.get(providerId);
    return cloud !== undefined && instance !== undefined && isBilled(instance, cloud.capabilities);
  });
  const intervals = dueToBeSeen(found, now);
  if (intervals.length > 0) await state.commit({ seen: { intervals, at: now } });
}

/**
 * Most machines of a large fleet run as they should, and a pass need not take a lease for each of them, nor ask the database
 * for each. Whatever is not plainly quiet by the list and by our books is looked at the usual way. Pure.
 */
export function quietTest(fleet: Fleet, { promised, billed, clouds, now }: Books): QuietTest {
  return (record) => {
    const cloud = clouds.get(record.provider);
    const instance = cloud?.machines.get(record.providerId ?? "");
    if (cloud === undefined || instance === undefined || !isUp(record) || promised.has(record.id)) return false;
    // A machine that is to take over is watched.
    if (record.outlook.successor !== null) return false;
    // Who controls, and so looks again, is asked for one that is to sleep.
    if (record.notice?.kind === "reclaim" && record.spec.onReclaim === "hibernate" && record.desired === "running") return false;
    const { capabilities } = cloud;
    const word = fleet.ear?.word(record.provider, instance.providerId);
    if (word === undefined && wantsWord(record, { kind: "here", instance }, capabilities.machine)) return false;
    if (needsAgent(fleet, record, instance, capabilities.machine)) return false;
    if (secondMouth(record.notice, instance.notice, word) !== null) return false;
    const [open, ...more] = billed.get(record.id) ?? [];
    if (more.length > 0 || open?.providerId !== instance.providerId || !isBilled(instance, capabilities)) return false;
    if (priceNow(record, instance, capabilities, now, open.from) !== record.price) return false;
    const heard = asHeard(record, instance, word, now);
    return decide(record, seenFromAfar(now, heard, cloud, nearFromAfar(fleet, record, heard))).action.do === "rest";
  };
}

/** What one provider's list says. */
export interface CloudBook {
  readonly canAttach: boolean;
  readonly capabilities: Capabilities;
  readonly machines: ReadonlyMap<string, ProviderInstance>;
}

async function cloudOf(fleet: Fleet, id: string, listing: Listing): Promise<CloudBook | undefined> {
  if (typeof listing === "string") return undefined;
  const { capabilities, volumes } = await fleet.provider(id);
  return {
    capabilities,
    canAttach: volumes?.attach !== undefined,
    machines: new Map(listing.map((instance) => [instance.providerId, instance])),
  };
}

/** The instances with a promise that is still open. */
async function withIntents(state: State): Promise<ReadonlySet<string | null>> {
  return new Set((await state.pendingIntents()).map(({ instanceId }) => instanceId));
}

async function openIntervals(state: State): Promise<ReadonlyMap<string, readonly LedgerRecord[]>> {
  const found = new Map<string, LedgerRecord[]>();
  for (const entry of await state.ledger({ openOnly: true })) {
    if (entry.kind !== "gpu" || entry.instanceId === null) continue;
    found.set(entry.instanceId, [...(found.get(entry.instanceId) ?? []), entry]);
  }
  return found;
}

/** What can be seen of a machine that is up without asking it: enough for one that rests. */
function seenFromAfar(
  now: number,
  instance: ProviderInstance,
  { capabilities, canAttach }: CloudBook,
  near: Near,
): Parameters<typeof decide>[1] {
  return {
    now,
    cloud: { kind: "here", instance },
    launchIntent: null,
    aheadIntent: null,
    heir: null,
    canAttach,
    foundByToken: null,
    listSettlesMs: capabilities.listSettlesMs,
    hibernates: capabilities.hibernate,
    pollMs: capabilities.pollMs,
    waitsForCapacity: false,
    machine: capabilities.machine,
    looksEveryMs: null,
    attachVolume: null,
    guest: null,
    ready: false,
    near,
  };
}
