import { WAKE_PARTS } from "../model/wake.ts";

/** What was done by when, in epoch seconds of the machine's clock. */
export interface GuestMark {
  readonly phase: string;
  readonly at: number;
}

const LONGEST_WORD = 32;
const OURS: readonly string[] = WAKE_PARTS;

/** The agent's own words are ours; a workload that uses one of them means something else. */
function nameOf(word: string): string {
  if (word.startsWith("@")) return word.slice(1);
  return OURS.includes(word) ? `workload-${word}` : word;
}

/**
 * Reads what `status` says under `marks`: `|SECONDS WORD [TIME]`, one after the other; `@` before the agent's own words. TIME is
 * the workload's own word for when, with fractions if it likes; SECONDS is when the agent saw it.
 */
export function marksOf(told: string): readonly GuestMark[] {
  return told.split("|").flatMap((entry) => {
    const [seen = "", word = "", own = ""] = entry.split(" ").filter((part) => part !== "");
    if (!/^\d{1,12}$/.test(seen) || !/^@?[A-Za-z0-9_.-]+$/.test(word)) return [];
    const at = /^\d{9,12}(\.\d{1,9})?$/.test(own) ? Number(own) : Number(seen);
    return [{ phase: nameOf(word.slice(0, LONGEST_WORD)), at }];
  });
}
