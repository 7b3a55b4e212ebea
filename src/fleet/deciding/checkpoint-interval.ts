import type { InstanceSpec } from "../../state/records.ts";

/** A notice shorter than this may be over before a checkpoint is sealed; nothing is left to it. */
const RELIABLE_NOTICE_SECONDS = 60;
/** The interval that the effective price reckons with where nobody says another. */
const USUAL_INTERVAL_MS = 600_000;

/**
 * How often the agent seals a checkpoint by itself, in milliseconds; null: not by the clock. Where the cloud's notice cannot
 * be relied on, the clock is all there is, so an instance with a volume that names no interval gets the usual one.
 */
export function checkpointEveryMs(spec: Pick<InstanceSpec, "checkpointEveryMs" | "volume">, noticeSeconds: number): number | null {
  if (spec.checkpointEveryMs !== null) return spec.checkpointEveryMs;
  return spec.volume !== null && noticeSeconds < RELIABLE_NOTICE_SECONDS ? USUAL_INTERVAL_MS : null;
}
