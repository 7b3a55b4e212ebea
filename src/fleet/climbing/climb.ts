import type { Comeback, ComebackSnapshot, RungName } from "../../model/comeback.ts";
import { EXIT } from "../../model/exit-codes.ts";
import { moneyText } from "../../model/money.ts";
import type { Offer } from "../../model/offer.ts";
import { Problem } from "../../model/problem.ts";
import { isFault } from "../../providers/errors.ts";
import type { InstanceRecord, VolumeRecord } from "../../state/records.ts";
import type { BucketSource, Rung } from "../deciding/ladder.ts";
import { offerKey, type Preferences } from "../deciding/offer-choice.ts";
import { call, type Fleet } from "../fleet.ts";
import { changeRecord, eventOf } from "../record-change.ts";
import { BLOCK_MS } from "../steps/no-capacity.ts";
import { syncCheckpoints } from "../volumes/checkpoint-sync.ts";
import { snapshotsOf } from "../volumes/volume-snapshots.ts";
import { snapshotForWayBack } from "./own-snapshot.ts";
import { type Survey, surveyLadder } from "./survey.ts";
import { dropTwin, isTwinThere, makeTwin } from "./twins.ts";

/** A snapshot that is being made is looked at again after so many milliseconds. */
const LOOK_MS = 5_000;

/** Where a machine is to be asked for, and with which volume. */
export interface Berth {
  readonly rung: RungName;
  readonly offer: Offer;
  /** All that the rung would take; a limit of the account may hold for more than one. */
  readonly offers: readonly Offer[];
  readonly prefer: Preferences;
  /** A copy of its volume that lies there; null: its own volume. */
  readonly twin: VolumeRecord | null;
}

export type Climbed =
  | { readonly kind: "berth"; readonly record: InstanceRecord; readonly berth: Berth }
  /** Something is being made, and was written down: look again. */
  | { readonly kind: "under-way"; readonly record: InstanceRecord }
  /** No rung is open now. `dear`: one would be, were its price agreed to. */
  | { readonly kind: "none"; readonly record: InstanceRecord; readonly why: string; readonly isDear: boolean };

/** What a restore that is under way may do; null where none is. */
export function comebackOf({ outlook }: Pick<InstanceRecord, "outlook">): Comeback | null {
  return outlook.comeback ?? null;
}

/** The rungs above the first two, in their order. */
const HIGHER: readonly RungName[] = ["snapshot", "copy", "on-demand"];

/**
 * The next rung after those where its volume lies: prepares it (a snapshot, a copy of its volume) step by step, each step
 * written down, so that whoever comes after a crash finds what was made and goes on from there. Rents nothing.
 * @throws ProviderError, Problem
 */
export async function climb(fleet: Fleet, record: InstanceRecord, comeback: Comeback, signal: AbortSignal): Promise<Climbed> {
  const survey = await surveyLadder(fleet, record, comeback, signal);
  const { closed = {} } = comeback;
  const open = survey.rungs.filter((one) => HIGHER.includes(one.rung) && one.isOpen && closed[one.rung] === undefined);
  for (const [index, rung] of open.entries()) {
    const [offer] = rung.offers;
    if (offer === undefined) continue;
    const told = await tell(fleet, record, comeback, rung);
    const berth = { rung: rung.rung, offer, offers: rung.offers, prefer: survey.input.prefer };
    if (rung.rung === "on-demand") return { kind: "berth", record: told, berth: { ...berth, prefer: onDemand(berth.prefer), twin: null } };
    try {
      const made =
        rung.rung === "snapshot" ? await bySnapshot(fleet, told, survey, offer, signal) : await byCopy(fleet, told, survey, offer, signal);
      if (made.kind === "under-way") return made;
      return { kind: "berth", record: made.record, berth: { ...berth, twin: made.twin } };
    } catch (error) {
      if (isOfRung(error) && open.length > index + 1)
        return { kind: "under-way", record: await close(fleet, told, rung.rung, error.message) };
      // No volume can be had there now: the next look finds another place.
      if (!isFault(error, "unsupported", "no-capacity", "quota")) throw error;
      const until = fleet.clock.now() + BLOCK_MS;
      await fleet.state.commit({ blockOffers: [{ key: offerKey(offer), until, why: `no volume there: ${error.message}` }] });
      return { kind: "under-way", record: (await fleet.state.instance(record.id)) ?? told };
    }
  }
  const dear = survey.rungs.find(({ isDear }) => isDear);
  const higher = survey.rungs.filter(({ rung }) => HIGHER.includes(rung));
  const why = higher.map((one) => `${one.rung}: ${closed[one.rung] ?? one.why}`).join("; ");
  return { kind: "none", record, why, isDear: dear !== undefined };
}

/** What another rung need not meet: a right that this one needs, a call that its cloud does not take, a checkpoint that is damaged. */
function isOfRung(error: unknown): error is Error {
  if (error instanceof Problem) return error.exit === EXIT.verification;
  return isFault(error, "auth", "invalid-request", "not-found");
}

/** Says that a rung leads nowhere, and writes it down: it is not tried again by this restore. */
async function close(fleet: Fleet, record: InstanceRecord, rung: RungName, why: string): Promise<InstanceRecord> {
  const comeback = comebackOf(record);
  if (comeback === null) return record;
  fleet.say(`${record.name}: ${rung} leads nowhere (${why}); the next way back is tried`);
  const told = eventOf({ ...fleet, because: why }, record, "action", { action: "close-rung", rung });
  const outlook = { ...record.outlook, comeback: { ...comeback, closed: { ...comeback.closed, [rung]: why } } };
  return changeRecord(fleet, record, { outlook }, { events: [told] });
}

const onDemand = (prefer: Preferences): Preferences => ({ ...prefer, onDemand: true });

/** Says once which rung is climbed next, at which price, and writes it down. */
async function tell(fleet: Fleet, record: InstanceRecord, comeback: Comeback, { rung, why, price, needs }: Rung): Promise<InstanceRecord> {
  if (comeback.rung === rung) return record;
  fleet.say(`${record.name}: ${why}${price === null ? "" : `, ${moneyText(price)}/hour`} (${needs.join("; ")})`);
  const outlook = { ...record.outlook, comeback: { ...comeback, rung } };
  const told = eventOf({ ...fleet, because: why }, record, "action", {
    action: "climb",
    rung,
    price: price === null ? null : { micros: price.micros.toString(), currency: price.currency },
  });
  return changeRecord(fleet, record, { outlook }, { events: [told] });
}

type Made =
  | { readonly kind: "under-way"; readonly record: InstanceRecord }
  | { readonly kind: "made"; readonly record: InstanceRecord; readonly twin: VolumeRecord };

async function bySnapshot(fleet: Fleet, record: InstanceRecord, survey: Survey, offer: Offer, signal: AbortSignal): Promise<Made> {
  const { home, newest } = survey;
  if (home === undefined) throw new RangeError(`${record.name} has no volume`);
  const there = await livingTwin(fleet, survey, offer, signal);
  if (there !== undefined) return { kind: "made", record, twin: there };
  if (survey.snapshot === undefined) fleet.say(`${record.name}: having a snapshot of ${home.name} made`);
  const snapshot = survey.snapshot ?? (await snapshotForWayBack(fleet, record, home, signal));
  if (snapshot.state !== "ready") {
    const awaited = { id: snapshot.providerId, provider: home.provider, since: fleet.clock.now(), isDone: false };
    return { kind: "under-way", record: await noteSnapshot(fleet, record, awaited) };
  }
  fleet.say(`${record.name}: making a volume in ${offer.zone} from the snapshot ${snapshot.providerId}`);
  const copy = { of: home.id, checkpoint: newest?.id ?? null, snapshot: snapshot.providerId };
  return { kind: "made", record, twin: await makeTwin(fleet, record, home, offer, copy, signal) };
}

async function byCopy(fleet: Fleet, record: InstanceRecord, survey: Survey, offer: Offer, signal: AbortSignal): Promise<Made> {
  const { home, newest } = survey;
  const rung = survey.rungs.find(({ rung: name }) => name === "copy");
  if (home !== undefined && rung?.copy !== undefined) return byBucket(fleet, record, survey, home, rung.copy, offer, signal);
  if (home === undefined || newest === undefined || fleet.travel === undefined) throw new RangeError(`${record.name} has no checkpoint`);
  const copy = { of: home.id, checkpoint: newest.id, snapshot: null };
  const twin = (await livingTwin(fleet, survey, offer, signal)) ?? (await makeTwin(fleet, record, home, offer, copy, signal));
  // What goes on from it there is to be known here as well.
  await syncCheckpoints(fleet, home, signal);
  fleet.say(`${record.name}: bringing ${newest.id} to ${offer.provider} ${offer.zone}`);
  // Also where it was begun before: what is whole there is only looked at.
  try {
    await fleet.travel.bring(newest, home, twin, signal);
  } catch (error) {
    // What is damaged does not get whole by another try, and its volume would bill.
    if (isOfRung(error)) await dropTwin(fleet, record, twin, signal);
    throw error;
  }
  return { kind: "made", record, twin };
}

/** An empty volume, for a machine that gets the copy once it is up: nothing is brought before. */
async function byBucket(
  fleet: Fleet,
  record: InstanceRecord,
  survey: Survey,
  home: VolumeRecord,
  { checkpoint, place, sha256 }: BucketSource,
  offer: Offer,
  signal: AbortSignal,
): Promise<Made> {
  const copy = { of: home.id, checkpoint, snapshot: null, source: { place, sha256 } };
  const there = await livingTwin(fleet, { twins: survey.vessels }, offer, signal);
  return { kind: "made", record, twin: there ?? (await makeTwin(fleet, record, home, offer, copy, signal)) };
}

async function livingTwin(
  fleet: Fleet,
  { twins }: Pick<Survey, "twins">,
  offer: Offer,
  signal: AbortSignal,
): Promise<VolumeRecord | undefined> {
  const { zonalVolumes } = (await fleet.provider(offer.provider)).capabilities;
  const isThere = ({ provider, region, zone }: VolumeRecord) =>
    provider === offer.provider && region === offer.region && (!zonalVolumes || zone === offer.zone);
  for (const twin of twins.filter(isThere)) if (await isTwinThere(fleet, twin, signal)) return twin;
  return undefined;
}

async function noteSnapshot(fleet: Fleet, record: InstanceRecord, snapshot: ComebackSnapshot): Promise<InstanceRecord> {
  const comeback = comebackOf(record);
  if (comeback === null) return record;
  return changeRecord(fleet, record, { outlook: { ...record.outlook, comeback: { ...comeback, snapshot } } });
}

/**
 * Whether the snapshot that its way back waits for can be restored from by now; true as well where it has failed or is gone,
 * and another is to be made. Waits a little where it is not: the market need not be asked meanwhile.
 */
export async function isSnapshotDone(
  fleet: Fleet,
  record: InstanceRecord,
  signal: AbortSignal,
): Promise<{ readonly record: InstanceRecord; readonly isDone: boolean }> {
  const awaited = comebackOf(record)?.snapshot ?? null;
  if (awaited === null || awaited.isDone) return { record, isDone: true };
  const provider = await fleet.provider(awaited.provider);
  const listed = await call(signal, (context) => snapshotsOf(provider).list(context));
  const seen = listed.find(({ providerId }) => providerId === awaited.id);
  const mayAppear = fleet.clock.now() - awaited.since < provider.capabilities.listSettlesMs;
  if (seen?.state === "pending" || (seen === undefined && mayAppear)) {
    await fleet.clock.sleep(LOOK_MS, signal);
    return { record, isDone: false };
  }
  return { record: await noteSnapshot(fleet, record, { ...awaited, isDone: true }), isDone: true };
}
