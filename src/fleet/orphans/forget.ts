import { EXIT } from "../../model/exit-codes.ts";
import { Problem } from "../../model/problem.ts";
import type { InstanceRecord } from "../../state/records.ts";
import type { Fleet } from "../fleet.ts";
import { instanceLease, whileHolding } from "../leases/lease.ts";
import { closedIntervals } from "../ledger.ts";
import { changeRecord, closings, eventOf } from "../record-change.ts";

/**
 * Drops a record without ending anything: its machine goes on, is no stray for anybody, and stays to be seen among the orphans
 * for as long as it lives. Its volumes stay ours.
 * @throws Problem while a launch of it is open, since a machine may come of that which nobody would know; while somebody works on it.
 */
export async function forget(fleet: Fleet, record: InstanceRecord, signal: AbortSignal): Promise<InstanceRecord> {
  const forgotten = await whileHolding(fleet, instanceLease(record.id), signal, (held) => forgetHeld(held.fleet, record.id));
  if (forgotten !== undefined) return forgotten;
  throw new Problem({
    code: "SPOT_E_BUSY",
    message: `another command works on ${record.name}`,
    exit: EXIT.failed,
    retryable: true,
    next: [`spot show ${record.name}`, `spot forget ${record.name}`],
  });
}

async function forgetHeld(fleet: Fleet, id: string): Promise<InstanceRecord> {
  const record = await fleet.state.instance(id);
  if (record === undefined || record.state === "gone")
    throw new Problem({
      code: "SPOT_E_CONFLICT",
      message: "it is gone meanwhile: there is nothing to forget",
      exit: EXIT.failed,
      next: ["spot ls"],
    });
  const open = await fleet.state.pendingIntents({ instanceId: id });
  if (open.some(({ kind }) => kind === "launch"))
    throw new Problem({
      code: "SPOT_E_CONFLICT",
      message: `a machine may just be coming up for ${record.name}, and nobody would know of it`,
      exit: EXIT.failed,
      retryable: true,
      next: ["spot reconcile", `spot forget ${record.name}`],
    });
  const at = fleet.clock.now();
  const intervals = (await fleet.state.ledger({ instanceId: id, openOnly: true })).filter(({ kind }) => kind === "gpu");
  return changeRecord(
    fleet,
    record,
    { state: "gone", desired: "gone", forgottenAt: at, notice: null, ssh: null, endpoints: [], reason: `forgotten while ${record.state}` },
    {
      closeIntents: await closings(fleet, record, at, undefined, "failed"),
      ledger: closedIntervals(intervals, at),
      events: [eventOf(fleet, record, "action", { action: "forget", providerId: record.providerId, was: record.state })],
    },
  );
}
