import { deadline } from "../../platform/clock.ts";
import type { ProviderInstance } from "../../providers/provider.ts";
import type { InstanceRecord } from "../../state/records.ts";
import { USUAL_SEAL_MS } from "../deciding/policy.ts";
import type { Fleet, SnapshotOutcome } from "../fleet.ts";
import { changeRecord, eventOf } from "../record-change.ts";
import { syncRecordCheckpoints } from "../volumes/checkpoint-sync.ts";
import { noteUnfit } from "./unfit.ts";

/** So much of a notice is waited for the checkpoint ahead: meanwhile nobody here would hear that the notice has changed. */
const PART_OF_NOTICE = 4;
/** The agent answers its notice by itself. Asked for one second earlier it answers once more, and what that takes is measured. */
const ASKED_EARLIER_SECONDS = 1;

/**
 * Seals as soon as there is a notice, and measures it: the hook, the seal and the way there. Whoever dies meanwhile has written
 * down nothing, and the next one does it again. Where it fails that is written down, and nothing is waited for.
 */
export async function sealEarly(fleet: Fleet, record: InstanceRecord, instance: ProviderInstance, signal: AbortSignal): Promise<void> {
  const { notice, providerId } = record;
  if (notice === null || providerId === null || instance.reach === null) return;
  const { reach } = instance;
  fleet.say(`${record.name}: sealing a checkpoint (${fleet.because ?? ""})`);
  const began = fleet.clock.monotonic();
  const limit = deadline(signal, Math.max(1_000, (notice.deadline - fleet.clock.now()) / PART_OF_NOTICE));
  let tookMs: number | null = null;
  try {
    const until = Math.floor(notice.deadline / 1000) - ASKED_EARLIER_SECONDS;
    const outcome = await fleet.guest.snapshot(reach, "notice", until, limit.signal);
    const report = await fleet.guest.report(reach, limit.signal).catch(() => undefined);
    // When there was nothing new any more the seal right before it is the measure.
    tookMs = measured(outcome, Math.ceil(fleet.clock.monotonic() - began), (report?.lastSealSeconds ?? 0) * 1000);
    if (outcome.kind === "failed") fleet.say(`${record.name}: not sealed (${outcome.why})`);
    if (outcome.kind === "does-not-fit") await noteUnfit(fleet, record, outcome.fit);
  } catch {
    // It is as if it had failed.
    signal.throwIfAborted();
  } finally {
    limit.done();
  }
  if (tookMs !== null) await syncRecordCheckpoints(fleet, record, signal, reach).catch(() => undefined);
  const early = { machine: providerId, at: fleet.clock.now(), tookMs, worksUntil: null };
  const told = tookMs === null ? { sealed: false } : { sealed: true, tookMs };
  await changeRecord(
    fleet,
    record,
    { outlook: { ...record.outlook, early } },
    { events: [eventOf(fleet, record, "action", { action: "seal-early", deadline: notice.deadline, ...told })] },
  );
}

/** @returns milliseconds; null when nothing is sealed. */
function measured(outcome: SnapshotOutcome, passedMs: number, lastSealMs: number): number | null {
  if (outcome.kind === "sealed") return Math.max(passedMs, lastSealMs);
  // What it will write by then is not known.
  return outcome.kind === "nothing-to-seal" ? Math.max(passedMs, USUAL_SEAL_MS) : null;
}

/** Writes down until when the work goes on, so that whoever comes next keeps to it, and whoever asks can read it. */
export async function noteWorkOn(fleet: Fleet, record: InstanceRecord, until: number): Promise<void> {
  const early = record.outlook.early ?? null;
  if (early === null || record.notice === null) return;
  const { deadline: goes } = record.notice;
  await changeRecord(
    fleet,
    record,
    { outlook: { ...record.outlook, early: { ...early, worksUntil: until } } },
    { events: [eventOf(fleet, record, "action", { action: "work-on", deadline: goes, nextLook: until })] },
  );
  fleet.say(`${record.name}: ${fleet.because ?? "works on"}`);
}
