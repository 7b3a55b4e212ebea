import { durationText } from "../../model/duration.ts";
import type { ProviderInstance } from "../../providers/provider.ts";
import type { InstanceRecord } from "../../state/records.ts";
import type { Observation } from "./decision.ts";
import { SLEEP_MARGIN_MS, WORTH_WAITING_MS } from "./policy.ts";

/** What becomes of an instance that is to sleep when its machine is taken back, from its notice on. */
export type NoticeAction =
  /** A checkpoint at once, so that nothing hangs on the last moment. */
  | { readonly do: "seal-early"; readonly instance: ProviderInstance }
  /** It is sealed, and the work goes on until then (epoch ms). */
  | { readonly do: "work-on"; readonly until: number }
  | { readonly do: "sleep" };

export interface NoticeDecision {
  readonly action: NoticeAction | { readonly do: "rest" };
  readonly why: string;
  /** When it is to be looked at again at the latest, in epoch milliseconds. */
  readonly nextLook?: number;
}

/** Two clocks, or two words about one moment, may differ by so much. */
const SAME_MS = 5_000;
const SKEW_MS = 60_000;

const clockText = (at: number) => `${new Date(at).toISOString().slice(11, 19)}Z`;

/** Whether its policy puts it to sleep at a notice. */
function isToSleep({ notice, spec, desired }: InstanceRecord): boolean {
  return notice?.kind === "reclaim" && spec.onReclaim === "hibernate" && desired === "running";
}

/** What was sealed of the machine that it has now, since its notice; null when that was not tried yet. */
function earlyOf({ outlook, providerId }: InstanceRecord) {
  const early = outlook.early ?? null;
  return early !== null && early.machine === providerId ? early : null;
}

/** Until when the work may go on: what hook and seal have taken counts twice, then our margin, then the longest pause between two looks. */
function lastMoment(deadline: number, tookMs: number, looksEveryMs: number): number {
  return deadline - 2 * tookMs - SLEEP_MARGIN_MS - looksEveryMs;
}

/**
 * An instance whose policy is `hibernate`, from its notice on: it is sealed at once, works on, and is sealed once more and put
 * to sleep as late as is safe. Whenever something speaks against waiting it sleeps now, which loses the rest of the notice
 * and nothing else. Null when nothing of this concerns it, or it may go on coming up. Pure.
 */
export function decideUnderNotice(record: InstanceRecord, seen: Observation, instance: ProviderInstance): NoticeDecision | null {
  const { notice } = record;
  if (notice === null || !isToSleep(record)) return null;
  const left = durationText(Math.max(0, notice.deadline - seen.now));
  if (wouldLoseAll(record, seen, instance))
    return record.readyAt === null ? null : { action: { do: "rest" }, why: "nothing would outlive its machine: it runs until the end" };
  const against = whyNotWait(record, seen, instance);
  if (against !== null) return { action: { do: "sleep" }, why: `its machine goes in ${left}, and it sleeps now: ${against}` };
  if (record.readyAt === null) return null;
  const early = earlyOf(record);
  if (early === null)
    return { action: { do: "seal-early", instance }, why: `its machine goes in ${left}: a checkpoint at once, and then the work goes on` };
  const until = lastMoment(notice.deadline, early.tookMs ?? 0, seen.looksEveryMs ?? 0);
  const why = `it is sealed, and works on until ${clockText(until)}: then it seals once more and sleeps, before its machine goes at ${clockText(notice.deadline)}`;
  if (early.worksUntil === null || Math.abs(early.worksUntil - until) > SAME_MS)
    return { action: { do: "work-on", until }, why, nextLook: until };
  return { action: { do: "rest" }, why, nextLook: until };
}

/** What speaks against working on; null when nothing does. The order is that in which a person would ask. */
function whyNotWait(record: InstanceRecord, { now, looksEveryMs }: Observation, instance: ProviderInstance): string | null {
  const { notice, spec } = record;
  if (notice === null) return null;
  const early = earlyOf(record);
  const until = lastMoment(notice.deadline, early?.tookMs ?? 0, looksEveryMs ?? 0);
  if (early === null && until - now < WORTH_WAITING_MS) return "that is just enough for a checkpoint";
  if (spec.volume === null) return "it has no volume on which anything could be sealed ahead";
  if (instance.reach === null) return "nobody can tell how its agent is reached";
  if (notice.assumed === true) return "its cloud does not say when, that moment is only assumed";
  if (looksEveryMs === null) return "no watch --act runs, and nobody else says when he will look again";
  if (now < notice.seenAt - SKEW_MS || (early !== null && now < early.at - SKEW_MS))
    return "the clock was set back, so nobody knows how long that is";
  if (early !== null && early.tookMs === null) return "its checkpoint ahead failed";
  return now >= until ? "it is time for its last checkpoint" : null;
}

/** It has no volume, and its cloud can only end it. */
function wouldLoseAll(record: InstanceRecord, { hibernates }: Observation, instance: ProviderInstance): boolean {
  const isParked = hibernates === "park" || record.parkOnly || !instance.canHibernate;
  return isParked && record.spec.volume === null && instance.rootVolumeId === null;
}

/** Whether a notice asks something of it now, also between two lists of its provider. Pure. */
export function isDueUnderNotice(record: InstanceRecord, now: number): boolean {
  // Without a volume it sleeps at once, or never.
  if (!isToSleep(record) || record.spec.volume === null) return false;
  const until = earlyOf(record)?.worksUntil ?? null;
  return until === null || now >= until;
}

/** Until when it works on under its notice, as was last said; null when that is nothing to be said. Pure. */
export function worksUntil(record: Pick<InstanceRecord, "outlook" | "providerId" | "notice" | "desired">): number | null {
  const early = record.outlook.early ?? null;
  const isNow = record.notice?.kind === "reclaim" && record.desired === "running" && early?.machine === record.providerId;
  return isNow ? (early?.worksUntil ?? null) : null;
}
