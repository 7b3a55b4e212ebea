import type { SecondMouth } from "../../model/notice.ts";
import type { ProviderInstance } from "../../providers/provider.ts";
import type { InstanceRecord } from "../../state/records.ts";
import type { Observation } from "../deciding/decision.ts";
import { reclaimOf, withoutReclaim, withReclaim } from "../deciding/history.ts";
import { offerKey } from "../deciding/offer-choice.ts";
import type { Fleet } from "../fleet.ts";
import { mouthsOf } from "../hearing/hearing.ts";
import { changeRecord, eventOf } from "../record-change.ts";
import { noteWord } from "./told.ts";

/** The provider said that the machine will be reclaimed, or might be. */
export async function noteNotice(fleet: Fleet, record: InstanceRecord, instance: ProviderInstance, signal: AbortSignal): Promise<void> {
  const { notice } = instance;
  if (notice === null) return;
  const isReclaim = notice.kind === "reclaim";
  const taken = reclaimOf(record, fleet.clock.now());
  await changeRecord(
    fleet,
    record,
    {
      notice,
      rawState: instance.rawState,
      ...(isReclaim && record.state !== "reclaiming" ? { state: "reclaiming" as const } : {}),
      ...(isReclaim && taken !== null ? { outlook: withReclaim(record.outlook, taken) } : {}),
    },
    {
      events: [
        eventOf(fleet, record, "notice", {
          ...notice,
          policy: record.spec.onReclaim,
          pool: offerKey(record),
          providerId: record.providerId,
        }),
      ],
    },
  );
  fleet.say(`${record.name}: ${notice.kind} notice, ${Math.max(0, Math.round((notice.deadline - fleet.clock.now()) / 1000))} s left`);
  if (notice.kind === "rebalance" && record.spec.onRebalance === "checkpoint" && instance.reach !== null)
    await fleet.guest.snapshot(instance.reach, "notice", null, signal).catch(() => undefined);
  // Where the agent has not heard it first, this is how it learns. A machine that is already going away may not answer, and
  // that must not keep us from the rest.
  const word = record.providerId === null ? undefined : fleet.ear?.word(record.provider, record.providerId);
  const knows = notice.source === "guest" || word?.notice?.own === true;
  if (!isReclaim || knows || instance.reach === null) return;
  const noted = { ...record, notice };
  const { machine } = (await fleet.provider(record.provider)).capabilities;
  // Of the others it is not known whether they wait for our word.
  if (machine.notices === "controller") noteWord(fleet.told, noted, "not-yet", fleet.clock.now());
  await tellNotice(fleet, noted, instance, signal);
}

/** Both mouths spoke of the same reclaim, or one of them no longer does: no second notice, and said all the same. */
export async function noteMouth(fleet: Fleet, record: InstanceRecord, { mouth, now }: SecondMouth): Promise<void> {
  const { notice } = record;
  if (notice === null) return;
  const { [mouth]: before, ...others } = { ...mouthsOf(notice), [mouth]: fleet.clock.now() };
  const heard = now === "says" ? { ...others, [mouth]: before } : others;
  const { kind, deadline } = notice;
  const withdrew = now === "withdrew" ? { withdrew: true } : {};
  await changeRecord(
    fleet,
    record,
    { notice: { ...notice, heard } },
    { events: [eventOf(fleet, record, "action", { action: "heard", mouth, kind, deadline, heard, ...withdrew })] },
  );
}

/**
 * Tells the agent of the record's notice: also once more one that has nobody else to hear it from and did not answer the
 * first time.
 * @returns whether it has heard.
 */
export async function tellNotice(
  fleet: Fleet,
  record: Pick<InstanceRecord, "id" | "providerId" | "notice">,
  { reach }: ProviderInstance,
  signal: AbortSignal,
): Promise<boolean> {
  const { notice } = record;
  if (notice === null || reach === null) return false;
  const hasHeard = await fleet.guest.tellNotice(reach, Math.floor(notice.deadline / 1000), signal).then(
    () => true,
    () => false,
  );
  if (hasHeard || fleet.told?.has(record.id) === true) noteWord(fleet.told, record, hasHeard ? "heard" : "in-vain", fleet.clock.now());
  return hasHeard;
}

/**
 * The provider took its word back. The agent is told first: once it is written down, nobody would think of that any more.
 * @returns whether it is written down; not while the agent is out of reach and would believe its notice for longer.
 */
export async function noteWithdrawn(fleet: Fleet, record: InstanceRecord, seen: Observation, signal: AbortSignal): Promise<boolean> {
  if (!(await tellWithdrawn(fleet, record, seen, signal))) return false;
  await changeRecord(
    fleet,
    record,
    { notice: null, state: "running", outlook: { ...withoutReclaim(record.outlook, record.providerId), early: null } },
    { events: [eventOf(fleet, record, "notice", { withdrawn: true, providerId: record.providerId })] },
  );
  return true;
}

/** @returns whether nothing is left to be told: it has heard, it never had a word of ours, or its deadline is over. */
async function tellWithdrawn(
  fleet: Fleet,
  { notice }: InstanceRecord,
  { cloud, machine }: Observation,
  signal: AbortSignal,
): Promise<boolean> {
  const reach = cloud.kind === "here" ? cloud.instance.reach : null;
  // Its own cloud's word is not ours to take back: only what we told it is forgotten.
  const isOurs = machine.notices === "controller" || notice?.source === "api";
  if (!isOurs || reach === null) return true;
  const hasHeard = await fleet.guest.tellWithdrawn(reach, signal).then(
    () => true,
    () => false,
  );
  return hasHeard || notice?.kind !== "reclaim" || fleet.clock.now() >= notice.deadline;
}
