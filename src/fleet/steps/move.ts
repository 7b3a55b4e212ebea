import { Problem } from "../../model/problem.ts";
import { deadline } from "../../platform/clock.ts";
import type { ProviderInstance } from "../../providers/provider.ts";
import type { InstanceRecord } from "../../state/records.ts";
import { LEAST_STAY_MS } from "../deciding/policy.ts";
import type { Fleet } from "../fleet.ts";
import { changeRecord, eventOf } from "../record-change.ts";
import { syncRecordCheckpoints } from "../volumes/checkpoint-sync.ts";
import { endNow } from "./ending.ts";
import { type LastSeal, sealFirst } from "./last-seal.ts";

/** No longer than this is a precaution waited for: meanwhile nobody here would hear the machine's own notice. */
const PRECAUTION_MS = 60_000;

/**
 * Leaves a machine that could go on, for a better one: seals, ends it, and the next step rents another. It is written down
 * like a parking that is wanted back at once, so whoever comes after a crash finishes it. Where the checkpoint fails nothing
 * is ended, and it is tried again much later.
 */
export async function moveAway(fleet: Fleet, record: InstanceRecord, instance: ProviderInstance, signal: AbortSignal): Promise<void> {
  let seal: Pick<LastSeal, "sealed" | "isOver">;
  try {
    seal = await sealFirst(fleet, record, instance, "hibernate", signal);
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    const now = fleet.clock.now();
    const { spot, dearSince } = record.outlook;
    const outlook = {
      ...record.outlook,
      spot: spot === null ? null : { ...spot, at: now, since: null, nextLook: now + LEAST_STAY_MS },
      dearSince: dearSince === null ? null : now,
    };
    await changeRecord(fleet, record, { outlook }, { events: [eventOf(fleet, record, "action", { action: "stays", why: error.message })] });
    return;
  }
  fleet.say(`${record.name}: moving to another machine (${fleet.because ?? ""})`);
  await endNow(fleet, record, instance, { ...seal, events: [] }, signal);
}

/** Seals because a neighbour is being taken back. Written down first, so that it is not repeated whatever becomes of it. */
export async function takePrecaution(fleet: Fleet, record: InstanceRecord, instance: ProviderInstance, signal: AbortSignal): Promise<void> {
  const { reach } = instance;
  if (reach === null) return;
  const outlook = { ...record.outlook, precautionAt: fleet.clock.now() };
  await changeRecord(fleet, record, { outlook }, { events: [eventOf(fleet, record, "action", { action: "precaution" })] });
  fleet.say(`${record.name}: sealing a checkpoint (${fleet.because ?? ""})`);
  const limit = deadline(signal, PRECAUTION_MS);
  try {
    const outcome = await fleet.guest.snapshot(reach, "notice", null, limit.signal);
    if (outcome.kind === "failed") fleet.say(`${record.name}: not sealed (${outcome.why})`);
    await syncRecordCheckpoints(fleet, record, limit.signal, reach);
  } catch {
    // It was only a precaution.
    signal.throwIfAborted();
  } finally {
    limit.done();
  }
}
