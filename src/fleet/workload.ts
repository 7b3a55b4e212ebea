import { EXIT, type ExitCode } from "../model/exit-codes.ts";
import { Problem } from "../model/problem.ts";
import { billsUntil, type WorkloadEnd, workloadEnd } from "../model/workload-end.ts";
import type { InstanceRecord } from "../state/records.ts";
import type { Fleet, GuestReport } from "./fleet.ts";
import { reachOf } from "./reach.ts";
import { changeRecord, eventOf, RecordMoved } from "./record-change.ts";

/** So often an end is written down anew that somebody else's change of the record came between. */
const MOST_TRIES = 3;
/** An end is heard of at the latest so long after it, in milliseconds. */
const SAME_END_MS = 5_000;
/** A command that cannot work at all has ended by then, in milliseconds. */
const STARTS_WITHIN_MS = 500;

/**
 * What an agent's report says of its workload, in the words of the record: an end, null while it works, undefined where that is
 * nothing new or nobody can tell (an agent that ends its machine has ended the workload itself). Pure.
 */
export function endSaid(
  { providerId, outlook }: Pick<InstanceRecord, "providerId" | "outlook">,
  { phase, exitCode, endedAt, saidAt }: Pick<GuestReport, "phase" | "exitCode" | "endedAt" | "saidAt">,
  now: number,
): WorkloadEnd | null | undefined {
  const known = outlook.ended?.machine === providerId ? outlook.ended : null;
  if (providerId === null || phase === "stopping" || phase === "expired") return undefined;
  // The agent looks at its workload three times a second; its exit code is there at once.
  if (exitCode === null) return known === null || phase === "exited" ? undefined : null;
  const stamp = endedAt ?? null;
  if (known !== null && (stamp === null || stamp === known.stamp)) return undefined;
  const said = endedAt == null ? now : saidAt == null ? endedAt * 1000 : now - Math.max(0, saidAt - endedAt) * 1000;
  const at = Math.min(said, now);
  // One that was heard of before its agent had written down when has a time only since.
  if (known !== null && known.stamp === null && at <= known.at + SAME_END_MS) return undefined;
  return { machine: providerId, code: exitCode, at, stamp };
}

/**
 * Writes down that the workload has ended, and tells it once; one that was started again has not. Of a report without news
 * nothing is written.
 * @returns the record as it is now.
 * @throws RecordMoved when somebody else changed it meanwhile.
 */
export async function followWorkload(
  fleet: Fleet,
  record: InstanceRecord,
  guest: GuestReport | null,
  now: number,
): Promise<InstanceRecord> {
  const ended = guest === null ? undefined : endSaid(record, guest, now);
  if (ended === undefined) return record;
  const outlook = { ...record.outlook, ended };
  if (ended === null) return changeRecord(fleet, record, { outlook });
  const { code, at } = ended;
  const event = eventOf(fleet, record, "action", { action: "workload-ended", code, endedAt: at, providerId: record.providerId });
  const changed = await changeRecord(fleet, record, { outlook }, { events: [event] });
  fleet.say(`${record.name}: its command ended with exit code ${code}`);
  return changed;
}

/** The same of what was heard beside the work on an instance, which may go on meanwhile. */
export async function noteWorkload(fleet: Fleet, { id, providerId }: InstanceRecord, guest: GuestReport | undefined): Promise<void> {
  for (let tries = 0; guest !== undefined && tries < MOST_TRIES; tries++) {
    const record = await fleet.state.instance(id);
    if (record === undefined || record.providerId !== providerId || record.desired !== "running") return;
    try {
      await followWorkload(fleet, record, guest, fleet.clock.now());
      return;
    } catch (error) {
      if (!(error instanceof RecordMoved)) throw error;
    }
  }
}

/**
 * Looks once more, a moment later, at one that has just come up and of which no readiness was asked: a command that is wrong ends
 * at once, and mostly after it was seen to begin. One that cannot be asked is as it was.
 * @returns the record as it is now.
 */
export async function afterItsStart(fleet: Fleet, record: InstanceRecord, signal: AbortSignal): Promise<InstanceRecord> {
  const { command, readyHttp, readyCmd } = record.spec;
  if (command.length === 0 || readyHttp !== null || readyCmd !== null || workloadEnd(record) !== null) return record;
  try {
    await fleet.clock.sleep(STARTS_WITHIN_MS, signal);
    await noteWorkload(fleet, record, await fleet.guest.report(await reachOf(fleet, record, signal), signal));
    return (await fleet.state.instance(record.id)) ?? record;
  } catch {
    return record;
  }
}

/** What to tell whoever waited for instances whose commands have failed meanwhile; their machines go on. */
export function failedProblem(records: readonly InstanceRecord[], exit: ExitCode, now: number): Problem {
  const told = records.map(
    (record) => `${record.name}: its command ended with exit code ${workloadEnd(record)?.code ?? "?"}${when(record)}`,
  );
  return new Problem({
    code: "SPOT_E_WORKLOAD_ENDED",
    message: told.join("; "),
    exit,
    hint: records.map((record) => `${records.length === 1 ? "" : `${record.name}: `}${billsUntil(record, now)}`).join("; "),
    next: [...records.map(({ name }) => `spot logs ${name}`), `spot down ${records.map(({ name }) => name).join(" ")}`],
  });
}

const when = ({ readyAt, spec }: InstanceRecord) =>
  readyAt === null || spec.readyHttp !== null || spec.readyCmd !== null ? " before it was ready" : "";

/** `failedProblem` for one that is asleep again: its machine's log is out of reach, so the end of it is told. */
export function asleepProblem(record: InstanceRecord, asleep: InstanceRecord, log: readonly string[]): Problem {
  return new Problem({
    code: "SPOT_E_WORKLOAD_ENDED",
    message: `${record.name}: its command ended with exit code ${workloadEnd(record)?.code ?? "?"}${when(record)}; it is ${asleep.state} again and its GPU is not billed`,
    exit: EXIT.failed,
    hint: log.length === 0 ? "its log says nothing" : `the end of its log: ${log.join(" | ")}`,
    next: [`spot show ${record.name}`, `spot restore ${record.name}`],
  });
}
