import type { IntentRecord, VolumeRecord } from "../../state/records.ts";
import type { Fleet } from "../fleet.ts";
import { newIntent } from "../intent.ts";

/**
 * Writes down what is about to be done with a volume. From here on it may have been done, and the database knows it. `token`: of
 * what is made, where it was chosen before. `beside`: what is promised in the same transaction.
 */
export async function promiseOnVolume(
  fleet: Fleet,
  { id, name, provider }: VolumeRecord,
  kind: "volume-remove" | "volume-snapshot",
  token?: string,
  beside: readonly IntentRecord[] = [],
): Promise<IntentRecord> {
  const intent = newIntent(fleet, { kind, provider, detail: { volumeId: id, name }, ...(token === undefined ? {} : { token }) });
  await fleet.state.commit({
    openIntents: [intent, ...beside],
    events: [{ at: intent.createdAt, type: "intent", instance: null, provider, data: { intent: kind, volume: name } }],
  });
  return intent;
}
