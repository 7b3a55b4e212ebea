import type { InstanceState } from "../../model/instance.ts";
import type { HttpResponse } from "../../platform/http.ts";
import { type Fault, ProviderError } from "../errors.ts";

const STATES: Readonly<Record<string, InstanceState>> = {
  pending: "provisioning",
  running: "running",
  reclaiming: "reclaiming",
  hibernating: "hibernating",
  hibernated: "hibernated",
  restoring: "restoring",
  terminating: "terminating",
  terminated: "gone",
  failed: "failed",
};

/** The cloud's word for a state in ours. */
export function stateOf(raw: string): InstanceState {
  return (Object.hasOwn(STATES, raw) ? STATES[raw] : undefined) ?? "unknown";
}

const ENDED_BY: Readonly<Record<string, "provider" | "guest" | "user">> = {
  reclaimed: "provider",
  lost: "provider",
  "guest-shutdown": "guest",
  // What was asked for at the launch, or by whoever runs this cloud: the same person.
  ttl: "user",
  user: "user",
  operator: "user",
};

/** Who ended an instance, by the cloud's word for why it ended. */
export function endedBy(reason: string | null): "provider" | "guest" | "user" | null {
  return reason === null ? null : (ENDED_BY[reason] ?? null);
}

const FAULTS: Readonly<Record<string, Fault>> = {
  invalid: { kind: "invalid-request" },
  not_found: { kind: "not-found" },
  conflict: { kind: "conflict" },
  price_too_low: { kind: "price-too-low" },
  out_of_stock: { kind: "no-capacity", scope: "offer" },
  quota_exceeded: { kind: "quota" },
  unavailable: { kind: "unavailable" },
  unauthorized: { kind: "auth" },
};

/** For an answer without a word of the cloud's own. */
const FAULT_OF_STATUS: Readonly<Record<number, Fault>> = {
  401: { kind: "auth" },
  403: { kind: "auth" },
  404: { kind: "not-found" },
  409: { kind: "conflict" },
};

const LONGEST_WAIT_SECONDS = 3600;

function retryAfterMs(response: HttpResponse): number | null {
  const seconds = Number(response.headers["retry-after"]);
  return seconds >= 0 && seconds <= LONGEST_WAIT_SECONDS ? seconds * 1000 : null;
}

/** What a refusal means for whoever called. `changes`: the call was meant to change something. */
export function refusalOf(response: HttpResponse, code: string | null, message: string, changes: boolean): ProviderError {
  const raw = code ?? `http-${response.status}`;
  const named = code === null ? undefined : FAULTS[code];
  if (code === "rate_limited" || response.status === 429)
    return new ProviderError("local", { kind: "rate-limited", retryAfterMs: retryAfterMs(response) }, message, raw);
  if (named !== undefined) return new ProviderError("local", named, message, raw);
  const byStatus = FAULT_OF_STATUS[response.status];
  if (byStatus !== undefined) return new ProviderError("local", byStatus, message, raw);
  // A server that broke down without a word of its own may have done it before.
  if (response.status >= 500) return new ProviderError("local", { kind: changes ? "ambiguous" : "unavailable" }, message, raw);
  return new ProviderError("local", { kind: "protocol" }, message, raw);
}
