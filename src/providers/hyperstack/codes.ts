import * as v from "valibot";
import type { InstanceState } from "../../model/instance.ts";
import { type CloudAnswer, jsonOf, quoted, refusalByStatus } from "../cloud-http.ts";
import { type Fault, ProviderError } from "../errors.ts";
import { refusalSchema } from "./wire.ts";

export const PROVIDER = "hyperstack";

/** The states of the page on managing machines (docs.hyperstack.cloud); the schema has a plain string. */
const STATES: Readonly<Record<string, InstanceState>> = {
  CREATING: "provisioning",
  BUILD: "provisioning",
  PRE_ACTIVE: "provisioning",
  ACTIVE: "running",
  // Comes back by itself, as the same machine; it cannot be reached meanwhile.
  REBOOTING: "running",
  HIBERNATING: "hibernating",
  HIBERNATED: "hibernated",
  RESTORING: "restoring",
  STARTING: "restoring",
  STOPPING: "stopping",
  // Billed in full.
  SHUTOFF: "stopped",
  DELETING: "terminating",
  DELETED: "gone",
  ERROR: "failed",
};

export function stateOf(status: string | null): InstanceState {
  return STATES[status?.trim().toUpperCase() ?? ""] ?? "unknown";
}

/** States in which volumes can be attached and detached. */
export function takesVolumes(status: string | null): boolean {
  return status === "ACTIVE" || status === "SHUTOFF";
}

/**
 * Out of stock, low balance, a wrong state and a wrong field are all HTTP 400 with the same reason; only the text differs,
 * and it is documented for a few cases only. The first line that fits counts.
 */
const TEXTS: readonly (readonly [RegExp, Fault])[] = [
  [/\bbalance\b|\bcredits?\b|top[ -]?up|\bpayment\b|insufficient funds/i, { kind: "quota" }],
  [/\bquota\b|limit (?:is |was |has been )?(?:reached|exceeded)|exceeds? (?:the|your) limit/i, { kind: "quota" }],
  [/hibernation process is still going on|being used to create a snapshot/i, { kind: "conflict" }],
  [/\bin [A-Z_]{4,} state\b|must be in [A-Z_]{4,}/, { kind: "conflict" }],
  [/already attached|not attached|\bin use\b/i, { kind: "conflict" }],
  [/\bstock\b|capacity|sold out|no valid host|(?:not|no longer|un-?) ?available/i, { kind: "no-capacity", scope: "offer" }],
  [/(?:not enough|insufficient) (?:gpu|resource|host)/i, { kind: "no-capacity", scope: "offer" }],
];

/** Says that the body is wrong. Where none was sent it means something else. */
const WRONG_BODY =
  /missing data|required field|unknown field|not a valid|invalid|(?:longer|shorter) than|must be (?:one of|greater|less)|does not exist/i;

/** Says that this machine can never be hibernated, as far as a text can say it. */
const CANNOT_HIBERNATE =
  /this feature is (?:currently )?disabled|(?:not|n't|cannot|unable|disabled|disallow|without|no)\b.*hibernat|hibernat\w*\b.*(?:not\b|n't|cannot|disabled|unsupported|unavailable)/i;

export function saysCannotHibernate(message: string): boolean {
  return CANNOT_HIBERNATE.test(message) && !/still going on|later|moment|temporar|snapshot/i.test(message);
}

/** Nobody waits longer before asking again, whatever a header says. */
const LONGEST_WAIT_MS = 3_600_000;

/** Whether a 2xx says no all the same, or is not of this API at all. @throws ProviderError `protocol` for a page for people. */
export function saysNo(answer: CloudAnswer): boolean {
  const read = v.safeParse(v.object({ status: v.literal(false) }), jsonOf(PROVIDER, answer));
  return read.success;
}

/** What the server said, and its own word for it. */
function saidOf(answer: CloudAnswer): { readonly message: string; readonly reason: string | null } {
  try {
    const read = v.safeParse(refusalSchema, jsonOf(PROVIDER, answer));
    return read.success ? { message: read.output.message ?? "", reason: read.output.error_reason } : { message: "", reason: null };
  } catch {
    return { message: "", reason: null };
  }
}

/**
 * What an answer that is no success means. `unknown400`: what a 400 with a text that nobody has seen stands for; for a
 * create and a restore that is want of capacity, the one refusal whose text is not documented.
 * `now` is by the cloud's clock, in epoch milliseconds; `waitMs` is how long to wait after a 429 that does not say.
 */
export function refusalOf(
  answer: CloudAnswer,
  {
    now,
    waitMs,
    unknown400,
    hasBody,
  }: { readonly now: number; readonly waitMs: number; readonly unknown400: Fault; readonly hasBody: boolean },
): ProviderError {
  const { message, reason } = saidOf(answer);
  const raw = reason ?? `http-${answer.status}`;
  const said = message === "" ? `${answer.asked} was answered with HTTP ${answer.status}` : quoted(message);
  if (answer.status === 400) {
    const isWrongBody = hasBody && WRONG_BODY.test(message);
    const fault = TEXTS.find(([pattern]) => pattern.test(message))?.[1] ?? (isWrongBody ? { kind: "invalid-request" } : unknown400);
    return new ProviderError(PROVIDER, fault, said, raw);
  }
  const refusal = refusalByStatus(PROVIDER, answer, message, raw, now);
  if (refusal.fault.kind !== "rate-limited") return refusal;
  const retryAfterMs = Math.min(refusal.fault.retryAfterMs ?? waitMs, LONGEST_WAIT_MS);
  return new ProviderError(PROVIDER, { kind: "rate-limited", retryAfterMs }, said, raw);
}
