import type { RungName } from "../../model/comeback.ts";
import type { Offer } from "../../model/offer.ts";
import type { InstanceRecord, VolumeRecord } from "../../state/records.ts";
import { climb, comebackOf } from "../climbing/climb.ts";
import type { Fleet } from "../fleet.ts";
import { removeFreshVolume } from "../volumes/fresh-volume.ts";
import { type Plan, planLaunch } from "./plan.ts";

/** Where a machine is asked for next, and with what. */
export interface Place {
  readonly kind: "place";
  readonly record: InstanceRecord;
  readonly offer: Offer;
  readonly plan: Pick<Plan, "offers" | "prefer" | "silent">;
  readonly root: VolumeRecord | undefined;
  /** A copy of its volume that lies there; null: its own. */
  readonly twin: VolumeRecord | null;
  /** Of a restore that is under way. */
  readonly rung: RungName | null;
}

export type NextPlace =
  | Place
  /** Something that it needs is being made. */
  | { readonly kind: "under-way"; readonly record: InstanceRecord }
  | { readonly kind: "again"; readonly record: InstanceRecord }
  | {
      readonly kind: "none";
      readonly record: InstanceRecord;
      readonly why: string | null;
      readonly isDear?: boolean;
      readonly silent: Plan["silent"];
    };

/** The best offer where its volume lies; for a restore, where there is none, what the next rung has. */
export async function nextPlace(
  fleet: Fleet,
  record: InstanceRecord,
  root: VolumeRecord | undefined,
  signal: AbortSignal,
): Promise<NextPlace> {
  const comeback = comebackOf(record);
  const plan = await planLaunch(fleet, record.spec, signal, root === undefined ? { record } : { record, root });
  // On demand is the last rung of a restore, however much its spec likes it.
  const isEarly = (offer: Offer) => comeback !== null && record.spec.billing !== "on-demand" && offer.billing === "on-demand";
  const [offer] = plan.offers.filter((one) => !isEarly(one));
  if (offer !== undefined)
    return { kind: "place", record, offer, plan, root, twin: null, rung: root === undefined ? "same-zone" : "same-machine" };
  // A volume that was made for this very launch and is still empty must not tie it to a place without capacity.
  // One that slept has had its machine, and one that is to come back has its own ways from here.
  const neverServed = comeback === null && record.readyAt === null;
  if (plan.tie !== null && root === undefined && (await removeFreshVolume(fleet, record, signal, { neverServed })))
    return { kind: "again", record };
  const { silent } = plan;
  if (comeback === null) return { kind: "none", record, why: plan.why, silent };
  const climbed = await climb(fleet, record, comeback, signal);
  if (climbed.kind === "none") {
    const why = plan.why ?? "on demand alone";
    return { kind: "none", record: climbed.record, why: `${why}; ${climbed.why}`, isDear: climbed.isDear, silent };
  }
  if (climbed.kind === "under-way") return climbed;
  const { berth } = climbed;
  return {
    ...berth,
    kind: "place",
    record: climbed.record,
    plan: { ...berth, silent },
    root: berth.rung === "on-demand" ? root : undefined,
  };
}

/**
 * What its machine is to have. Beside a copy of its volume the volume itself is named until the machine is there: until then
 * it is the one that holds the work, and nobody may delete it.
 */
export function volumesOf({ spec, volumes }: InstanceRecord, volume: VolumeRecord | null): InstanceRecord["volumes"] {
  if (volume === null) return [];
  const name = spec.volume?.name ?? volume.name;
  const kept = name === volume.name ? [] : volumes.filter(({ id }) => id !== volume.id);
  return [{ name, id: volume.id, mount: spec.volume?.mount ?? "/data" }, ...kept];
}
