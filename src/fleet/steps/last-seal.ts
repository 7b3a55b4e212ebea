import { unfitText } from "../../model/checkpoint-fit.ts";
import { EXIT } from "../../model/exit-codes.ts";
import type { Outlook } from "../../model/outlook.ts";
import { Problem } from "../../model/problem.ts";
import { deadline } from "../../platform/clock.ts";
import { ProviderError } from "../../providers/errors.ts";
import type { ProviderInstance } from "../../providers/provider.ts";
import type { InstanceRecord, NewEvent } from "../../state/records.ts";
import { isOnItsWay } from "../deciding/last-seal.ts";
import type { Fleet } from "../fleet.ts";
import { eventOf } from "../record-change.ts";
import { syncRecordCheckpoints } from "../volumes/checkpoint-sync.ts";
import { noteUnfit } from "./unfit.ts";

/** How long before a deadline the agent should have sealed. */
const SEAL_MARGIN_SECONDS = 1;
/** Of a machine whose end was put off no longer is waited for one checkpoint more, in milliseconds: it is paid for meanwhile. */
const AGAIN_LIMIT_MS = 600_000;

/** What came of the checkpoint before a machine sleeps or ends, to be written down together with that. */
export interface LastSeal {
  /** Everything that the workload wrote is sealed on a volume; null when that was not tried now. */
  readonly sealed: boolean | null;
  readonly outlook?: Outlook;
  readonly events: readonly NewEvent[];
}

/** None is to be made. */
export const NO_SEAL: LastSeal = { sealed: null, events: [] };

/**
 * The checkpoint before the machine sleeps or ends; when its end was put off, the one after that, which puts off nothing more.
 * @throws Problem when nothing could be sealed, so that nothing is to be ended.
 */
export async function sealLast(fleet: Fleet, record: InstanceRecord, instance: ProviderInstance, signal: AbortSignal): Promise<LastSeal> {
  const reason = record.desired === "gone" ? "down" : "hibernate";
  if (isOnItsWay(record)) return sealAgain(fleet, record, instance, reason, signal);
  return { sealed: await sealFirst(fleet, record, instance, reason, signal), events: [] };
}

async function sealAgain(
  fleet: Fleet,
  record: InstanceRecord,
  instance: ProviderInstance,
  reason: "hibernate" | "down",
  signal: AbortSignal,
): Promise<LastSeal> {
  const limit = deadline(signal, AGAIN_LIMIT_MS);
  const done = (sealed: boolean, events: readonly NewEvent[]): LastSeal => ({
    sealed,
    outlook: { ...record.outlook, sealedAgainAt: fleet.clock.now() },
    events,
  });
  try {
    return done(await sealFirst(fleet, record, instance, reason, limit.signal), []);
  } catch (error) {
    signal.throwIfAborted();
    const isExpected = limit.signal.aborted || error instanceof ProviderError || (error instanceof Problem && error.code === UNSEALED);
    if (!isExpected) throw error;
    const why = error instanceof Error ? error.message : String(error);
    const message = `its end was put off, and what it has done since its last checkpoint is not sealed: ${why}`;
    fleet.say(`${record.name}: ${message}`);
    return done(false, [eventOf(fleet, record, "warning", { guard: "unsealed", message })]);
  } finally {
    limit.done();
  }
}

/**
 * The checkpoint before the machine sleeps or ends. When it fails, nothing is ended: the work is worth more than the
 * minutes that it costs to look. Where it cannot be done before a reclaim, one goes on without: the machine ends anyway, and
 * the last sealed checkpoint stands. Without a notice there is always time.
 * @returns whether everything that the workload wrote is sealed on a volume.
 */
export async function sealFirst(
  fleet: Fleet,
  record: InstanceRecord,
  instance: ProviderInstance,
  reason: "hibernate" | "down",
  signal: AbortSignal,
): Promise<boolean> {
  if (record.spec.volume === null) return false;
  if (instance.reach === null) throw unsealed(record, reason, "its cloud does not say how it is reached");
  fleet.say(`${record.name}: sealing a checkpoint`);
  const notice = instance.notice ?? record.notice;
  // A mere hint ends nothing.
  const presses = notice !== null && notice.kind !== "rebalance";
  const until = presses ? Math.floor(notice.deadline / 1000) - SEAL_MARGIN_SECONDS : null;
  const sealed = await fleet.guest.snapshot(instance.reach, reason, until, signal);
  await syncRecordCheckpoints(fleet, record, signal, instance.reach);
  if (sealed.kind === "failed") throw unsealed(record, reason, sealed.why);
  if (sealed.kind !== "does-not-fit") return true;
  await noteUnfit(fleet, record, sealed.fit);
  fleet.say(`${record.name}: ${unfitText(sealed.fit)}`);
  return false;
}

const UNSEALED = "SPOT_E_CHECKPOINT";

function unsealed(record: InstanceRecord, reason: "hibernate" | "down", why: string): Problem {
  return new Problem({
    code: UNSEALED,
    message: `${record.name}: the checkpoint failed, so it was left running (and billing): ${why}`,
    exit: EXIT.partial,
    hint: "with --no-snapshot the last sealed checkpoint is relied on",
    next: [`spot checkpoints ls ${record.name}`, `spot ${reason} ${record.name} --no-snapshot`],
  });
}
