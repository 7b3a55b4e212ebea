/** What a test may turn while the cloud runs. The default is the plain reading of Google's documents. */
export interface Switches {
  /** New machines stay there: in PROVISIONING with their operation under way, or in STAGING with it DONE. */
  holdAt: "provisioning" | "staging" | null;
  /** Where a stock-out is told: in the operation, after a 200, or as the answer of insert or start. */
  stockOutBy: "operation" | "http";
  stockOutCode: "ZONE_RESOURCE_POOL_EXHAUSTED" | "ZONE_RESOURCE_POOL_EXHAUSTED_WITH_DETAILS";
  /** Any launch ends with this code in its operation, for codes that nothing else brings about. */
  launchErrorCode: string | null;
  /** Where an exceeded quota is told. */
  quotaBy: "operation" | "http";
  /** Where a disk that somebody else uses is told at insert. */
  diskInUseBy: "operation" | "http";
  /** `preemptionNoticeDuration` is known on the beta path; without it that path answers 400 as v1 does. */
  noticePreview: boolean;
  /** A DELETE of a machine that is being deleted already. */
  deleteTwice: "not-ready" | "operation";
  /** Zones that do not answer: their rows are missing in aggregated lists. */
  unreachableZones: readonly string[];
  /** Where an aggregated list names them. */
  unreachableBy: "unreachables" | "warning";
  /** How many rows a page has at most, whatever is asked for. */
  largestPage: number;
  /** The same for the billing catalogue. */
  largestSkuPage: number;
  /** Spot in the catalogue is that much dearer than it was at first. */
  spotFactor: number;
  /** `wait` answers after so long at the latest, in milliseconds; the documents allow less than two minutes, zero included. */
  longestWaitMs: number;
  /** Every operation is unknown when it is asked for, whatever has become of it. */
  losesOperations: boolean;
  /** Whether a page begins at a place in the list, so that it moves when somebody goes, or after a name. Nobody says. */
  pageTokensBy: "place" | "name";
  /** What a requestId whose first attempt came to nothing does: that operation again, or another attempt. Nobody says. */
  requestIdAfterFailure: "same" | "again";
  /** Nothing is told inside before a preemption; how often that happens is not known. */
  silentPreemptions: boolean;
  /** Preemptions write no operation; seen in large projects. */
  forgetsPreemptions: boolean;
  /** The status that is shown instead of the true one. */
  shownStatus: string | null;
  /** Every snapshot ends in FAILED. */
  snapshotsFail: boolean;
  /** The project has `enable-oslogin`: keys in `ssh-keys` are ignored unless the machine says `enable-oslogin: FALSE`. */
  osLogin: boolean;
  /** Added to every time that is told, and to the `Date` header, in milliseconds. */
  skewMs: number;
  /** Life of an access token in seconds. */
  tokenSeconds: number;
  /** Requests to the API in a minute; more are 403 rateLimitExceeded, or the same with 429. */
  requestsPerMinute: number;
  rateLimitStatus: 403 | 429;
}

export const DEFAULT_SWITCHES: Switches = {
  holdAt: null,
  stockOutBy: "operation",
  stockOutCode: "ZONE_RESOURCE_POOL_EXHAUSTED",
  launchErrorCode: null,
  quotaBy: "operation",
  diskInUseBy: "operation",
  noticePreview: true,
  deleteTwice: "not-ready",
  unreachableZones: [],
  unreachableBy: "unreachables",
  largestPage: 500,
  largestSkuPage: 5_000,
  spotFactor: 1,
  longestWaitMs: 120_000,
  losesOperations: false,
  pageTokensBy: "place",
  requestIdAfterFailure: "same",
  silentPreemptions: false,
  forgetsPreemptions: false,
  shownStatus: null,
  snapshotsFail: false,
  osLogin: false,
  skewMs: 0,
  tokenSeconds: 3_599,
  requestsPerMinute: Number.POSITIVE_INFINITY,
  rateLimitStatus: 403,
};

/** How long things take, in milliseconds. */
export interface Delays {
  /** An operation in PENDING. */
  readonly pendingMs: number;
  /** A machine in PROVISIONING, which ends with its place or with a stock-out; then in STAGING. */
  readonly provisioningMs: number;
  readonly stagingMs: number;
  /** After the insert until lists show a machine. */
  readonly listedMs: number;
  /** STOPPING, at the wish of a user. */
  readonly stopMs: number;
  /** The best effort between soft-off and hard-off of a preemption; at most 30 s at the real one. */
  readonly shutdownMs: number;
  readonly deleteMs: number;
  readonly suspendMs: number;
  /** Creating a disk, deleting it, attaching it, detaching it. */
  readonly diskMs: number;
  /** A snapshot in CREATING, and then in UPLOADING. */
  readonly snapshotMs: number;
  readonly uploadMs: number;
  /** Any other change: labels, metadata, firewalls. */
  readonly changeMs: number;
  /** How long an operation can be asked for after its end. */
  readonly operationKeptMs: number;
  /** How long a requestId is remembered; not documented. */
  readonly requestIdMs: number;
}

export const DEFAULT_DELAYS: Delays = {
  pendingMs: 3,
  provisioningMs: 10,
  stagingMs: 15,
  listedMs: 0,
  stopMs: 20,
  shutdownMs: 30,
  deleteMs: 20,
  suspendMs: 20,
  diskMs: 10,
  snapshotMs: 10,
  uploadMs: 15,
  changeMs: 3,
  operationKeptMs: 14 * 24 * 3_600_000,
  requestIdMs: Number.POSITIVE_INFINITY,
};
