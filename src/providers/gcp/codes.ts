import * as v from "valibot";
import type { InstanceState } from "../../model/instance.ts";
import { type CloudAnswer, quoted, refusalByStatus, retryAfterMs } from "../cloud-http.ts";
import { type Fault, ProviderError } from "../errors.ts";

export const PROVIDER = "gcp";

/** The enum of the discovery document (compute v1, Instance.status), and PENDING_STOP of beta; what is not in it is unknown. */
const STATES: Readonly<Record<string, InstanceState>> = {
  PROVISIONING: "provisioning",
  STAGING: "provisioning",
  RUNNING: "running",
  PENDING_STOP: "stopping",
  STOPPING: "stopping",
  SUSPENDING: "stopping",
  // Stopped, by a reclaim as by a person: the GPU is not billed, its disks are. It is not gone.
  TERMINATED: "stopped",
  STOPPED: "stopped",
  SUSPENDED: "stopped",
  REPAIRING: "provisioning",
  DEPROVISIONING: "terminating",
};

export function stateOf(status: string): InstanceState {
  return (Object.hasOwn(STATES, status) ? STATES[status] : undefined) ?? "unknown";
}

const OFFER = { kind: "no-capacity", scope: "offer" } as const;
/** Of one resource: it wants a moment. */
const RATE = { kind: "rate-limited", retryAfterMs: null } as const;
/** Of a project, counted by the minute, and refilled when the next one begins (compute/api-quota). */
const THIS_MINUTE = { kind: "rate-limited", retryAfterMs: 60_000 } as const;

/**
 * Codes of both mouths: `error.errors[].reason` of an HTTP error, and `error.errors[].code` of an operation that is DONE.
 * Compared without case and underscores: the two mouths write the same word in two ways (`quotaExceeded`, `QUOTA_EXCEEDED`).
 */
const CODES: Readonly<Record<string, Fault>> = {
  zoneresourcepoolexhausted: OFFER,
  zoneresourcepoolexhaustedwithdetails: OFFER,
  resourcepoolexhausted: OFFER,
  insufficientcapacity: OFFER,
  stockout: OFFER,
  // The subnet is full: another type in the same zone does not help.
  ipspaceexhausted: { kind: "no-capacity", scope: "zone" },
  ipspaceexhaustedwithdetails: { kind: "no-capacity", scope: "zone" },
  quotaexceeded: { kind: "quota" },
  limitexceeded: { kind: "quota" },
  billingnotenabled: { kind: "auth" },
  unsupportedoperation: { kind: "conflict" },
  resourcenotready: { kind: "conflict" },
  resourceinusebyanotherresource: { kind: "conflict" },
  alreadyexists: { kind: "conflict" },
  resourcealreadyexists: { kind: "conflict" },
  conditionnotmet: { kind: "conflict" },
  resourceoperationrateexceeded: RATE,
  operationrateexceeded: RATE,
  ratelimitexceeded: THIS_MINUTE,
  userratelimitexceeded: THIS_MINUTE,
  concurrentoperationsquotaexceeded: RATE,
  resourcenotfound: { kind: "not-found" },
  notfound: { kind: "not-found" },
  iampermissiondenied: { kind: "auth" },
  permissionsdenied: { kind: "auth" },
  forbidden: { kind: "auth" },
  accessnotconfigured: { kind: "auth" },
  servicedisabled: { kind: "auth" },
  autherror: { kind: "auth" },
  required: { kind: "invalid-request" },
  invalid: { kind: "invalid-request" },
  badrequest: { kind: "invalid-request" },
  vpcnotfound: { kind: "invalid-request" },
  invalidusage: { kind: "invalid-request" },
};

const plainCode = (code: string) => code.toLowerCase().replaceAll(/[^a-z]/g, "");

/** The zone has not enough of it now; some refusals say so in their sentence alone. */
const STOCK_OUT = /does not have enough resources available to fulfill the request|currently unavailable in the .* zone/i;

/** What one of Google's codes, with its sentence, means; undefined for one that is not known. */
function faultOf(code: string, message: string): Fault | undefined {
  const known = plainCode(code);
  const named = Object.hasOwn(CODES, known) ? CODES[known] : undefined;
  // `Quota 'GPUS_ALL_REGIONS' exceeded.  Limit: 0.0 globally.`; any other metric is of one region.
  if (named?.kind === "quota") return /_ALL_REGIONS|\bglobally\b/.test(message) ? named : { ...named, scope: "region" };
  if (named !== undefined) return named;
  return STOCK_OUT.test(message) ? OFFER : undefined;
}

const words = v.fallback(v.string(), "");
const errorBody = v.object({
  error: v.object({
    message: words,
    status: words,
    errors: v.fallback(v.array(v.object({ reason: words, message: words })), []),
    details: v.fallback(v.array(v.object({ reason: words })), []),
  }),
});

interface Refusal {
  /** The codes of the answer, the most telling first. */
  readonly codes: readonly string[];
  readonly message: string;
}

/** What an HTTP error says. Gateways send text or HTML, of which HTML is left out. */
function refusalIn(answer: CloudAnswer): Refusal {
  try {
    const { error } = v.parse(errorBody, JSON.parse(answer.text));
    const codes = [...error.errors.map(({ reason }) => reason), ...error.details.map(({ reason }) => reason)];
    return { codes: codes.filter((code) => code !== ""), message: error.message || (error.errors[0]?.message ?? "") };
  } catch {
    return { codes: [], message: answer.text.trimStart().startsWith("<") ? "" : answer.text };
  }
}

/** True for a 404 in which Google itself says that this very resource is not there: no gateway's, and not another path's. */
export function deniesResource(answer: CloudAnswer, resource: string): boolean {
  if (answer.status !== 404) return false;
  const { codes, message } = refusalIn(answer);
  return codes.some((code) => plainCode(code) === "notfound") && message.includes(`/${resource}'`);
}

const A_MINUTE_MS = 60_000;

/** Until the cloud's next full minute, by its own clock; a second at least. */
function restOfMinute(answer: CloudAnswer, now: number): Fault {
  const said = retryAfterMs(answer, now);
  const theirs = Date.parse(answer.headers["date"] ?? "");
  const into = (Number.isNaN(theirs) ? now : theirs) % A_MINUTE_MS;
  return { kind: "rate-limited", retryAfterMs: said ?? Math.max(1_000, A_MINUTE_MS - into) };
}

/**
 * What an HTTP error means. Google's code first, its sentence second, the status last. A 5xx to a change is ambiguous
 * unless Google's own code says that nothing happened: a stock-out is HTTP 503.
 */
export function refusalOf(answer: CloudAnswer, now: number): ProviderError {
  const { codes, message } = refusalIn(answer);
  const plain = refusalByStatus(PROVIDER, answer, message, codes[0] ?? null, now);
  if (answer.status < 400 || answer.status === 429 || answer.status === 401) return plain;
  const found = codes.map((code) => faultOf(code, message)).find((fault) => fault !== undefined) ?? faultOf("", message);
  if (found === undefined || (answer.status >= 500 && found.kind !== "no-capacity" && found.kind !== "quota")) return plain;
  return new ProviderError(PROVIDER, found === THIS_MINUTE ? restOfMinute(answer, now) : found, plain.message, plain.rawCode);
}

/** What an operation that failed means. An error that is in no table is a server's trouble: the operation is over, nothing was made. */
export function operationFault(errors: readonly { readonly code: string; readonly message: string }[], what: string): ProviderError {
  const [first] = errors;
  const named = errors.map(({ code, message }) => ({ code, message, fault: faultOf(code, message) }));
  const best = named.find(({ fault }) => fault?.kind === "no-capacity") ?? named.find(({ fault }) => fault !== undefined);
  const said = quoted(best?.message || first?.message || "the operation failed");
  return new ProviderError(PROVIDER, best?.fault ?? { kind: "unavailable" }, `${what}: ${said}`, best?.code ?? first?.code ?? null);
}

/** The code of an insert whose machine was preempted while it was being made (seen in the field; Google does not say so). */
export function isCutShort(rawCode: string | null): boolean {
  return rawCode !== null && plainCode(rawCode) === "unsupportedoperation";
}
