import type { InstanceState } from "../../model/instance.ts";
import { type CloudAnswer, quoted, refusalByStatus, retryAfterMs } from "../cloud-http.ts";
import { type Fault, isFault, ProviderError } from "../errors.ts";

/** The statuses of v1 (both vendors' pages of the list and the details call). */
const STATES: Readonly<Record<string, InstanceState>> = {
  toCreate: "provisioning",
  creating: "provisioning",
  pulling: "provisioning",
  running: "running",
  toStart: "provisioning",
  starting: "provisioning",
  toRestart: "provisioning",
  restarting: "provisioning",
  toReset: "provisioning",
  resetting: "provisioning",
  migrating: "provisioning",
  toStop: "stopping",
  stopping: "stopping",
  freezing: "stopping",
  exited: "stopped",
  toRemove: "terminating",
  removing: "terminating",
  removed: "gone",
};

/** The cloud's word for a state in ours. */
export function stateOf(status: string): InstanceState {
  return Object.hasOwn(STATES, status) ? (STATES[status] ?? "unknown") : "unknown";
}

const AUTH: Fault = { kind: "auth" };
const QUOTA: Fault = { kind: "quota" };
const CONFLICT: Fault = { kind: "conflict" };
const NOT_FOUND: Fault = { kind: "not-found" };
const INVALID: Fault = { kind: "invalid-request" };
const SOLD_OUT: Fault = { kind: "no-capacity", scope: "offer" };

/** The reasons of novita.ai/docs/api-reference/basic-error-code (GPU section), nearly all of them with HTTP 400. */
const REASONS: Readonly<Record<string, Fault | "by-status">> = {
  UNAUTHORIZED: AUTH,
  FORBIDDEN: AUTH,
  INVALID_API_KEY: AUTH,
  MISSING_API_KEY: AUTH,
  BANNED_USER: AUTH,
  INSUFFICIENT_RESOURCE: SOLD_OUT,
  MIGRATE_INSUFFICIENT_RESOURCE: SOLD_OUT,
  // This product cannot be had in this way; another one can.
  UNSUPPORTED_BILLING_MODE: SOLD_OUT,
  CUDA_VERSION_INCOMPATIBLE: SOLD_OUT,
  RESOURCE_NOT_FOUND: NOT_FOUND,
  CREATE_INSTANCE_LIMIT: QUOTA,
  CREATE_GPU_NUM_LIMIT: QUOTA,
  BALANCE_NOT_ENOUGH: QUOTA,
  EXPIRED_OR_BALANCE_NOT_ENOUGH: QUOTA,
  DE_BALANCE_NOT_ENOUGH: QUOTA,
  CONFLICT,
  INVALID_STATE_CHANGE: CONFLICT,
  OPERATION_LIMIT: CONFLICT,
  DEPENDENT_RESOURCE_STATE: CONFLICT,
  CLUSTER_STATUS: CONFLICT,
  NODE_STATUS: CONFLICT,
  NETWORK_STORAGE_IN_USE: CONFLICT,
  NETWORK_STORAGE_NOT_FOUND: NOT_FOUND,
  NETWORK_STORAGE_UNAVAILABLE: { kind: "unavailable" },
  NETWORK_STORAGE_TOO_LARGE: QUOTA,
  CUR_CLUSTER_NETWORK_STORAGE_NOT_SUPPORT: { kind: "unsupported" },
  PREPAID_INSTANCE_NOT_SUPPORT_RELEASE: { kind: "unsupported" },
  VALIDATOR_PARAM: INVALID,
  INVALID_COMMAND_PARAM: INVALID,
  IMAGE_NOT_FOUND: INVALID,
  IMAGE_URL_OR_AUTH_ERROR: INVALID,
  IMAGE_TOO_LARGE: INVALID,
  RATE_LIMIT_EXCEEDED: "by-status",
  LIST_BILL_TOO_FAST: "by-status",
  WALLET_NOT_FOUND: "by-status",
};

/** Longer ones first: `MIGRATE_INSUFFICIENT_RESOURCE` holds another one. */
const BY_LENGTH = Object.keys(REASONS).sort((a, b) => b.length - a.length);

/** What is said in place of a reason; PPIO says it in Chinese. */
const PHRASES: readonly (readonly [RegExp, string])[] = [
  [/资源不足|库存不足/, "INSUFFICIENT_RESOURCE"],
  [/不存在|未找到/, "RESOURCE_NOT_FOUND"],
  [/余额不足/, "BALANCE_NOT_ENOUGH"],
  [/delete other instances/i, "CREATE_INSTANCE_LIMIT"],
];

interface Said {
  readonly reason: string | null;
  readonly message: string;
}

function fieldsOf(text: string): Readonly<Record<string, unknown>> {
  try {
    const body: unknown = JSON.parse(text);
    return typeof body === "object" && body !== null ? { ...body } : { message: String(body) };
  } catch {
    return { message: text };
  }
}

/**
 * What a refusal says. No document shows an error's body, so every shape is read that some client of this API reads:
 * `{reason, message}`, `{error}`, `{error: {message}}`, `{code, message}`, bare text, nothing.
 */
export function refusalWords(answer: Pick<CloudAnswer, "text">): Said {
  const { reason, error, code, message } = fieldsOf(answer.text);
  const inner: Readonly<Record<string, unknown>> = typeof error === "object" && error !== null ? { ...error } : {};
  const named = [reason, error, code, inner["reason"], inner["code"]].filter((word) => typeof word === "string");
  const said = [message, inner["message"], ...named].find((word) => typeof word === "string" && word !== "");
  const words = typeof said === "string" ? said : "";
  const exact = named.find((word) => Object.hasOwn(REASONS, word) || /^[A-Z]+(?:_[A-Z]+)+$/.test(word));
  return { reason: exact ?? reasonIn(words), message: words };
}

function reasonIn(words: string): string | null {
  const plain = words.toUpperCase().replaceAll(/[^A-Z0-9]+/g, "_");
  return BY_LENGTH.find((reason) => plain.includes(reason)) ?? PHRASES.find(([pattern]) => pattern.test(words))?.[1] ?? null;
}

/** A refusal without a word that is known: no document shows an error's body, so it may be any of those that come with HTTP 400. */
export function saysNothing(error: unknown): boolean {
  return isFault(error, "invalid-request") && !Object.hasOwn(REASONS, error.rawCode ?? "");
}

/** What a refusal means for whoever called. */
export function refusalOf(provider: string, answer: CloudAnswer, now: number): ProviderError {
  const { reason, message } = refusalWords(answer);
  const named =
    reason !== null && Object.hasOwn(REASONS, reason) ? REASONS[reason] : reason?.startsWith("USER_") === true ? AUTH : undefined;
  const said = reason !== null && !message.includes(reason) && message !== "" ? message : message || `refused ${answer.asked}`;
  if (answer.status === 429)
    return new ProviderError(
      provider,
      { kind: "rate-limited", retryAfterMs: retryAfterMs(answer, now) },
      quoted(said),
      reason ?? "http-429",
    );
  // A server's own failure may come after the deed, whatever reason it gives.
  if (named === undefined || named === "by-status" || answer.status >= 500) return refusalByStatus(provider, answer, message, reason, now);
  return new ProviderError(provider, named, quoted(said), reason);
}
