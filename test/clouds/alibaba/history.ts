import type { HistoryEvent, Instance, Site } from "./site.ts";

/** Writes a system event into the history of a machine. */
export function publish(
  site: Site,
  instance: Instance,
  type: string,
  code: number,
  reason: string,
  isOver: boolean,
  notBefore?: number,
): HistoryEvent {
  const { id, number } = site.nextId("e", instance.region);
  const now = site.schedule.time();
  const event: HistoryEvent = {
    id,
    number,
    region: instance.region,
    instanceId: instance.id,
    type,
    code,
    reason,
    publishedAt: now,
    notBefore: notBefore ?? now,
    status: isOver ? "Executed" : "Scheduled",
    finishedAt: isOver ? now : null,
  };
  site.history.push(event);
  return event;
}
