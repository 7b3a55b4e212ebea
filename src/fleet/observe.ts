import { workloadEnd } from "../model/workload-end.ts";
import { BUNDLED_RATE } from "../pricing/currency.ts";
import { isFault } from "../providers/errors.ts";
import type { Capabilities, MachineKind, ProviderInstance, Reach } from "../providers/provider.ts";
import type { InstanceRecord, IntentRecord, LedgerRecord } from "../state/records.ts";
import { inItsAccount } from "./account.ts";
import { heirOf } from "./deciding/ahead.ts";
import { awaitsItsCopy, isSameDeadline, isSameNotice, isUp } from "./deciding/decide.ts";
import type { CloudView, Observation } from "./deciding/decision.ts";
import { shakenNeighbour } from "./deciding/history.ts";
import { priceCap } from "./deciding/offer-choice.ts";
import { isOverdue } from "./deciding/overdue.ts";
import { CONTROLLER_LOOKS_MS } from "./deciding/policy.ts";
import { type Near, NOTHING_NEAR } from "./deciding/stay.ts";
import { problemOf } from "./faults.ts";
import { call, type Fleet, type GuestReport, type GuestWord } from "./fleet.ts";
import { secondMouth, viewAsHeard, wantsWord } from "./hearing/hearing.ts";
import { livingController } from "./leases/controller.ts";
import { closedIntervals, dueToBeSeen, freeOfCharge, openedInterval, priceNow } from "./ledger.ts";
import { noteNotServing } from "./looks.ts";
import { changeRecord } from "./record-change.ts";
import { noteWord, wordOf } from "./steps/told.ts";
import { endedBy, unwatchedEvent, unwatchedLife } from "./unwatched.ts";

/** A provider's whole account, fetched once for many records; a string says why it could not be. */
export type Listing = readonly ProviderInstance[] | string;

/**
 * Looks at one record's machine, asking as little as the decision needs.
 * @throws Problem (exit 4) when the credentials are refused; every other fault is `silent`.
 */
export async function observe(fleet: Fleet, record: InstanceRecord, signal: AbortSignal, listing?: Listing): Promise<Observation> {
  const provider = await fleet.provider(record.provider);
  const { capabilities } = provider;
  const launches = (await fleet.state.pendingIntents({ instanceId: record.id })).filter((intent) => intent.kind === "launch");
  const launchIntent = launches.find(({ detail }) => detail["successor"] !== true) ?? null;
  const aheadIntent = launches.find(({ detail }) => detail["successor"] === true) ?? null;
  const open = launchIntent ?? aheadIntent;
  const found = open === null ? await lookAt(fleet, record, signal, listing) : await lookFor(fleet, open, signal);
  const answer = await inItsAccount(fleet, record, found, record.providerId !== null || open !== null, signal);
  const { machine } = capabilities;
  const now = fleet.clock.now();
  const heard = record.providerId === null ? undefined : fleet.ear?.word(record.provider, record.providerId);
  const base = {
    now,
    launchIntent,
    aheadIntent,
    heir: open === null ? await lookAtHeir(fleet, record, signal, listing) : null,
    canAttach: provider.volumes?.attach !== undefined,
    foundByToken: open !== null && answer.kind === "here" ? answer.instance : null,
    listSettlesMs: capabilities.listSettlesMs,
    hibernates: capabilities.hibernate,
    pollMs: capabilities.pollMs,
    // On demand there is no request that could bring it back.
    waitsForCapacity: capabilities.restartsReclaimed && record.spec.onReclaim === "wait" && record.billing === "spot",
    machine,
    looksEveryMs: await looksEvery(fleet, record),
    toldInVain: isToldInVain(fleet, record),
    attachVolume: provider.volumes?.attach === undefined ? null : await volumeToAttach(fleet, record),
    cloud: viewAsHeard(record, answer, heard, now),
    near: await nearOf(fleet, record, answer),
  };
  const asksWord = heard === undefined && wantsWord(record, answer, machine);
  // One that is put back to sleep may have begun on a volume that is not known to hold its work.
  const mayHaveBegun = record.desired === "hibernated" && awaitsItsCopy(record);
  const asksGuest =
    open === null && (record.desired === "running" || mayHaveBegun) && (asksWord || needsGuest(fleet, record, base.cloud, machine));
  const reach = asksGuest && answer.kind === "here" ? answer.instance.reach : null;
  const mouthOf = (word: GuestWord | undefined) =>
    answer.kind === "here" ? secondMouth(record.notice, answer.instance.notice, word) : null;
  if (reach === null) {
    noteNotServing(fleet.looks, record, base.cloud, now);
    return { ...base, guest: null, ready: false, mouth: mouthOf(heard) };
  }
  const guest = (await fleet.guest.report(reach, signal).catch(() => undefined)) ?? null;
  learn(fleet, record, guest, now);
  const cloud = viewAsHeard(record, answer, heard ?? guest?.word, now);
  const started = guest !== null && (guest.phase === "running" || guest.phase === "exited");
  const asksReady = started && !isUp(record);
  const mouth = mouthOf(heard ?? guest?.word);
  const asksWhy = guest === null && isOverdue(record, now);
  const answers = asksReady && (await fleet.guest.isReady(reach, record.spec, signal).catch(() => false));
  // What was done right before it was ready belongs to its wake: whose agent does not say that is looked at once more.
  const isWaking = answers && record.outlook.wake != null;
  const last = isWaking ? await lastReport(fleet, reach, signal) : undefined;
  const ready = answers && (!isWaking || last !== undefined);
  const silence = asksWhy ? ((await fleet.guest.silence?.(reach, signal).catch(() => undefined)) ?? null) : null;
  if (!ready) noteNotServing(fleet.looks, record, cloud, now);
  return {
    ...base,
    cloud,
    guest: last ?? guest,
    silence,
    mouth,
    ready,
  };
}

/** What its agent says, and all that is marked by now, read after whatever it was asked before; undefined when it does not answer. */
async function lastReport({ guest }: Fleet, reach: Reach, signal: AbortSignal): Promise<GuestReport | undefined> {
  try {
    const report = await guest.report(reach, signal);
    const marks = await guest.marks?.(reach, signal);
    return report === undefined || marks === undefined ? report : { ...report, marks };
  } catch {
    return undefined;
  }
}

/** How soon whoever controls the fleet looks again at what is due. Asked only of one that may wait under a notice. */
async function looksEvery(fleet: Fleet, { notice, spec }: InstanceRecord): Promise<number | null> {
  if (notice?.kind !== "reclaim" || spec.onReclaim !== "hibernate") return null;
  return (await livingController(fleet)) === undefined ? null : CONTROLLER_LOOKS_MS;
}

/** What is around it, once it serves: a neighbour in trouble, its price and what that may be. */
async function nearOf(fleet: Fleet, record: InstanceRecord, cloud: CloudView): Promise<Near> {
  if (cloud.kind !== "here" || !isUp(record)) return NOTHING_NEAR;
  const near = nearFromAfar(fleet, record, cloud.instance);
  if (near.neighbour === null) return near;
  const [newest] = await fleet.state.checkpoints({ instance: record.name });
  return { ...near, sealedAt: newest?.createdAt ?? null };
}

/** The same without asking anybody. */
export function nearFromAfar({ neighbours, exchange }: Fleet, record: InstanceRecord, { price }: ProviderInstance): Near {
  const cap = record.spec.maxPrice === null || price === null ? null : priceCap(record.spec, price.currency, exchange ?? BUNDLED_RATE);
  return { neighbour: neighbours === undefined ? null : shakenNeighbour(record, neighbours), sealedAt: null, cap };
}

const isThere = ({ state }: ProviderInstance) => state === "running" || state === "reclaiming";

/** Until it is up its agent is asked; later only where the agent has nobody but us to hear or to tell, and we do not know. */
function needsGuest({ told, ear }: Fleet, record: InstanceRecord, cloud: CloudView, machine: MachineKind): boolean {
  if (cloud.kind !== "here" || !isThere(cloud.instance)) return false;
  if (!isUp(record) || (!machine.endsItself && record.spec.idleMs !== null) || hasNews(record, ear)) return true;
  return machine.notices === "controller" && record.notice?.kind === "reclaim" && wordOf(told, record) === undefined;
}

/** Whether its agent was heard to say of its workload what is not known yet: it has ended, or begun again. */
function hasNews(record: InstanceRecord, ear: Fleet["ear"]): boolean {
  const phase = record.providerId === null ? undefined : ear?.phase?.(record.provider, record.providerId);
  return workloadEnd(record) === null ? phase === "exited" : phase === "running";
}

/** Whether its agent is to be asked or told something, given what the provider says of its machine. */
export function needsAgent(fleet: Fleet, record: InstanceRecord, instance: ProviderInstance, machine: MachineKind): boolean {
  if (needsGuest(fleet, record, { kind: "here", instance }, machine)) return true;
  if (machine.notices !== "controller" || !isThere(instance)) return false;
  const { notice } = instance;
  if (notice === null) return record.notice !== null;
  return !isSameNotice(record.notice, notice) || isToldInVain(fleet, record);
}

function isToldInVain({ told }: Fleet, record: InstanceRecord): boolean {
  const word = wordOf(told, record);
  return word !== undefined && word.came !== "heard";
}

/** An agent that says so has heard of its notice, whoever told it. */
function learn({ told }: Fleet, record: InstanceRecord, guest: GuestReport | null, now: number): void {
  const deadline = guest?.noticeDeadline ?? null;
  if (deadline === null || record.notice === null || !isSameDeadline(deadline * 1000, record.notice.deadline)) return;
  noteWord(told, record, "heard", now);
}

/** A list may leave out how its machines are reached, and somebody will want to go in. */
function isTooShort(fleet: Fleet, record: InstanceRecord, listed: ProviderInstance, machine: MachineKind): boolean {
  if (listed.reach !== null || !isThere(listed)) return false;
  return record.desired !== "running" || needsAgent(fleet, record, listed, machine);
}

async function volumeToAttach(fleet: Fleet, record: InstanceRecord): Promise<string | null> {
  const [wanted] = record.volumes;
  if (wanted === undefined || isUp(record)) return null;
  const [volume] = await fleet.state.volumes({ ids: [wanted.id] });
  return volume?.providerId ?? null;
}

async function lookAt(fleet: Fleet, record: InstanceRecord, signal: AbortSignal, listing: Listing | undefined): Promise<CloudView> {
  const { providerId } = record;
  if (providerId === null) return { kind: "none" };
  if (typeof listing === "string") return { kind: "silent", why: listing };
  const provider = await fleet.provider(record.provider);
  const listed = listing?.find((instance) => instance.providerId === providerId);
  if (listed !== undefined && !isTooShort(fleet, record, listed, provider.capabilities.machine))
    return listed.state === "gone" ? { kind: "gone", instance: listed } : { kind: "here", instance: listed };
  // Missing from a list is a hint, not a proof: the provider is asked for this very machine.
  return asking(signal, async () => {
    const instance = await call(signal, (context) => provider.get(providerId, context));
    if (instance === undefined) return { kind: "gone", instance: null };
    return instance.state === "gone" ? { kind: "gone", instance } : { kind: "here", instance };
  });
}

/** The machine that is to take over, where there is one. What nobody answers is left as it was. */
async function lookAtHeir(
  fleet: Fleet,
  { provider: id, outlook }: InstanceRecord,
  signal: AbortSignal,
  listing: Listing | undefined,
): Promise<ProviderInstance | null> {
  const providerId = outlook.successor?.providerId ?? null;
  if (providerId === null || typeof listing === "string") return null;
  const listed = listing?.find((instance) => instance.providerId === providerId);
  if (listed !== undefined) return listed;
  const provider = await fleet.provider(id);
  const view = await asking(signal, async () => {
    const instance = await call(signal, (context) => provider.get(providerId, context));
    return instance === undefined ? { kind: "gone", instance: null } : { kind: "here", instance };
  });
  return view.kind === "here" ? view.instance : null;
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

/** Whether the provider charges for its GPU as it is. */
export function isBilled({ state }: ProviderInstance, { stoppedBillsGpu }: Pick<Capabilities, "stoppedBillsGpu">): boolean {
  return ["running", "reclaiming", "unknown"].includes(state) || (stoppedBillsGpu && state === "stopped");
}

/**
 * Keeps the ledger true to what the provider says: an interval is open exactly while a GPU is billed, at the price that is billed,
 * and says when its machine was last found. What was taken so early that it is not charged costs nothing. A price that nobody told
 * when its machine was taken over is written down when it is told.
 * @returns the record as it is now.
 * @throws RecordMoved when somebody else changed it meanwhile.
 */
export async function followLedger(fleet: Fleet, record: InstanceRecord, seen: Observation): Promise<InstanceRecord> {
  if (seen.cloud.kind === "silent" || seen.launchIntent !== null || seen.aheadIntent !== null) return record;
  const { successor } = record.outlook;
  const all = (await fleet.state.ledger({ instanceId: record.id, openOnly: true })).filter((entry) => entry.kind === "gpu");
  const open = all.filter((entry) => successor === null || entry.providerId !== successor.providerId);
  await followHeir(
    fleet,
    record,
    seen,
    all.filter((entry) => !open.includes(entry)),
  );
  const { capabilities } = await fleet.provider(record.provider);
  const here = seen.cloud.kind === "here" ? seen.cloud.instance : null;
  const billed = here !== null && isBilled(here, capabilities);
  const providerId = here?.providerId ?? null;
  // No price moves that nobody pays; and what was told before a machine was made is older than its offer.
  const paidSince = open.find((entry) => entry.providerId === providerId)?.from ?? here?.createdAt ?? 0;
  const since = billed ? paidSince : Number.POSITIVE_INFINITY;
  const price = here === null ? record.price : priceNow(record, here, capabilities, seen.now, since);
  const ended = open.filter((entry) => !billed || entry.providerId !== providerId || price !== record.price);
  const begins = billed && providerId !== null && open.length === ended.length;
  const opened = begins ? openedInterval({ ...record, price }, providerId, seen.now) : null;
  const found = [...open, ...(opened === null ? [] : [opened])].filter((entry) => billed && entry.providerId === providerId);
  const intervals = dueToBeSeen(found, seen.now);
  const instance = seen.cloud.kind === "none" ? null : seen.cloud.instance;
  const mayBeFree = instance?.endedBy === "provider" && capabilities.freeIfReclaimedWithinMs > 0;
  const mayBeUnseen = record.state === "provisioning" || record.state === "restoring";
  const known = mayBeFree || mayBeUnseen ? await fleet.state.ledger({ instanceId: record.id }) : [];
  const unwatched = unwatchedLife({ ...record, price }, seen.cloud, capabilities, known, seen.now);
  const endedAt = seen.cloud.kind === "gone" ? endedBy(record, capabilities, seen.now) : seen.now;
  const changed = [...closedIntervals(ended, endedAt), ...[opened, unwatched].filter((entry) => entry !== null)];
  const ledger = instance !== null && mayBeFree ? [...changed, ...freeOfCharge(known, changed, instance, capabilities)] : changed;
  const events = unwatched === null ? [] : [unwatchedEvent(record, unwatched, seen.now)];
  const rest = { ledger, events, seen: { intervals, at: seen.now } };
  if (price !== record.price) return changeRecord(fleet, record, { price }, rest);
  if (ledger.length + intervals.length > 0) await fleet.state.commit(rest);
  return record;
}

/** The same for a machine that is to take over: it is paid for beside the other one. */
async function followHeir(fleet: Fleet, record: InstanceRecord, { heir, now }: Observation, open: readonly LedgerRecord[]): Promise<void> {
  const { successor } = record.outlook;
  if (successor === null || heir === null) return;
  const billed = isBilled(heir, (await fleet.provider(record.provider)).capabilities);
  if (billed === open.length > 0) return;
  const opened = billed ? openedInterval(heirOf(record, successor), heir.providerId, now) : null;
  const ledger = [...closedIntervals(billed ? [] : open, now), ...(opened === null ? [] : [opened])];
  await fleet.state.commit({ ledger, seen: { intervals: opened === null ? [] : [opened.id], at: now } });
}
