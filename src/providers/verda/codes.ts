import * as v from "valibot";
import type { InstanceState } from "../../model/instance.ts";
import { type CloudAnswer, refusalByStatus } from "../cloud-http.ts";
import { type Fault, ProviderError } from "../errors.ts";
import { errorSchema } from "./wire.ts";

/** Statuses of the vendor's Go and Python SDKs and of its CLI; what is in none of them is unknown. */
const STATES: Readonly<Record<string, InstanceState>> = {
  new: "provisioning",
  ordered: "provisioning",
  provisioning: "provisioning",
  validating: "provisioning",
  pending: "provisioning",
  restoring: "provisioning",
  running: "running",
  // Only the console or another client brings one there; what becomes of it is documented in two ways.
  starting_hibernation: "stopping",
  hibernating: "stopping",
  // Billed in full.
  offline: "stopped",
  deleting: "terminating",
  discontinued: "gone",
  notfound: "gone",
  not_found: "gone",
  error: "failed",
  installation_failed: "failed",
  no_capacity: "failed",
};

/** The create was accepted, and then there was nothing to be had. */
export const NEVER_WAS = "no_capacity";

/** Verda's word for a status in ours. */
export function stateOf(status: string): InstanceState {
  return (Object.hasOwn(STATES, status) ? STATES[status] : undefined) ?? "unknown";
}

const REASONS: Readonly<Record<string, string>> = {
  no_capacity: "no capacity: accepted, and then there was none",
  error: "the provider says: error",
  installation_failed: "the provider could not install it",
};

/** Why it failed or ended, as far as a status says. */
export function reasonOf(status: string): string | null {
  return (Object.hasOwn(REASONS, status) ? REASONS[status] : undefined) ?? null;
}

/** What a refusal says. Documented errors are `{code, message}`; gateways send text or HTML, of which HTML is left out. */
export function wordsOf(answer: CloudAnswer): { readonly code: string | null; readonly message: string } {
  try {
    const { code, message } = v.parse(errorSchema, JSON.parse(answer.text));
    return { code, message: message ?? "" };
  } catch {
    return { code: null, message: answer.text.trimStart().startsWith("<") ? "" : answer.text };
  }
}

/**
 * Sentences that mean something whatever the status: several are documented by their text alone (dstack matches the same),
 * and some servers send them without a code.
 */
const SENTENCES: readonly (readonly [RegExp, Fault])[] = [
  [/no capacity/i, { kind: "no-capacity", scope: "offer" }],
  [/invalid instance id/i, { kind: "not-found" }],
  [/can.?t discontinue a discontinued/i, { kind: "not-found" }],
  // It cannot be deleted while it is being made: later it can.
  [/can.?t discontinue a provisioning/i, { kind: "unavailable" }],
  [/limit exceeded|quota/i, { kind: "quota" }],
  [/\battached\b|not shut ?down/i, { kind: "conflict" }],
];

const CODES: Readonly<Record<string, Fault>> = {
  insufficient_funds: { kind: "quota" },
  unauthorized_request: { kind: "auth" },
  forbidden_action: { kind: "auth" },
  not_found: { kind: "not-found" },
};

/** What a refusal means for whoever called. 503 is no capacity only when it says so; otherwise it is a server in trouble. */
export function refusalOf(answer: CloudAnswer, now: number): ProviderError {
  const { code, message } = wordsOf(answer);
  const plain = refusalByStatus("verda", answer, message, code, now);
  const { status } = answer;
  if (status < 400 || status === 429) return plain;
  const said = SENTENCES.filter(([, { kind }]) => status < 500 || kind === "no-capacity").find(([pattern]) => pattern.test(message))?.[1];
  const named = status >= 500 || code === null || !Object.hasOwn(CODES, code) ? undefined : CODES[code];
  const fault = named ?? (status === 402 ? CODES["insufficient_funds"] : said);
  return fault === undefined ? plain : new ProviderError("verda", fault, plain.message, plain.rawCode);
}
