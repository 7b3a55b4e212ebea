import type { InstanceState } from "../../model/instance.ts";
import { type CloudAnswer, quoted, refusalByStatus, retryAfterMs } from "../cloud-http.ts";
import { type Fault, ProviderError } from "../errors.ts";

export const PROVIDER = "aws";

/** The six of the API model (EC2 2016-11-15, InstanceStateName). */
const STATES: Readonly<Record<string, InstanceState>> = {
  pending: "provisioning",
  running: "running",
  "shutting-down": "terminating",
  terminated: "gone",
  stopping: "stopping",
  stopped: "stopped",
};

export function stateOf(name: string | undefined): InstanceState {
  return STATES[name ?? ""] ?? "unknown";
}

/** Who ended or stopped it, by `StateReason.Code` (API model, StateReason). */
const ENDED_BY: Readonly<Record<string, "provider" | "guest" | "user">> = {
  "Server.SpotInstanceTermination": "provider",
  "Server.SpotInstanceShutdown": "provider",
  // A launch that was accepted and then found no room: pending, and terminated a few seconds later.
  "Server.InsufficientInstanceCapacity": "provider",
  "Server.InternalError": "provider",
  "Server.ScheduledStop": "provider",
  "Client.VolumeLimitExceeded": "provider",
  "Client.InternalError": "provider",
  "Client.InvalidSnapshot.NotFound": "provider",
  "Client.InstanceInitiatedShutdown": "guest",
  "Client.UserInitiatedShutdown": "user",
  "Client.UserInitiatedHibernate": "user",
};

export function endedBy(code: string | undefined): "provider" | "guest" | "user" | null {
  return ENDED_BY[code ?? ""] ?? null;
}

const each = (fault: Fault, ...codes: readonly string[]) => codes.map((code) => [code, fault] as const);

/**
 * The codes of EC2, the Pricing API and SQS in our words: Karpenter's table, the page on error codes, and what follows from
 * them. CreateFleet would put the same codes into an answer with status 200; it is not used.
 */
const CODES: ReadonlyMap<string, Fault> = new Map([
  ...each(
    { kind: "no-capacity", scope: "offer" },
    "InsufficientInstanceCapacity",
    "InsufficientHostCapacity",
    "InsufficientCapacityOnHost",
    "InsufficientCapacity",
    "UnfulfillableCapacity",
    "ReservationCapacityExceeded",
    // The type is not offered in that zone.
    "Unsupported",
  ),
  ...each({ kind: "no-capacity", scope: "zone" }, "InsufficientFreeAddressesInSubnet"),
  ...each({ kind: "price-too-low" }, "SpotMaxPriceTooLow"),
  ...each(
    // An account's limits are of one region each.
    { kind: "quota", scope: "region" },
    "MaxSpotInstanceCountExceeded",
    "VcpuLimitExceeded",
    "InstanceLimitExceeded",
    "MaxFleetCountExceeded",
    "VolumeLimitExceeded",
    "AttachmentLimitExceeded",
    "SnapshotLimitExceeded",
    "ConcurrentSnapshotLimitExceeded",
    "MaxIOPSLimitExceeded",
    "AddressLimitExceeded",
    "SecurityGroupLimitExceeded",
    "RulesPerSecurityGroupLimitExceeded",
    "ResourceCountExceeded",
    "ResourceLimitExceeded",
  ),
  ...each(
    { kind: "rate-limited", retryAfterMs: null },
    "RequestLimitExceeded",
    "Throttling",
    "ThrottlingException",
    "SnapshotCreationPerVolumeRateExceeded",
    "TooManyRequestsException",
    "RequestThrottled",
  ),
  ...each(
    { kind: "auth" },
    "UnauthorizedOperation",
    "AuthFailure",
    "AuthFailure.ServiceLinkedRoleCreationNotPermitted",
    "InvalidClientTokenId",
    "UnrecognizedClientException",
    "ExpiredToken",
    "ExpiredTokenException",
    "RequestExpired",
    "SignatureDoesNotMatch",
    "InvalidSignatureException",
    "IncompleteSignature",
    "MissingAuthenticationToken",
    "MissingAuthenticationTokenException",
    "AccessDenied",
    "AccessDeniedException",
    "OptInRequired",
    "PendingVerification",
    "Blocked",
  ),
  ...each(
    { kind: "conflict" },
    "IdempotentParameterMismatch",
    "IncorrectInstanceState",
    "IncorrectState",
    "IncorrectSpotRequestState",
    "VolumeInUse",
    "InvalidVolume.InUse",
    "InvalidSnapshot.InUse",
    "OperationNotPermitted",
    "InvalidKeyPair.Duplicate",
    "InvalidGroup.Duplicate",
    "InvalidPermission.Duplicate",
  ),
]);

/** Ids that nobody has, and ids that nobody can have. A wrong image or snapshot of ours is a wrong request instead. */
const NOT_FOUND =
  /^(?:InvalidInstanceID|InvalidVolume|InvalidVolumeID|InvalidSnapshot|InvalidSnapshotID|InvalidSpotInstanceRequestID|InvalidLaunchTemplate\w*)\.(?:NotFound(?:Exception)?|Malformed)$/;
/** What else may end so: a group, a key, a subnet that is not there any more. */
const GONE = /\.NotFound$|\.NotFoundException$|NonExistentQueue$|QueueDoesNotExist$/;
const WRONG =
  /^Invalid|^Missing|^Malformed|^Unknown|^Unsupported|NotSupported$|ValidationError|ValidationException|^DefaultVpcDoesNotExist$/;

export function saysNotFound(code: string | null): boolean {
  return code !== null && NOT_FOUND.test(code);
}

function faultOf(code: string): Fault | undefined {
  const known = CODES.get(code);
  if (known !== undefined) return known;
  // An image is what was asked for; it is not what was asked about.
  if (code.startsWith("InvalidAMIID")) return { kind: "invalid-request" };
  if (NOT_FOUND.test(code) || GONE.test(code)) return { kind: "not-found" };
  return WRONG.test(code) ? { kind: "invalid-request" } : undefined;
}

const ENTITIES: Readonly<Record<string, string>> = { lt: "<", gt: ">", amp: "&", quot: '"', apos: "'" };

function unescaped(xml: string): string {
  return xml.replaceAll(/&(\w+);/g, (whole, name: string) => ENTITIES[name] ?? whole);
}

/** The cloud's own code and sentence; EC2 says them in XML, the others in JSON, gateways not at all. */
export function saidOf({ text }: Pick<CloudAnswer, "text">): { readonly code: string | null; readonly message: string } {
  const code = /<Code>\s*([A-Za-z0-9._-]{1,100})\s*<\/Code>/.exec(text)?.[1];
  if (code !== undefined) return { code, message: unescaped(/<Message>([\s\S]{0,4000}?)<\/Message>/.exec(text)?.[1] ?? "") };
  if (!text.trimStart().startsWith("{")) return { code: null, message: "" };
  try {
    const said: unknown = JSON.parse(text);
    const field = (name: string) => {
      const value = typeof said === "object" && said !== null ? Object.entries(said).find(([key]) => key === name)?.[1] : undefined;
      return typeof value === "string" ? value : undefined;
    };
    const type = field("__type")?.split("#").at(-1);
    return { code: type !== undefined && /^[\w.]{1,100}$/.test(type) ? type : null, message: field("message") ?? field("Message") ?? "" };
  } catch {
    return { code: null, message: "" };
  }
}

/**
 * What an answer that is no success means. The code comes first: `InsufficientInstanceCapacity` has status 500 and says all
 * the same that nothing happened.
 * @param now by the cloud's clock, in epoch milliseconds.
 */
export function refusalOf(answer: CloudAnswer, now: number): ProviderError {
  const { code, message } = saidOf(answer);
  const fault = code === null ? undefined : faultOf(code);
  const said = `${answer.asked}: ${message === "" ? (code ?? `HTTP ${answer.status}`) : quoted(message)}`;
  if (fault === undefined) return refusalByStatus(PROVIDER, answer, said, code, now);
  const timed = fault.kind === "rate-limited" ? { ...fault, retryAfterMs: retryAfterMs(answer, now) } : fault;
  return new ProviderError(PROVIDER, timed, said, code);
}

/** Codes with which a signature is refused whose time the server does not believe. */
export function saysWrongTime(answer: CloudAnswer): boolean {
  return ["AuthFailure", "RequestExpired", "SignatureDoesNotMatch", "InvalidSignatureException", "RequestTimeTooSkewed"].includes(
    saidOf(answer).code ?? "",
  );
}
