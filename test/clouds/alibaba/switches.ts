/** How long things take, in milliseconds. */
export interface Delays {
  /** Pending to Starting, and Starting to Running. */
  readonly createMs: number;
  readonly bootMs: number;
  readonly startMs: number;
  readonly stopMs: number;
  /** How long a released one is still listed. */
  readonly deleteMs: number;
  readonly diskMs: number;
  readonly attachMs: number;
  readonly detachMs: number;
  readonly snapshotMs: number;
  /** From the lock to the release; the documents say about five minutes. */
  readonly noticeMs: number;
}

export const DELAYS: Delays = {
  createMs: 20,
  bootMs: 20,
  startMs: 20,
  stopMs: 20,
  deleteMs: 20,
  diskMs: 10,
  attachMs: 10,
  detachMs: 20,
  snapshotMs: 30,
  noticeMs: 300_000,
};

/** What a test may turn while the cloud runs. The first value named is the plain reading of the documents. */
export interface Switches {
  /** The account's site: prices and bids are in its currency. */
  currency: "CNY" | "USD";
  /** New machines stay in Pending. */
  holdProvisioning: boolean;
  /** So many machines of those created next vanish before they run: only the history says why. */
  failCreations: number;
  /** Whether a machine that is not up yet can be deleted. */
  deletesPending: boolean;
  /** What a deletion of what is being deleted is told. */
  deletesTwice: "accept" | "refuse";
  /** What the account lacks: nothing, money (everything is refused), or only the balance to start something. */
  account: "fine" | "arrears" | "low-balance";
  /** vCPUs of all spot machines together. */
  vcpuQuota: number;
  requestsPerMinute: number;
  /** How long a ClientToken is remembered. */
  tokenLastsMs: number;
  /** The documents list rsa, dsa and ecdsa keys; an ed25519 one is refused. */
  refusesEd25519: boolean;
  /** A repeated ClientToken is told that the first request is still running. */
  tokenIsProcessing: boolean;
  /** A console setting of the account: what a stop without StoppedMode does. */
  stopsFreeByDefault: boolean;
  /** Types (beside the documented families) that fall back to a charged stop without a word. */
  keepsCharging: RegExp | null;
  /** A reclaim is written into DescribeInstanceHistoryEvents too; that it is a system event is said only where drills are. */
  reclaimsInHistory: boolean;
  /** A reclaim comes without a word in the metadata service. */
  silentMetadata: boolean;
  /** A reclaim comes without a lock: the machine is there, then it is not. */
  reclaimsWithoutLock: boolean;
  /** A machine that a reclaim stopped is no longer locked; whether it is, nobody says. */
  lockEndsWithStop: boolean;
  /** Machines are taken back within their protected hour too; it should not happen. */
  breaksProtection: boolean;
  /** A machine that a reclaim stopped starts again by itself when there is stock; no document says so. */
  restartsStopped: boolean;
  /** The state that is shown instead of the true one. */
  shownStatus: string | null;
  /** Every time that is told is so far ahead, the `Date` header too. */
  clockAheadMs: number;
  /** Rows on a page of the price history. */
  historyPage: number;
  /** What NextOffset of the last page of the price history is: not there, the number of rows so far, or 0. */
  historyEnd: "absent" | "rows" | "zero";
  /** The price history begins with its latest row. */
  historyNewestFirst: boolean;
  /** Prices of zero in the history, as cut data would have. */
  freePrices: boolean;
  /** Snapshots fail at their end. */
  failSnapshots: boolean;
  /** A deletion of a disk or a snapshot that is not there is ignored, as the documents say, or refused. */
  deletesUnknown: "ignore" | "refuse";
}

export const SWITCHES: Switches = {
  currency: "CNY",
  holdProvisioning: false,
  failCreations: 0,
  deletesPending: false,
  deletesTwice: "accept",
  account: "fine",
  vcpuQuota: 100_000,
  requestsPerMinute: 1_000_000,
  tokenLastsMs: Number.POSITIVE_INFINITY,
  refusesEd25519: false,
  tokenIsProcessing: false,
  stopsFreeByDefault: false,
  keepsCharging: null,
  reclaimsInHistory: false,
  silentMetadata: false,
  reclaimsWithoutLock: false,
  lockEndsWithStop: false,
  breaksProtection: false,
  restartsStopped: false,
  shownStatus: null,
  clockAheadMs: 0,
  historyPage: 100,
  historyEnd: "absent",
  historyNewestFirst: false,
  freePrices: false,
  failSnapshots: false,
  deletesUnknown: "ignore",
};
