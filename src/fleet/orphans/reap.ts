import { isFault } from "../../providers/errors.ts";
import type { Provider } from "../../providers/provider.ts";
import type { IntentRecord } from "../../state/records.ts";
import { call, type Fleet } from "../fleet.ts";
import { newIntent } from "../intent.ts";
import { whileHolding } from "../leases/lease.ts";
import { snapshotsOf } from "../volumes/volume-snapshots.ts";
import { operationsOf } from "../volumes/volumes.ts";
import { holdsWork, type Orphan } from "./orphans.ts";
import { checkAgain, lookAgain } from "./reap-check.ts";
import { orphanJson, type ReapPlan } from "./reap-plan.ts";
import { isRootKept, resourceLease } from "./strays.ts";

export interface Reaped {
  readonly row: Orphan;
  /**
   * `ended`: the provider says that it is gone. `skipped`: not ended, for `why`. `kept`: a volume, and nobody asked for
   * volumes. `unconfirmed`: asked for, and not confirmed in time. `failed`: refused. `would-end`: nothing was done.
   */
  readonly outcome: "ended" | "skipped" | "kept" | "unconfirmed" | "failed" | "would-end";
  readonly why: string | null;
}

export interface ReapOptions {
  readonly signal: AbortSignal;
  /** For all of it, in milliseconds. */
  readonly limitMs: number;
  /** Also volumes and their snapshots, with everything on them. */
  readonly volumes: boolean;
  readonly dryRun: boolean;
}

/** What would bring a machine back before the machine, and what a machine holds after it. */
const STAGES: readonly (readonly Orphan["kind"][])[] = [
  ["spot-request"],
  ["machine"],
  ["root-disk", "volume", "trashed-volume"],
  ["snapshot"],
  ["startup-script", "firewall-rule", "security-group", "key-pair"],
];
const AT_ONCE = 8;
/** An ending that was accepted and shows no effect is asked for again after this long. */
const AGAIN_MS = 30_000;
const MESSAGE = "reap";

interface Reaping extends ReapOptions {
  readonly madeAt: number;
  /** By the fleet's monotonic clock. */
  readonly until: number;
  /** Machines of the plan: what they hold may go after them. */
  readonly mayHold: Set<string>;
}

/** Ends exactly what the plan names, as far as each of them is still what it was when the plan was made. In order of its rows. */
export async function reap(fleet: Fleet, plan: ReapPlan, options: ReapOptions): Promise<readonly Reaped[]> {
  const machines = plan.rows.filter(({ kind }) => kind === "machine").map(({ providerId }) => providerId);
  const until = fleet.clock.monotonic() + options.limitMs;
  const reaping: Reaping = { ...options, madeAt: plan.madeAt, until, mayHold: new Set(machines) };
  const done = new Map<Orphan, Reaped>();
  for (const kinds of STAGES) {
    const stage = plan.rows.filter(({ kind }) => kinds.includes(kind));
    for (let at = 0; at < stage.length; at += AT_ONCE)
      for (const one of await Promise.all(stage.slice(at, at + AT_ONCE).map((row) => reapOne(fleet, row, reaping)))) {
        done.set(one.row, one);
        // What a machine that goes on holds must stay with it.
        if (one.row.kind === "machine" && !["ended", "would-end"].includes(one.outcome)) reaping.mayHold.delete(one.row.providerId);
      }
  }
  return plan.rows.flatMap((row) => done.get(row) ?? []);
}

async function reapOne(fleet: Fleet, row: Orphan, reaping: Reaping): Promise<Reaped> {
  if (holdsWork(row) && !reaping.volumes) return { row, outcome: "kept", why: `a ${row.kind} is ended only with --volumes` };
  const lease = resourceLease(row.provider, row.providerId);
  try {
    const result = await whileHolding(fleet, lease, reaping.signal, (held) =>
      reapHeld(held.fleet, row, { ...reaping, signal: held.signal }),
    );
    return result ?? { row, outcome: "skipped", why: "another command works on it" };
  } catch (error) {
    reaping.signal.throwIfAborted();
    return { row, outcome: "failed", why: error instanceof Error ? error.message : String(error) };
  }
}

async function reapHeld(fleet: Fleet, row: Orphan, reaping: Reaping): Promise<Reaped> {
  const check = await checkAgain(fleet, row, reaping, reaping.signal);
  if (check.kind === "gone") return { row, outcome: "skipped", why: "it is gone already" };
  if (check.kind === "changed") return { row, outcome: "skipped", why: check.why };
  if (reaping.dryRun) return { row, outcome: "would-end", why: null };
  const intent = await promise(fleet, row, reaping.madeAt);
  fleet.say(`${row.provider}: ending ${row.kind} ${row.providerId}`);
  return endIt(fleet, row, intent, reaping);
}

/** The promise: from here on it may be ended, and the database knows it. */
async function promise(fleet: Fleet, row: Orphan, madeAt: number): Promise<IntentRecord> {
  const at = fleet.clock.now();
  const intent = newIntent(fleet, { kind: "reap", provider: row.provider, detail: { row: orphanJson(row), madeAt } });
  const { kind, providerId, why } = row;
  await fleet.state.commit({
    openIntents: [intent],
    events: [{ at, type: "intent", instance: row.instance, provider: row.provider, data: { intent: MESSAGE, kind, providerId, why } }],
  });
  return intent;
}

/** Sends one request to end it. @returns whether the provider says already that it is gone. */
export async function sendEnd(fleet: Fleet, row: Orphan, signal: AbortSignal): Promise<boolean> {
  const provider = await fleet.provider(row.provider);
  const { providerId } = row;
  try {
    switch (row.kind) {
      case "machine":
        return await endMachine(fleet, provider, providerId, signal);
      case "volume":
        await call(signal, (context) => operationsOf(provider).remove(providerId, context));
        return true;
      case "snapshot":
        await call(signal, (context) => snapshotsOf(provider).remove(providerId, context));
        return true;
      default: {
        const { kind } = row;
        await call(signal, async (context) => provider.leftovers?.remove({ kind, providerId }, context));
        return true;
      }
    }
  } catch (error) {
    if (isFault(error, "not-found")) return true;
    throw error;
  }
}

async function endMachine(fleet: Fleet, provider: Provider, providerId: string, signal: AbortSignal): Promise<boolean> {
  const instance = await call(signal, (context) => provider.get(providerId, context));
  if (instance === undefined) return true;
  const keepRoot = await isRootKept(fleet, provider.id, instance);
  return (await call(signal, (context) => provider.destroy(providerId, context, { keepRoot }))) === "gone";
}

/** What passes by itself, or is not known: the thing is looked at again. */
const isPassing = (error: unknown) => isFault(error, "unavailable", "rate-limited", "ambiguous", "protocol", "conflict");

async function endIt(fleet: Fleet, row: Orphan, intent: IntentRecord, { until, signal }: Reaping): Promise<Reaped> {
  const provider = await fleet.provider(row.provider);
  let last = "the provider has not confirmed it";
  for (let sentAt = Number.NEGATIVE_INFINITY; ; ) {
    try {
      const isDue = fleet.clock.monotonic() - sentAt >= AGAIN_MS;
      if (isDue) sentAt = fleet.clock.monotonic();
      if (isDue ? await sendEnd(fleet, row, signal) : (await lookAgain(provider, row, signal)) === undefined) {
        await noteReaped(fleet, intent, row, "done");
        return { row, outcome: "ended", why: null };
      }
    } catch (error) {
      signal.throwIfAborted();
      const why = error instanceof Error ? error.message : String(error);
      if (!isPassing(error)) {
        await noteReaped(fleet, intent, row, "failed", why);
        return { row, outcome: "failed", why };
      }
      last = why;
      // What was refused for now was not asked for.
      if (isFault(error, "unavailable", "rate-limited", "conflict")) sentAt = Number.NEGATIVE_INFINITY;
    }
    if (fleet.clock.monotonic() >= until) return { row, outcome: "unconfirmed", why: last };
    await fleet.clock.sleep(provider.capabilities.pollMs, signal);
  }
}

/** Closes the promise of an ending, with what came of it. */
export async function noteReaped(fleet: Fleet, intent: IntentRecord, row: Orphan, status: "done" | "failed", why?: string): Promise<void> {
  const at = fleet.clock.now();
  const { kind, providerId } = row;
  await fleet.state.commit({
    closeIntents: [{ id: intent.id, status, at, ...(why === undefined ? {} : { detail: { why } }) }],
    events:
      status === "failed"
        ? []
        : [{ at, type: "action", instance: row.instance, provider: row.provider, data: { action: MESSAGE, kind, providerId } }],
  });
}
