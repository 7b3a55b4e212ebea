import { Problem } from "../../model/problem.ts";
import { deadline } from "../../platform/clock.ts";
import { isFault } from "../../providers/errors.ts";
import type { ProviderInstance } from "../../providers/provider.ts";
import type { InstanceRecord } from "../../state/records.ts";
import { call, type Fleet } from "../fleet.ts";
import { eventOf } from "../record-change.ts";

/** A cloud takes its time to attach a disk; looked at again after so many milliseconds. */
const ATTACHING_MS = 1_000;
/** A machine that did not answer is asked again after so many milliseconds. */
const AGAIN_MS = 5_000;
/** Letting go of a volume ends the workload, with its grace, and writes what is left; no longer than this. */
const RELEASE_MS = 45_000;

/** Attaches the volume of a machine that a launch could not give it. */
export async function attachVolume(
  fleet: Fleet,
  record: InstanceRecord,
  instance: ProviderInstance,
  volumeId: string,
  signal: AbortSignal,
): Promise<number> {
  const { volumes } = await fleet.provider(record.provider);
  fleet.say(`${record.name}: attaching its volume`);
  try {
    await call(signal, (context) => volumes?.attach?.(volumeId, instance.providerId, context) ?? Promise.resolve());
  } catch (error) {
    // Not ready for it yet, or attached a moment ago: the next look says which.
    if (!isFault(error, "conflict", "unavailable")) throw error;
  }
  return ATTACHING_MS;
}

/** Tells the agent which device its volume is. */
export async function mountVolume(
  fleet: Fleet,
  record: InstanceRecord,
  instance: ProviderInstance,
  volumeId: string | null,
  signal: AbortSignal,
): Promise<number> {
  const { volumes } = await fleet.provider(record.provider);
  const wanted = volumeId ?? instance.volumeIds[0] ?? null;
  if (volumes === undefined || wanted === null || instance.reach === null) return ATTACHING_MS;
  const listed = await call(signal, (context) => volumes.list(context));
  const volume = listed.find((one) => one.providerId === wanted && one.attachedTo === instance.providerId);
  if (volume === undefined || volume.device === null) return ATTACHING_MS;
  const { device, sizeGb } = volume;
  fleet.say(`${record.name}: mounting its volume (${device})`);
  try {
    await fleet.guest.mountVolume(instance.reach, device, sizeGb, signal);
  } catch (error) {
    signal.throwIfAborted();
    // A connection that was lost says nothing about the disk; what the agent itself refuses is final.
    if (!(error instanceof Problem) || !error.retryable) throw error;
    fleet.say(`${record.name}: its volume is not mounted yet (${error.message})`);
    return AGAIN_MS;
  }
  await fleet.state.commit({ events: [eventOf(fleet, record, "action", { action: "mount-volume", device })] });
  return 0;
}

/** Before a disk is detached its file system is let go. Best effort: a machine that does not answer is not waited for. */
export async function letGoOfVolume(fleet: Fleet, record: InstanceRecord, instance: ProviderInstance, signal: AbortSignal): Promise<void> {
  const { capabilities } = await fleet.provider(record.provider);
  if (capabilities.machine.volumes !== "device" || record.spec.volume === null || instance.reach === null) return;
  const limit = deadline(signal, RELEASE_MS);
  try {
    await fleet.guest.releaseVolume(instance.reach, limit.signal);
  } catch (error) {
    signal.throwIfAborted();
    fleet.say(`${record.name}: its volume was not unmounted (${error instanceof Error ? error.message : String(error)})`);
  } finally {
    limit.done();
  }
}
