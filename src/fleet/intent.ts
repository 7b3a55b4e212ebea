import { newId } from "../model/ids.ts";
import type { IntentRecord } from "../state/records.ts";
import type { Fleet } from "./fleet.ts";

/** A request whose answer got lost may arrive late; for so long after it was made its provider is looked at. */
export const LATE_MS = 30 * 86_400_000;

/** What is promised: written down before the request leaves, so that whoever comes after a crash knows of it. */
type Promised = Pick<IntentRecord, "kind" | "provider" | "detail"> & Partial<Pick<IntentRecord, "instanceId" | "token">>;

/** An open promise, under a token of its own unless one was chosen already. Nothing is written yet. */
export function newIntent(fleet: Pick<Fleet, "clock" | "rng">, { kind, provider, detail, instanceId, token }: Promised): IntentRecord {
  return {
    id: newId("n", fleet.rng),
    kind,
    instanceId: instanceId ?? null,
    provider,
    token: token ?? newId("t", fleet.rng),
    createdAt: fleet.clock.now(),
    status: "pending",
    closedAt: null,
    detail,
  };
}
