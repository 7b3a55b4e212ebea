import { EXIT } from "../../model/exit-codes.ts";
import { Problem } from "../../model/problem.ts";
import type { ProviderInstance } from "../../providers/provider.ts";
import type { InstanceRecord } from "../../state/records.ts";
import { awaitsCopy } from "../climbing/moved-volume.ts";
import { holdsWork } from "../deciding/decide.ts";
import type { Observation } from "../deciding/decision.ts";
import { offerKey } from "../deciding/offer-choice.ts";
import { call, type Fleet } from "../fleet.ts";
import { changeRecord, eventOf } from "../record-change.ts";
import { letGoOfVolume } from "../volumes/attach.ts";
import { keptRoot, rootOf } from "../volumes/root-volume.ts";
import type { LastSeal } from "./last-seal.ts";
import { afterLoss } from "./loss.ts";
import { promiseOnce } from "./promise.ts";
import { beforeEnd } from "./used.ts";

/** A machine that never came up is passed over for as long as one without capacity. */
const BLOCK_MS = 180_000;

/**
 * Ends the machine; where its cloud can, and it is to come back, its root disk stays. `seal`: what came of the checkpoint
 * right before.
 */
export async function endNow(
  fleet: Fleet,
  record: InstanceRecord,
  instance: ProviderInstance,
  seal: LastSeal,
  signal: AbortSignal,
): Promise<void> {
  const { providerId } = instance;
  const provider = await fleet.provider(record.provider);
  // Of one that has waited for its copy until now nothing is to be kept: it goes back to where its volume is.
  const keepsNone = record.desired === "gone" || (await awaitsCopy(fleet, record));
  const root = keepsNone ? null : await keptRoot(fleet, record, instance, signal);
  await changeRecord(
    fleet,
    record,
    {
      // Whoever comes after a crash goes on with this, also where its cloud could hibernate it.
      ...(record.desired === "gone" ? { state: "terminating" as const } : { state: "hibernating" as const, parkOnly: true }),
      ...(root === null ? {} : { rootVolume: root.volume.id }),
      outlook: {
        ...beforeEnd(seal.outlook ?? record.outlook, instance, fleet.clock.now()),
        ...(endsUnsealed(record, seal) && { unsealedUntil: fleet.clock.now() }),
      },
    },
    {
      openIntents: await promiseOnce(fleet, record, "destroy", providerId),
      events: [...seal.events, eventOf(fleet, record, "intent", { intent: "destroy", providerId })],
      ...(root === null ? {} : { volumes: [root.volume], ledger: root.ledger }),
    },
  );
  // Only now that its end is written down: a machine that has let go of its volume can do nothing else any more.
  if (seal.isOver) await letGoOfVolume(fleet, record, instance, signal);
  fleet.say(`${record.name}: ending the machine`);
  await call(signal, (context) => provider.destroy(providerId, context, { keepRoot: root !== null }));
}

/** Whether a machine that served ends without a last checkpoint: what its agent sealed by itself may not be known. */
function endsUnsealed({ readyAt, state }: InstanceRecord, { sealed, isOver }: LastSeal): boolean {
  if (readyAt === null || isOver) return false;
  // Asked for once more: nothing was tried, and the first time said it.
  return sealed === false || (sealed === null && state !== "hibernating" && state !== "terminating");
}

/** Ends a machine that never came up, and passes its offer over for a while. A root disk that it was given stays. */
export async function discard(fleet: Fleet, record: InstanceRecord, seen: Observation, signal: AbortSignal): Promise<void> {
  if (record.providerId === null || seen.cloud.kind !== "here") return;
  const { providerId } = record;
  const provider = await fleet.provider(record.provider);
  const why = seen.cloud.instance.reason ?? "the machine failed";
  await changeRecord(
    fleet,
    record,
    { readyAt: null, reason: why, rawState: seen.cloud.instance.rawState },
    {
      openIntents: await promiseOnce(fleet, record, "destroy", providerId),
      blockOffers: [{ key: offerKey(record), until: fleet.clock.now() + BLOCK_MS, why }],
      events: [eventOf(fleet, record, "action", { action: "discard", providerId, why })],
    },
  );
  fleet.say(`${record.name}: the machine failed (${why}); trying another offer`);
  const root = (await awaitsCopy(fleet, record)) ? undefined : await rootOf(fleet, record);
  const keepRoot = root !== undefined && [null, root.providerId].includes(seen.cloud.instance.rootVolumeId);
  await call(signal, (context) => provider.destroy(providerId, context, { keepRoot }));
}

/** Ends what a reclaim left of a machine, so that it stops costing, and then takes the machine as lost. */
export async function clearRemains(
  fleet: Fleet,
  record: InstanceRecord,
  instance: ProviderInstance,
  seen: Observation,
  signal: AbortSignal,
): Promise<void> {
  const provider = await fleet.provider(record.provider);
  fleet.say(`${record.name}: it was reclaimed; clearing away what is left of it`);
  await call(signal, (context) => provider.destroy(instance.providerId, context));
  await afterLoss(fleet, record, seen, signal);
}

/** @throws Problem always: nothing can be sealed in a machine that is stopped. */
export function refuseStopped(record: InstanceRecord): never {
  const { name } = record;
  throw new Problem({
    code: "SPOT_E_STOPPED",
    message: `${name} was stopped outside of spot, so no checkpoint can be made of it`,
    exit: EXIT.failed,
    ...(holdsWork(record)
      ? {
          hint: "start it again where it was stopped: it slept unsealed, and only its own disk holds its work",
          next: [`spot down ${name}`],
        }
      : {
          hint: "start it again where it was stopped, or rely on its last sealed checkpoint",
          next: [`spot checkpoints ls ${name}`, `spot hibernate ${name} --no-snapshot`],
        }),
  });
}

/**
 * Takes the wish back: left standing, every pass would refuse it anew.
 * @throws Problem always: its cloud can only end the machine, and nothing that it did lies anywhere else.
 */
export async function refuseParking(fleet: Fleet, record: InstanceRecord): Promise<never> {
  const { name } = record;
  await changeRecord(
    fleet,
    record,
    { desired: "running", reason: "it has no volume to be parked on" },
    { events: [eventOf(fleet, record, "action", { action: "refuse-parking" })] },
  );
  throw new Problem({
    code: "SPOT_E_NO_VOLUME",
    message: `${name} has no volume and its cloud cannot hibernate it: parking would lose everything, so it was left ${record.state === "stopped" ? "stopped" : "running (and billing)"}`,
    exit: EXIT.partial,
    hint: "with --no-snapshot it is parked all the same, and comes back empty",
    next: [`spot hibernate ${name} --no-snapshot`, `spot down ${name}`],
  });
}
