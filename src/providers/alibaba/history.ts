import type { CallContext, ProviderInstance } from "../provider.ts";
import type { Ecs } from "./client.ts";
import { type Place, placedId } from "./place.ts";
import { eventList } from "./wire.ts";

/** A machine that was ordered and could not be made; it leaves nothing else behind. */
const NEVER_MADE = "SystemFailure.Delete";
/** The cloud's own doing: reclaims (`…PreemptibleInstance…`, `…SpotInstance…`) and machines that it gave up. */
const RECLAIMED = /preempt|spot|recycl/i;
/** Of one machine; unasked a page has ten, and nobody says which ones come first. */
const MOST_EVENTS = 100;
const OVERDUE = /^(AccountUnbalanced|InstanceExpiration)\./;

export interface End {
  readonly reason: string;
  readonly endedBy: "provider" | null;
}

/** Why the cloud itself ended a machine, as its history of events says; null when it says nothing of an end. */
export async function endOf(ecs: Ecs, { region, id }: Place, context: CallContext): Promise<End | null> {
  const parameters = { RegionId: region, InstanceId: id, MaxResults: MOST_EVENTS };
  const { InstanceSystemEventSet } = await ecs.read(
    { region, action: "DescribeInstanceHistoryEvents", parameters, answer: eventList },
    context,
  );
  const events = [...InstanceSystemEventSet.InstanceSystemEventType].sort((a, b) => (b.EventPublishTime ?? 0) - (a.EventPublishTime ?? 0));
  for (const { EventType, Reason, ReasonCode } of events) {
    const why = [Reason, ReasonCode].find((text) => text !== null && text !== "");
    const said = why === undefined ? EventType.Name : `${EventType.Name}: ${why}`;
    if (EventType.Name === NEVER_MADE)
      return { reason: `no capacity: accepted, and then it could not be made (${said})`, endedBy: "provider" };
    if (RECLAIMED.test(EventType.Name)) return { reason: `reclaimed (${said})`, endedBy: "provider" };
    if (OVERDUE.test(EventType.Name)) return { reason: `released by the cloud (${said})`, endedBy: "provider" };
  }
  return null;
}

/** A machine that is no longer listed. `last`: as it was when it was last seen, where it was. */
export function goneInstance({ region, id }: Place, last: ProviderInstance | undefined, { reason, endedBy }: End): ProviderInstance {
  const nothing: ProviderInstance = {
    providerId: placedId(region, id),
    name: id,
    token: null,
    state: "gone",
    rawState: "released",
    region,
    zone: region,
    type: "",
    gpu: { model: "", count: 0, vramGb: 0 },
    billing: "spot",
    price: null,
    createdAt: null,
    protectedUntil: null,
    notice: null,
    reach: null,
    volumeIds: [],
    reason: null,
    endedBy: null,
    canHibernate: false,
    dataKeptUntil: null,
    endpoints: [],
    rootVolumeId: null,
  };
  return { ...(last ?? nothing), state: "gone", rawState: "released", notice: null, reach: null, endpoints: [], reason, endedBy };
}
