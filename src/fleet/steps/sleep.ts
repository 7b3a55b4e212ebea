import { isFault } from "../../providers/errors.ts";
import type { ProviderInstance } from "../../providers/provider.ts";
import type { InstanceRecord } from "../../state/records.ts";
import { launching, requireRoom } from "../budgets/budget-guard.ts";
import { comebackOf } from "../climbing/climb.ts";
import { surveyLadder } from "../climbing/survey.ts";
import { didNothing } from "../faults.ts";
import { call, type Fleet } from "../fleet.ts";
import { changeRecord, closings, eventOf } from "../record-change.ts";
import { letGoOfVolume } from "../volumes/attach.ts";
import type { LastSeal } from "./last-seal.ts";
import { planLaunch } from "./plan.ts";
import { promiseOnce } from "./promise.ts";

/** Asks the cloud to hibernate a machine. `seal`: what came of the checkpoint right before. */
export async function hibernateNow(
  fleet: Fleet,
  record: InstanceRecord,
  instance: ProviderInstance,
  { sealed, isOver, outlook, events }: LastSeal,
  signal: AbortSignal,
): Promise<void> {
  const provider = await fleet.provider(record.provider);
  const openIntents = await promiseOnce(fleet, record, "hibernate", instance.providerId);
  const promised = await changeRecord(
    fleet,
    record,
    {
      state: "hibernating",
      // What was sealed when its sleep was first asked for counts until more was tried.
      sealedAsleep: sealed ?? (record.state === "hibernating" && record.sealedAsleep),
      ...(outlook === undefined ? {} : { outlook }),
    },
    { openIntents, events: [...events, eventOf(fleet, record, "intent", { intent: "hibernate" })] },
  );
  // Only now that its sleep is written down: a machine that has let go of its volume can do nothing else any more.
  if (isOver) await letGoOfVolume(fleet, record, instance, signal);
  fleet.say(`${record.name}: hibernating`);
  const options = { retainAddress: record.retainAddress };
  try {
    await call(signal, (context) => provider.hibernation?.hibernate(instance.providerId, context, options) ?? Promise.resolve());
  } catch (error) {
    if (isFault(error, "unsupported")) {
      fleet.say(`${record.name}: its cloud cannot hibernate this machine (${error.message}); parking it instead`);
      const at = fleet.clock.now();
      // Where nothing could be sealed its parking has not begun: nothing would outlive the machine.
      const back = record.spec.volume === null ? ({ state: record.notice?.kind === "reclaim" ? "reclaiming" : "running" } as const) : {};
      const closeIntents = await closings(fleet, record, at, "hibernate", "failed");
      await changeRecord(fleet, promised, { ...back, parkOnly: true }, { closeIntents });
      return;
    }
    // Already on its way, or ended meanwhile: the next look says which.
    if (!isFault(error, "conflict", "not-found")) throw error;
  }
}

export async function restoreNow(fleet: Fleet, record: InstanceRecord, instance: ProviderInstance, signal: AbortSignal): Promise<void> {
  const provider = await fleet.provider(record.provider);
  await requireRoom(fleet, [launching(record, record.price, fleet.clock.now())]);
  const openIntents = await promiseOnce(fleet, record, "restore", instance.providerId);
  const comeback = comebackOf(record);
  const outlook = comeback === null ? record.outlook : { ...record.outlook, comeback: { ...comeback, rung: "same-machine" as const } };
  const promised = await changeRecord(
    fleet,
    record,
    { state: "restoring", parked: null, readyAt: null, outlook },
    { openIntents, events: [eventOf(fleet, record, "intent", { intent: "restore" })] },
  );
  fleet.say(`${record.name}: restoring`);
  try {
    await call(signal, (context) => provider.hibernation?.restore(instance.providerId, context) ?? Promise.resolve());
  } catch (error) {
    if (isFault(error, "conflict")) return;
    if (!didNothing(error)) throw error;
    const elsewhere = isFault(error, "no-capacity") && (await canComeBackElsewhere(fleet, record, signal));
    const at = fleet.clock.now();
    await changeRecord(
      fleet,
      promised,
      { state: "hibernated", parked: "native", reason: error.message, parkOnly: elsewhere },
      { closeIntents: await closings(fleet, record, at, "restore", "failed") },
    );
    if (!elsewhere) throw error;
    fleet.say(`${record.name}: no hardware to come back to (${error.message}); coming back on another machine, from its volume`);
  }
}

/** Everything that matters lies sealed on its volume, and another machine can be had for it: where that is, or by a rung above. */
async function canComeBackElsewhere(fleet: Fleet, record: InstanceRecord, signal: AbortSignal): Promise<boolean> {
  if (record.spec.volume === null || !record.sealedAsleep) return false;
  const comeback = comebackOf(record);
  if (comeback !== null) {
    const { rungs } = await surveyLadder(fleet, record, comeback, signal);
    return rungs.some(({ rung, isOpen }) => isOpen && rung !== "same-machine");
  }
  const { offers } = await planLaunch(fleet, record.spec, signal);
  return offers.length > 0;
}
