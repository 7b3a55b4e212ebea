import * as v from "valibot";
import type { InstanceState } from "../../model/instance.ts";
import { type CloudAnswer, quoted, refusalByStatus, retryAfterMs } from "../cloud-http.ts";
import { type Fault, ProviderError } from "../errors.ts";
import { refusalSchema } from "./wire.ts";

export const PROVIDER = "alibaba";

/** `Status` of DescribeInstances. There is no word for an instance that is released: it is no longer listed. */
const STATES: Readonly<Record<string, InstanceState>> = {
  Pending: "provisioning",
  Starting: "provisioning",
  Running: "running",
  Stopping: "stopping",
  // Billed in full, or not at all for the GPU: `StoppedMode` says which.
  Stopped: "stopped",
};

export function stateOf(status: string): InstanceState {
  return (Object.hasOwn(STATES, status) ? STATES[status] : undefined) ?? "unknown";
}

export const NONCE_USED = "SignatureNonceUsed";
const STALE_DATE = /^(InvalidTimeStamp|IllegalTimestamp)/;

/** The date of the signature is not near the cloud's time: nothing was done. */
export function saysStale(code: string | null): boolean {
  return code !== null && STALE_DATE.test(code);
}

/**
 * The cloud's codes in ours, the first that fits. Sources: the error tables of the calls, Karpenter's provider and Gardener's
 * machine controller for this cloud. Codes are families: `QuotaExceed.ElasticQuota`, `InvalidInstanceId.NotFound`.
 */
const CODES: readonly (readonly [RegExp, Fault])[] = [
  [/^Throttling|FlowControl/i, { kind: "rate-limited", retryAfterMs: null }],
  [/SpotPriceLowerThanPublicPrice|^InvalidSpotPriceLimit/, { kind: "price-too-low" }],
  [/NoStock$|^NoInstanceStock|^LackResource|^Zone\.NotOnSale|ZoneNotAllowed|NotEnoughStock/, { kind: "no-capacity", scope: "offer" }],
  [
    /^InvalidResourceType\.NotSupported|^InstanceType\.Offline|^InvalidInstanceType\.(ZoneNotSupported|NotSupportedStock)/,
    { kind: "no-capacity", scope: "offer" },
  ],
  [/^InvalidVSwitchId\.IpNotEnough|IpNotEnough|InsufficientIp/i, { kind: "no-capacity", scope: "zone" }],
  [/^QuotaExceed|QuotaExceed(ed)?$|^InstanceQuota|^QuotaExceeded/, { kind: "quota" }],
  [/Arrearage|^InsufficientBalance|^DiskInArrears|NotEnoughBalance|InArrears/, { kind: "quota" }],
  [
    /^(InvalidAccessKeyId|SignatureDoesNotMatch|IncompleteSignature|InvalidTimeStamp|IllegalTimestamp|Forbidden|InvalidSecurityToken|MissingSecurityToken|NoPermission|MissingAccessKeyId|InvalidCredentials)/,
    { kind: "auth" },
  ],
  // The ClientToken was here before: what was asked for with it is there or on its way, be it with another release time.
  [/^Idempotent/, { kind: "ambiguous" }],
  [
    /^Incorrect\w*Status|^OperationConflict|LockedForSecurity|^DependencyViolation|AlreadyExist|\.Duplicate$|^InvalidOperation\.Conflict/,
    { kind: "conflict" },
  ],
  [/^Invalid(Instance|Disk|Snapshot)\w*Id\.NotFound$|^Invalid(Instance|Disk|Snapshot)\w*\.NotFound$/, { kind: "not-found" }],
  [/^(Missing|Invalid)/, { kind: "invalid-request" }],
];

const ARREARS = /Arrearage|InsufficientBalance|InArrears|NotEnoughBalance/;

/** The cloud's own code of an answer that is no success, and its sentence. A gateway says neither. */
export function wordsOf(answer: Pick<CloudAnswer, "text">): { readonly code: string | null; readonly message: string } {
  try {
    const { Code, Message } = v.parse(refusalSchema, JSON.parse(answer.text));
    return { code: Code, message: Message ?? "" };
  } catch {
    return { code: null, message: "" };
  }
}

const MINUTE_MS = 60_000;

/** Requests are counted by the minute, for each account, region and call: what is too much in one is not in the next. */
function restOfMinute(theirNow: number): number {
  return MINUTE_MS - (theirNow % MINUTE_MS);
}

/**
 * What a refusal means: the code decides, never the status alone (want of stock, quota, balance and permission are all 403).
 * A 5xx with a code that says why it was refused did nothing; one without may have done it.
 */
export function refusalOf(answer: CloudAnswer, theirNow: number): ProviderError {
  const { code, message } = wordsOf(answer);
  const plain = refusalByStatus(PROVIDER, answer, message, code, theirNow);
  if (code === null) return plain;
  const said = quoted(message === "" ? `${answer.asked} was refused` : message);
  const error = (fault: Fault, text = said) => new ProviderError(PROVIDER, fault, `${text} (${quoted(code)})`, code);
  // The nonce is new every time: so a copy of this very request was there before, and what became of it is not said.
  if (code === NONCE_USED) return error({ kind: answer.effect === "change" ? "ambiguous" : "unavailable" });
  const fault = CODES.find(([pattern]) => pattern.test(code))?.[1];
  if (answer.status >= 500 && (fault === undefined || fault.kind === "invalid-request")) return plain;
  if (fault?.kind === "rate-limited")
    return error({ kind: "rate-limited", retryAfterMs: retryAfterMs(answer, theirNow) ?? restOfMinute(theirNow) });
  if (fault !== undefined) return error(fault, ARREARS.test(code) ? `${said}; top up the account` : said);
  // Here 403 stands for any refusal; those about permission have a code of their own.
  return answer.status === 403 ? error({ kind: "invalid-request" }) : plain;
}
