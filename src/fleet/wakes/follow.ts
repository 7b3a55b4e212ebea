import { type WakeMark, wakeSeen } from "../../model/wake.ts";
import type { InstanceRecord } from "../../state/records.ts";
import type { Observation } from "../deciding/decision.ts";
import type { Fleet, GuestReport } from "../fleet.ts";
import { changeRecord } from "../record-change.ts";

/** By our clock: the machine's may be another one, and says what it is. */
function byOurClock({ marks, saidAt }: GuestReport, hasVolume: boolean, now: number): readonly WakeMark[] | undefined {
  if (marks === undefined) return undefined;
  const offset = saidAt == null ? 0 : now - saidAt * 1000;
  // An agent without a volume says as well when it would have had one.
  const done = hasVolume ? marks : marks.filter(({ phase }) => phase !== "mount");
  return done.map(({ phase, at }) => ({ phase, at: Math.round(at * 1000 + offset) }));
}

/**
 * Writes down how far a wake has come, when a look has something new of it. Of a record without a wake nothing is asked.
 * @returns the record as it is now.
 * @throws RecordMoved when somebody else changed it meanwhile.
 */
export async function followWake(fleet: Fleet, record: InstanceRecord, { cloud, guest, now }: Observation): Promise<InstanceRecord> {
  const { wake } = record.outlook;
  if (wake == null || cloud.kind !== "here") return record;
  const isUp = cloud.instance.state === "running" || cloud.instance.state === "reclaiming";
  const seen = wakeSeen(wake, now, isUp, guest === null ? undefined : byOurClock(guest, record.spec.volume !== null, now));
  return seen === wake ? record : changeRecord(fleet, record, { outlook: { ...record.outlook, wake: seen } });
}

/**
 * A clock that was set back since it was woken must not lengthen its cap: from then on, it has as long as it was given. Whoever
 * wakes it has a clock of its own, which never jumps; this is for the case that nobody is there any more.
 * @returns the record as it is now.
 * @throws RecordMoved when somebody else changed it meanwhile.
 */
export async function followCap(fleet: Fleet, record: InstanceRecord, { now }: Pick<Observation, "now">): Promise<InstanceRecord> {
  const { desired, wakeBy, outlook } = record;
  if (desired !== "running" || wakeBy === null || outlook.needsSince === null || now >= outlook.needsSince) return record;
  const capMs = Math.max(0, wakeBy - outlook.needsSince);
  return changeRecord(fleet, record, { wakeBy: now + capMs, outlook: { ...outlook, needsSince: now } });
}
