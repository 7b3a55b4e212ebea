const MINUTE_MS = 60_000;
/** The cloud takes no earlier end than this. One minute more: it rounds to the minute, and the request takes its time. */
const SOONEST_MS = 31 * MINUTE_MS;
const LATEST_MS = 3 * 365 * 24 * 60 * MINUTE_MS;

/**
 * When the cloud shall release a machine by itself, in epoch milliseconds of its own clock, on the full minute; undefined when
 * it cannot be told (more than three years). A time to live below half an hour is raised to that: the agent and whoever
 * watches end it earlier.
 */
export function releaseTime(theirNow: number, ttlSeconds: number): number | undefined {
  const lifeMs = Math.max(ttlSeconds * 1000, SOONEST_MS);
  return lifeMs > LATEST_MS ? undefined : Math.ceil((theirNow + lifeMs) / MINUTE_MS) * MINUTE_MS;
}
