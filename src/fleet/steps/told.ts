import type { InstanceRecord } from "../../state/records.ts";
import { isSameDeadline } from "../deciding/decide.ts";

/** What came of telling one agent of its notice. */
interface Word {
  readonly providerId: string | null;
  /** The notice's, in epoch milliseconds. */
  readonly deadline: number;
  /** `not-yet`: it waits for its turn for the first time. */
  readonly came: "not-yet" | "in-vain" | "heard";
  /** Since when that is so, in epoch milliseconds. */
  readonly at: number;
}

/**
 * What came of telling agents that hear of notices from us alone, by instance. Only for as long as a process lives: whoever
 * does not know asks the agent.
 */
export type Told = Map<string, Word>;

type Noticed = Pick<InstanceRecord, "id" | "providerId" | "notice">;

/** What came of telling this record's agent of its present notice; undefined when that is not known. */
export function wordOf(told: ReadonlyMap<string, Word> | undefined, { id, providerId, notice }: Noticed): Word | undefined {
  const word = told?.get(id);
  if (word === undefined || notice === null || word.providerId !== providerId) return undefined;
  return isSameDeadline(word.deadline, notice.deadline) ? word : undefined;
}

/** Keeps what came of it. */
export function noteWord(told: Told | undefined, { id, providerId, notice }: Noticed, came: Word["came"], at: number): void {
  if (notice !== null) told?.set(id, { providerId, deadline: notice.deadline, came, at });
}

/** Forgets whoever is under no notice any more. */
export function forgetOthers(told: Told, records: readonly Noticed[]): void {
  if (told.size === 0) return;
  const noticed = new Set(records.flatMap(({ id, notice }) => (notice === null ? [] : [id])));
  for (const id of told.keys()) if (!noticed.has(id)) told.delete(id);
}
