/** Between two tries to wake something: at first, and at most. */
const FIRST_MS = 30_000;
const LONGEST_MS = 15 * 60_000;

/**
 * How long to wait after so many tries (from 1) that came to nothing, in milliseconds: twice as long each time, shorter or
 * longer by a quarter by chance (`chance` from 0 to 1), so that many who wait do not ask as one; never less than the pace at
 * which the provider may be asked. Pure.
 */
export function backOffMs(tries: number, chance: number, leastMs: number): number {
  const pause = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(Math.max(0, tries - 1), 20));
  return Math.max(leastMs, Math.round(pause * (0.75 + chance / 2)));
}
