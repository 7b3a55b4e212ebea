import { newId } from "../../model/ids.ts";
import { isVolumePolicy, makesSnapshot, type VolumePolicy } from "../../model/volume-policy.ts";
import type { Change, InstanceRecord, IntentRecord, VolumeRecord } from "../../state/records.ts";
import type { Fleet } from "../fleet.ts";
import { newIntent } from "../intent.ts";

/** What is to become of one volume once its instance has ended. */
export interface VolumeEnd {
  readonly volume: VolumeRecord;
  readonly policy: VolumePolicy;
}

/** What an open promise about the end of a volume says. */
export interface EndOrder {
  readonly volumeId: string;
  readonly name: string;
  readonly policy: VolumePolicy;
  /** The id of the record that is to be gone first. */
  readonly for: string;
  /** The token that its snapshot carries. */
  readonly snapshot: string | null;
}

/** Undefined for what is none, or is written in a way that is not understood: then nothing is done about it. */
export function endOrder({ kind, detail }: Pick<IntentRecord, "kind" | "detail">): EndOrder | undefined {
  const { volumeId, name, policy, for: owner, snapshot } = detail;
  if (kind !== "volume-end" || !isVolumePolicy(policy)) return undefined;
  const isWhole = typeof volumeId === "string" && typeof name === "string" && typeof owner === "string";
  const token = typeof snapshot === "string" ? snapshot : null;
  if (!isWhole || (makesSnapshot(policy) && token === null)) return undefined;
  return { volumeId, name, policy, for: owner, snapshot: token };
}

/** A promise about the end of a volume, with a token of its own for the snapshot. Nothing is written yet. */
export function endIntent(fleet: Fleet, order: Omit<EndOrder, "snapshot">, provider: string): IntentRecord {
  const snapshot = makesSnapshot(order.policy) ? newId("t", fleet.rng) : null;
  return newIntent(fleet, { kind: "volume-end", provider, detail: { ...order, snapshot } });
}

/** The open promises about the end of a volume. */
export async function openEnds(fleet: Pick<Fleet, "state">, { id }: Pick<VolumeRecord, "id">): Promise<readonly IntentRecord[]> {
  return (await fleet.state.pendingIntents()).filter((intent) => endOrder(intent)?.volumeId === id);
}

/**
 * What is to be committed together with the wish that an instance be gone: from then on whoever comes after a crash does with
 * its volumes what was ordered. A later order takes the place of an earlier one; `keep` only takes it back.
 */
export async function promiseEnds(
  fleet: Fleet,
  record: Pick<InstanceRecord, "id" | "name">,
  ends: readonly VolumeEnd[],
): Promise<{ readonly intents: readonly IntentRecord[]; readonly change: Pick<Change, "openIntents" | "closeIntents" | "events"> }> {
  const at = fleet.clock.now();
  const before = (await Promise.all(ends.map(({ volume }) => openEnds(fleet, volume)))).flat();
  const kept = ends.filter(({ policy }) => policy !== "keep");
  const intents = kept.map(({ volume, policy }) =>
    endIntent(fleet, { volumeId: volume.id, name: volume.name, policy, for: record.id }, volume.provider),
  );
  return {
    intents,
    change: {
      openIntents: intents,
      closeIntents: before.map(({ id }) => ({ id, status: "failed" as const, at, detail: { why: "it was ordered otherwise" } })),
      events: kept.map(({ volume, policy }) => ({
        at,
        type: "intent" as const,
        instance: record.name,
        provider: volume.provider,
        data: { intent: "volume-end", volume: volume.name, policy },
      })),
    },
  };
}
