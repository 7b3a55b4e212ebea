/** What may be different about this EC2: what the documents leave open, and what goes wrong. The default is the plain reading. */
export interface AwsSwitches {
  /** The most rows of any page, whatever `MaxResults` says; EC2 may always give fewer. */
  pageSize: number;
  /** The same for the history of prices, which is long. */
  historyPageSize: number;
  /** The first page of every list is empty and carries a token. */
  emptyFirstPage: boolean;
  /** What is launched from now on stays `pending`. */
  holdPending: boolean;
  /** Shown in the place of every instance's state. */
  stateWord: string | null;
  /** Added to every state code: the high byte is EC2's own business, and whoever reads a code must mask it away. */
  stateHighByte: number;
  /** Added to the `Date` header and to every time that is told, in milliseconds. */
  skewMs: number;
  /** How far the date of a request may be from the server's clock, in milliseconds. */
  skewToleranceMs: number;
  /** So many questions for an id that was just made are answered with its `…NotFound`. */
  notFoundFirst: number;
  /** A new instance, volume or spot request is missing from lists for so long, in milliseconds. */
  listedAfterMs: number;
  /** Launches are accepted, and end with `Server.InsufficientInstanceCapacity` while they are pending. */
  capacityRunsOutLater: boolean;
  /** Every launch is refused so. */
  refuseLaunch: { readonly status: number; readonly code: string; readonly message: string } | null;
  /** Zones in which the account has no default subnet. */
  zonesWithoutSubnet: readonly string[];
  /** The vCPUs that spot machines of a region may have together. */
  spotVcpuQuota: number;
  /** A pool without stock has no price in the history either; EC2 says nothing of stock, so this is a fancy. */
  soldOutHasNoPrice: boolean;
  /** Requests of one second and one action in one region, by the clock; EC2 refills 20 for reads. Above it 503 `RequestLimitExceeded`. Null: nobody is limited. */
  requestsPerSecond: number | null;
  /** Refused with `UnauthorizedOperation`. */
  deniedActions: readonly string[];
  /** The first answer of a launch has no `spotInstanceRequestId` yet. */
  requestIdLater: boolean;
  /** How long a `ClientToken` is remembered, in milliseconds; EC2's documents do not say. */
  tokenMemoryMs: number;
  /** A machine that EC2 launches anew for an open persistent request has the tags of the first one. Nobody says. */
  relaunchKeepsTags: boolean;
  /** When temporary credentials expire, epoch milliseconds; null: not yet. */
  credentialsExpireAt: number | null;
  /** Regions that this account has; each costs every client of it a request. */
  regions: readonly string[];
  /** Regions that do not answer. */
  silentRegions: readonly string[];
}

export const DEFAULT_SWITCHES: AwsSwitches = {
  pageSize: 10,
  historyPageSize: 100,
  emptyFirstPage: false,
  holdPending: false,
  stateWord: null,
  stateHighByte: 0,
  skewMs: 0,
  skewToleranceMs: 5 * 60_000,
  notFoundFirst: 0,
  listedAfterMs: 0,
  capacityRunsOutLater: false,
  refuseLaunch: null,
  zonesWithoutSubnet: [],
  spotVcpuQuota: 100_000,
  soldOutHasNoPrice: false,
  requestsPerSecond: null,
  deniedActions: [],
  requestIdLater: false,
  tokenMemoryMs: 24 * 3_600_000,
  relaunchKeepsTags: false,
  credentialsExpireAt: null,
  regions: ["us-east-1", "eu-west-1"],
  silentRegions: [],
};

/** How long states last, in milliseconds. */
export interface AwsDelays {
  readonly pending: number;
  readonly stopping: number;
  readonly shuttingDown: number;
  /** Until a terminated instance is forgotten. */
  readonly remembered: number;
  readonly volumeCreating: number;
  readonly attaching: number;
  readonly detaching: number;
  readonly snapshot: number;
  /** From the end of an instance to the next one of its open persistent request. */
  readonly relaunch: number;
  /** From a reclaim by stop until EC2 starts the instance again, stock permitting. */
  readonly restart: number;
}

export const DEFAULT_DELAYS: AwsDelays = {
  pending: 30,
  stopping: 20,
  shuttingDown: 20,
  remembered: 3_600_000,
  volumeCreating: 10,
  attaching: 10,
  detaching: 10,
  snapshot: 30,
  relaunch: 60,
  restart: 60_000,
};
