import type { FleetEvent } from "../model/event.ts";
import { groupedBy } from "../model/grouped-by.ts";
import type { Loss } from "../pricing/losses.ts";
import type { LedgerRecord, State } from "../state/records.ts";
import { wakesOf } from "./wakes/wake-log.ts";

const AT_ONCE = 10_000;

/** What of the log the losses are read from: what was done, and when a machine served. */
export async function lossEvents(state: Pick<State, "events">, since: number): Promise<readonly FleetEvent[]> {
  const found: FleetEvent[] = [];
  for (let afterSeq = 0; ; ) {
    const page = await state.events({ afterSeq, since, types: ["action", "state"], limit: AT_ONCE });
    for (const event of page) if (event.type === "state" || isAction(event, "lost") || isAction(event, "wake")) found.push(event);
    afterSeq = page.at(-1)?.seq ?? afterSeq;
    if (page.length < AT_ONCE) return found;
  }
}

function isAction({ type, data }: FleetEvent, action: string): boolean {
  return type === "action" && data["action"] === action;
}

/**
 * What interruptions made in vain, by the events that tell of them, oldest first. Which part of it was paid for says the ledger.
 * Where nothing was ever sealed, of a machine without a volume above all, nobody knows whether its work was lost. Pure.
 */
export function lossesOf(events: readonly FleetEvent[], ledger: readonly LedgerRecord[], now: number): readonly Loss[] {
  const gpus = groupedBy(
    ledger.filter(({ kind }) => kind === "gpu"),
    ({ instance }) => instance,
  );
  return [...groupedBy(events, ({ instance }) => instance)].flatMap(([instance, own]) => {
    if (instance === null) return [];
    const taken = own.flatMap((event, index) => takenLosses(instance, event, own.slice(index + 1), now));
    return [...taken, ...failedWakes(instance, own, gpus.get(instance) ?? [])];
  });
}

/** A provider took a machine: its work since the newest sealed checkpoint, and what it takes until another machine serves. */
function takenLosses(instance: string, event: FleetEvent, later: readonly FleetEvent[], now: number): readonly Loss[] {
  const { at, data } = event;
  if (!isAction(event, "lost") || data["taken"] !== true) return [];
  const losses: Loss[] = [];
  const providerId = typeof data["providerId"] === "string" ? data["providerId"] : null;
  const ranMs = data["ranMs"];
  const { work, ageMs } = data;
  // Before it served there was no work.
  if (providerId !== null && typeof ranMs === "number") {
    const isSealed = work === "sealed" && typeof ageMs === "number";
    // A checkpoint may be older than the machine.
    const lostMs = isSealed ? Math.min(ageMs, ranMs) : ranMs;
    losses.push({ kind: isSealed ? "work" : "unsealed", instance, providerId, from: at - lostMs, to: at });
  }
  if (data["next"] === "replace") losses.push({ kind: "restarts", instance, providerId: null, from: at, to: servesAgain(later) ?? now });
  return losses;
}

/** When the next machine serves, or nobody wants one any more, or the next one is taken as well. */
function servesAgain(later: readonly FleetEvent[]): number | undefined {
  const over = ["running", "reclaiming", "hibernating", "hibernated", "stopping", "terminating", "gone", "failed"];
  return later.find((event) => (event.type === "state" ? over.includes(String(event.data["to"])) : isAction(event, "lost")))?.at;
}

/**
 * What was paid for a wake that did not serve: its machines, from the wake on until they were paid for no more. Where a start cannot
 * be broken off that may begin after the wake was given up, but not after the next one, or once the name is another instance's.
 */
function failedWakes(instance: string, events: readonly FleetEvent[], gpus: readonly LedgerRecord[]): readonly Loss[] {
  const wakes = wakesOf(events);
  const moves = events.filter(({ type }) => type === "state");
  const overs = moves.filter(({ data }) => data["to"] === "gone").map(({ at }) => at);
  const rises = moves.filter(isRising).map(({ at }) => at);
  return wakes.flatMap(({ outcome, startedAt, endedAt }) => {
    if (outcome !== "asleep") return [];
    const later = [...overs, ...wakes.map((wake) => wake.startedAt)].filter((at) => at > startedAt);
    const next = Math.min(...later, ...rises.filter((at) => at > endedAt));
    return gpus
      .filter(({ from, to }) => from < next && (to === null || to > startedAt))
      .map((entry) => ({
        kind: "wakes" as const,
        instance,
        providerId: entry.providerId,
        from: Math.max(entry.from, startedAt),
        to: Math.min(entry.to ?? next, next),
      }));
  });
}

/** It leaves its sleep to serve: so begins a wake that is still under way, which the log of wakes does not have yet. */
function isRising({ data }: FleetEvent): boolean {
  return data["from"] === "hibernated" && ["requested", "restoring", "running"].includes(String(data["to"]));
}
