import type { CallContext, ProviderInstance } from "../provider.ts";
import type { Api } from "./api.ts";
import { operationFault } from "./codes.ts";
import { lastOf } from "./names.ts";
import { plainList } from "./pages.ts";
import { type Operation, operationList, operationSchema } from "./wire.ts";

export const isDone = ({ status }: Operation): boolean => status === "DONE";

/** The errors of an operation that is over; none while it goes on, and none when it went well. */
export function errorsOf(operation: Operation): readonly { readonly code: string; readonly message: string }[] {
  return isDone(operation) ? (operation.error?.errors ?? []) : [];
}

/** Where an operation is asked about: in its zone, or globally. */
export function operationPath(place: string, operation: string): string {
  return `${place}/operations/${encodeURIComponent(operation)}`;
}

/** Between two looks at an operation; the last one goes on. */
const PACE_MS = [250, 500, 1_000, 2_000];

/**
 * Looks at an operation until it is over, or `withinMs` have passed. Whatever fails while looking undoes nothing: then the
 * last that is known is given back. `stop`: looked at in between; true ends the waiting.
 */
export async function awaited(
  api: Api,
  place: string,
  begun: Operation,
  withinMs: number,
  context: CallContext,
  stop: () => Promise<boolean> = async () => false,
): Promise<Operation> {
  const until = api.monotonic() + withinMs;
  let operation = begun;
  for (let look = 0; !isDone(operation); look++) {
    const rest = until - api.monotonic();
    if (rest <= 0) break;
    try {
      await api.sleep(Math.min(PACE_MS[Math.min(look, PACE_MS.length - 1)] ?? rest, rest), context);
      operation = await api.read(operationSchema, operationPath(place, operation.name), context);
      if (!isDone(operation) && (await stop())) break;
    } catch {
      break;
    }
  }
  return operation;
}

/** How long a change of a disk, a snapshot or a rule is watched for an early failure. They take seconds. */
const SOON_MS = 15_000;

/** Waits a moment for a change to be over. @throws ProviderError what its failure means; nothing was made then. */
export async function settled(api: Api, place: string, begun: Operation, what: string, context: CallContext): Promise<Operation> {
  const operation = await awaited(api, place, begun, SOON_MS, context);
  const errors = errorsOf(operation);
  if (errors.length > 0) throw operationFault(errors, what);
  return operation;
}

/** The operations of one machine, the newest first. Google's filter is asked for in its regexp form, and not relied on. */
export async function operationsOn(api: Api, zone: string, names: readonly string[], context: CallContext): Promise<readonly Operation[]> {
  const wanted = new Set(names);
  const filter = `targetLink eq ".*/instances/(${names.join("|")})"`;
  const found = await plainList(api, operationList, `zones/${zone}/operations`, context, { filter });
  const at = (operation: Operation) => operation.insertTime ?? operation.startTime ?? 0;
  return found
    .filter(({ targetLink }) => /\/instances\/[^/]+$/.test(targetLink) && wanted.has(lastOf(targetLink)))
    .toSorted((a, b) => at(b) - at(a));
}

export interface Ending {
  readonly endedBy: NonNullable<ProviderInstance["endedBy"]>;
  readonly reason: string;
}

/** Who stands behind an operation that stops a machine, by its type (facts: karpenter-provider-gcp and gcloud's own filter). */
const ENDINGS: readonly (readonly [RegExp, Ending["endedBy"], string])[] = [
  [/compute\.instances\.preempted/, "provider", "preempted"],
  [/compute\.instances\.hostError/, "provider", "host error"],
  [/compute\.instances\.terminateOnHostMaintenance/, "provider", "host maintenance"],
  [/compute\.instances\.guestTerminate/, "guest", "shut down from inside"],
  // Only what was launched with a time limit has one deferred.
  [/compute\.instances\.deferredStop/, "guest", "its time limit was over"],
  [/^stop$/i, "user", "stopped by a person or a program"],
  [/^suspend$/i, "user", "suspended by a person or a program"],
];

/** Who stopped a machine that stands still, of its operations since it last started; undefined when none of them tells. */
export function endingOf(operations: readonly Operation[], since: number | null): Ending | undefined {
  for (const operation of operations) {
    const at = operation.insertTime ?? operation.startTime;
    // A clock of seconds against one of milliseconds.
    if (since !== null && at !== null && at < since - 1_000) continue;
    const row = ENDINGS.find(([pattern]) => pattern.test(operation.operationType));
    if (row === undefined) continue;
    const [, endedBy, reason] = row;
    return { endedBy, reason: operation.statusMessage === "" ? reason : `${reason}: ${operation.statusMessage}` };
  }
  return undefined;
}
