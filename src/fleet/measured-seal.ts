import type { MeasuredSeal } from "../model/measured-seal.ts";
import type { InstanceRecord } from "../state/records.ts";
import type { Fleet, GuestReport } from "./fleet.ts";
import { changeRecord, RecordMoved } from "./record-change.ts";

/** The same word is written down again when the last one is this old: a record is not changed for nothing. */
const SAME_AGAIN_MS = 600_000;
/** So often it is written down anew that somebody else's change of the record came between. */
const MOST_TRIES = 3;

/** What a report says of its machine's checkpoints that is worth keeping; undefined when it is nothing, or known. Pure. */
export function sealSaid(
  { providerId, outlook }: Pick<InstanceRecord, "providerId" | "outlook">,
  { checkpointSeconds, everySeconds }: Pick<GuestReport, "checkpointSeconds" | "everySeconds">,
  now: number,
): MeasuredSeal | undefined {
  if (providerId === null || checkpointSeconds == null) return undefined;
  const said: MeasuredSeal = { machine: providerId, at: now, checkpointSeconds, everySeconds: everySeconds ?? null };
  const known = outlook.sealing;
  const isSame =
    known?.machine === said.machine && known.checkpointSeconds === said.checkpointSeconds && known.everySeconds === said.everySeconds;
  return isSame && now >= known.at && now - known.at < SAME_AGAIN_MS ? undefined : said;
}

/** Writes down what an agent has said of its checkpoints, for whoever asks when nobody asks the machine. */
export async function noteSeal(fleet: Fleet, { id, providerId }: InstanceRecord, report: GuestReport | undefined): Promise<void> {
  if (report?.checkpointSeconds == null) return;
  for (let tries = 0; tries < MOST_TRIES; tries++) {
    const record = await fleet.state.instance(id);
    if (record === undefined || record.providerId !== providerId) return;
    const sealing = sealSaid(record, report, fleet.clock.now());
    if (sealing === undefined) return;
    try {
      await changeRecord(fleet, record, { outlook: { ...record.outlook, sealing } });
      return;
    } catch (error) {
      if (!(error instanceof RecordMoved)) throw error;
    }
  }
}
