import type { IntentRecord } from "../../state/records.ts";
import type { Fleet } from "../fleet.ts";
import { whileHolding } from "../leases/lease.ts";
import { noteReaped, sendEnd } from "./reap.ts";
import { checkAgain } from "./reap-check.ts";
import { rowFromJson } from "./reap-plan.ts";
import { resourceLease } from "./strays.ts";

/**
 * Finishes what a killed `reap` began: somebody agreed to each of these endings, and each is looked at once more before it is
 * asked for again.
 * @returns what is still open, with the reason.
 */
export async function settleReaps(fleet: Fleet, signal: AbortSignal): Promise<readonly { readonly what: string; readonly why: string }[]> {
  const open: { readonly what: string; readonly why: string }[] = [];
  for (const intent of await fleet.state.pendingIntents()) {
    if (intent.kind !== "reap") continue;
    const row = rowFromJson(intent.detail["row"]);
    if (row === undefined) continue;
    const what = `${row.provider} ${row.kind} ${row.providerId}`;
    try {
      const why = await whileHolding(fleet, resourceLease(row.provider, row.providerId), signal, (held) =>
        settle(held.fleet, intent, row, held.signal),
      );
      if (why !== null) open.push({ what, why: why ?? "another command works on it" });
    } catch (error) {
      signal.throwIfAborted();
      open.push({ what, why: error instanceof Error ? error.message : String(error) });
    }
  }
  return open;
}

/** @returns why it is still open; null when it is not. */
async function settle(
  fleet: Fleet,
  intent: IntentRecord,
  row: NonNullable<ReturnType<typeof rowFromJson>>,
  signal: AbortSignal,
): Promise<string | null> {
  // Read again: whoever held the lease before us may have finished it.
  if ((await fleet.state.intentByToken(intent.token))?.status !== "pending") return null;
  const madeAt = Number(intent.detail["madeAt"]);
  // What it was part of may be ending as well.
  const mayHold = new Set(row.attachedTo === null ? [] : [row.attachedTo]);
  const check = await checkAgain(fleet, row, { madeAt, mayHold }, signal);
  if (check.kind === "changed") {
    await noteReaped(fleet, intent, row, "failed", check.why);
    return null;
  }
  if (check.kind === "may-end" && (check.now.state === "terminating" || !(await sendEnd(fleet, row, signal))))
    return "the provider has not confirmed its end";
  await noteReaped(fleet, intent, row, "done");
  return null;
}
