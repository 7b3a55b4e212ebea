import type { Notice } from "../../model/notice.ts";
import type { InstanceRecord } from "../../state/records.ts";
import { type Told, wordOf } from "../steps/told.ts";
import { isSameNotice, isSettled } from "./decide.ts";

/** How soon it is a record's turn: the lower rank first, and of one rank what is due earlier (epoch ms). */
export interface Urgency {
  readonly rank: number;
  readonly due: number;
}

/** The ranks of those whose notice is not answered yet, of those whose agent was told in vain, and of those under notice. */
export const UNANSWERED = 0;
const TOLD_IN_VAIN = 1;
export const UNDER_NOTICE = 2;
/** Behind everybody of whom something is known. */
export const NOT_URGENT: Urgency = { rank: 5, due: 0 };

/** A hint says only that a notice may come: it has time. */
const presses = (notice: Notice | null): notice is Notice => notice !== null && notice.kind !== "rebalance";

/**
 * How urgent a record is, given what was said of its machine just now. Before all others whoever has a notice that was not
 * answered yet: telling its agent takes a moment, and from there on the agent seals by itself; then those whose agent did not
 * get that word, whoever was last tried longest ago first, so that agents that are out of reach keep nobody from the others;
 * then who is under notice, each by its deadline; then what is not as it is wanted, longest first; then the rest.
 */
export function urgencyOf(record: InstanceRecord, said: Notice | null, now: number, told?: Told): Urgency {
  const { notice, changedAt, desired } = record;
  if (presses(said) && said.deadline > now && !isSameNotice(notice, said))
    // Of whoever is to sleep or to end nobody writes a notice down; it only has less time for that.
    return { rank: desired === "running" ? UNANSWERED : UNDER_NOTICE, due: said.deadline };
  if (presses(notice) && notice.deadline > now) {
    const word = wordOf(told, record);
    if (word?.came === "in-vain") return { rank: TOLD_IN_VAIN, due: word.at };
    return { rank: word?.came === "not-yet" ? UNANSWERED : UNDER_NOTICE, due: notice.deadline };
  }
  return { rank: isSettled(record) ? 4 : 3, due: changedAt };
}

/** Negative when the first one comes first. */
export function byUrgency(one: Urgency, other: Urgency): number {
  return one.rank - other.rank || one.due - other.due;
}
