import type { CheckpointFit } from "../../model/checkpoint-fit.ts";
import type { InstanceRecord } from "../../state/records.ts";
import type { Fleet } from "../fleet.ts";
import { eventOf } from "../record-change.ts";

/** Where no notice says since when, the same word within so long is one word. */
const SAME_MS = 3_600_000;

/**
 * Writes down that a checkpoint was not begun, because it did not fit the time: once for each notice and checkpoint that
 * stands, whoever says it. One that fits, or was begun, is no event.
 * @returns whether it was news.
 */
export async function noteUnfit(fleet: Fleet, record: InstanceRecord, fit: CheckpointFit | null | undefined): Promise<boolean> {
  if (fit == null || fit.begun) return false;
  const since = record.notice?.seenAt ?? fleet.clock.now() - SAME_MS;
  const told = await fleet.state.events({ instances: [record.name], since });
  if (told.some(({ type, data }) => type === "checkpoint" && data["skipped"] === true && data["stands"] === fit.stands)) return false;
  const { bytes, bytesPerSecond, neededSeconds, leftSeconds, stands } = fit;
  const data = { skipped: true, bytes, bytesPerSecond, neededSeconds, leftSeconds, stands };
  await fleet.state.commit({ events: [eventOf(fleet, record, "checkpoint", data)] });
  return true;
}
