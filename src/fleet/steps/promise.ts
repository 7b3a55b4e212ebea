import type { InstanceRecord, IntentRecord } from "../../state/records.ts";
import type { Fleet } from "../fleet.ts";
import { newIntent } from "../intent.ts";

/** The promise to change a machine, unless one of that kind is open already. */
export async function promiseOnce(
  fleet: Fleet,
  record: InstanceRecord,
  kind: IntentRecord["kind"],
  providerId: string,
): Promise<readonly IntentRecord[]> {
  const open = await fleet.state.pendingIntents({ instanceId: record.id });
  if (open.some((intent) => intent.kind === kind)) return [];
  return [newIntent(fleet, { kind, instanceId: record.id, provider: record.provider, detail: { providerId } })];
}
