import type { Money } from "../../../src/model/money.ts";
import { totalBill } from "./ledger.ts";
import { type AwsState, type BillLine, type FakeSpotRequest, tagOf, tagsOfItem } from "./state.ts";

/** Ids of what follows are `REGION/ID`. */
export interface LivingInstance {
  readonly providerId: string;
  readonly name: string;
  readonly token: string | null;
  readonly state: string;
  readonly isSpot: boolean;
}

export interface LivingVolume {
  readonly providerId: string;
  readonly name: string;
  readonly token: string | null;
  readonly sizeGb: number;
  readonly attachedTo: string | null;
}

export interface LivingSnapshot {
  readonly providerId: string;
  readonly name: string;
  readonly token: string | null;
  readonly volumeId: string;
}

/** What there is now, and what it costs. */
export interface Views {
  /** Machines that cost money, or will at once: also those that are stopped, for their disks. */
  living(): readonly LivingInstance[];
  /** Every volume but root disks of machines that are not over. */
  volumes(): readonly LivingVolume[];
  snapshots(): readonly LivingSnapshot[];
  spotRequests(): readonly FakeSpotRequest[];
  bill(): readonly BillLine[];
  /** What all of it has cost by now. */
  total(): Money;
}

const NAME_TAG = "spot-fleet-name";
const TOKEN_TAG = "spot-fleet-token";
const COSTS_NOTHING = ["shutting-down", "terminated"];

const named = ({ region, id }: { readonly region: string; readonly id: string }) => `${region}/${id}`;
const nameOf = (tags: ReturnType<typeof tagsOfItem>) => tagOf(tags, NAME_TAG) ?? tagOf(tags, "Name") ?? "";

export function viewsOf(state: AwsState): Views {
  return {
    living: () =>
      [...state.instances.values()]
        .filter((one) => !COSTS_NOTHING.includes(one.state))
        .map((one) => ({
          providerId: named(one),
          name: nameOf(tagsOfItem(one.item)),
          token: tagOf(tagsOfItem(one.item), TOKEN_TAG),
          state: one.state,
          isSpot: one.isSpot,
        })),
    volumes: () =>
      [...state.volumes.values()]
        .filter((one) => one.state !== "deleted" && !(one.isRoot && one.attachment !== null))
        .map((one) => ({
          providerId: named(one),
          name: nameOf(tagsOfItem(one.item)),
          token: tagOf(tagsOfItem(one.item), TOKEN_TAG),
          sizeGb: one.sizeGb,
          attachedTo: one.attachment === null ? null : `${one.region}/${one.attachment.instanceId}`,
        })),
    snapshots: () =>
      [...state.snapshots.values()].map((one) => ({
        providerId: named(one),
        name: nameOf(tagsOfItem(one.item)),
        token: tagOf(tagsOfItem(one.item), TOKEN_TAG),
        volumeId: `${one.region}/${one.volumeId}`,
      })),
    spotRequests: () => [...state.spotRequests.values()],
    bill: () => state.bill,
    total: () => totalBill(state, state.clock.now()),
  };
}
