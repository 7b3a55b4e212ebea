import { durationText, parseDuration } from "../model/duration.ts";

/** Nobody calls a machine back more often than every second. */
export const MOST_PER_HOUR = 3600;

/** A duration in seconds; `0`, with or without a unit, is none. @throws RangeError. */
export function parseSeconds(text: string): number {
  return /^0+(?:\.0+)?(?:ms|s|m|h|d)?$/.test(text.trim()) ? 0 : parseDuration(text) / 1000;
}

/**
 * Interruptions an hour: `0.05` is so many an hour, `1/20h` or `3/2d` so many in a time.
 * @throws RangeError on anything else, and on more than one a second.
 */
export function parseRate(text: string): number {
  const [, count, time] = /^(\d{1,9}(?:\.\d{1,9})?)(?:\/(.+))?$/.exec(text.trim()) ?? [];
  if (count === undefined) throw new RangeError(`not a rate: ${JSON.stringify(text)} (write 0.05 for so many an hour, or 1/20h)`);
  const perHour = Number(count) / (time === undefined ? 1 : parseDuration(time === "h" ? "1h" : time) / 3_600_000);
  if (perHour > MOST_PER_HOUR) throw new RangeError(`more than one interruption a second: ${JSON.stringify(text)}`);
  return perHour;
}

/** "0.05 an hour, one in 20h"; "none". */
export function rateText(perHour: number): string {
  if (perHour === 0) return "none";
  return `${Number(perHour.toPrecision(3))} an hour, one in ${durationText(3_600_000 / perHour)}`;
}
