/** In which words an API that documents no error body says no. */
export type RefusalShape = "full" | "message" | "error" | "text" | "empty";

/** How this imitation behaves; each switch is a conflict or an unknown of the documents, or a bad day. Milliseconds of its clock. */
export interface PpioSettings {
  readonly vendor: "ppio" | "novita";
  /** How long a new instance stays in each status before it runs. The bill begins with `pulling`. */
  readonly toCreateMs: number;
  readonly creatingMs: number;
  readonly pullingMs: number;
  /** From the wish to the deed, for stop, start, restart and delete each: half of it as `to…`, half as `…ing`. */
  readonly verbMs: number;
  /** How long an instance that is removed is still shown, as `removed`. */
  readonly removedShownMs: number;
  /** How long after it runs the SSH component is up. */
  readonly sshAfterMs: number;
  /** No notice is given to an instance younger than this. One hour at the real one. */
  readonly protectionMs: number;
  readonly reclaimingMs: number;
  /** What is left of a reclaimed instance: nothing, or one of the two other ends that the sources tell of. */
  readonly reclaimedAs: "gone" | "terminated" | "exited";
  readonly firstPage: 0 | 1;
  /** However many rows are asked for, a page has no more. */
  readonly largestPage: number;
  /** Instances move between the pages of a list while it is walked. */
  readonly itemsMove: boolean;
  readonly pricesAs: "number" | "string";
  /** How a product names its clusters. Novita changed from codes to names, which a client of it tells; a code is no id there. */
  readonly regionsAs: "ids" | "codes" | "names" | "words";
  readonly emptyBodies: boolean;
  readonly startSaysState: boolean;
  readonly notFoundStatus: 400 | 404;
  readonly refusals: RefusalShape;
  /** Every instance made from now on fails like this, its status staying harmless. */
  readonly failCreate: { readonly state: string; readonly message: string } | null;
  /** A start is answered with "invalid state change" and happens all the same. */
  readonly startRace: boolean;
  readonly instanceLimit: number;
  readonly balanceUsedUp: boolean;
  readonly keepDataDays: number;
  /** Shown instead of every instance's own. */
  readonly statusWord: string | null;
  readonly spotStatusWord: string | null;
  /** Whether the search by name has caught up with what was made. */
  readonly namesFound: boolean;
  /** Where it is told when instances were made, started and stopped: PPIO's page of the details has it, clients saw it in lists. */
  readonly timesTold: "nowhere" | "details" | "everywhere";
  /** PPIO's page of the list shows no `total`. */
  readonly totalTold: boolean;
  /** What becomes of `command`: words as a shell has them, or one argument of `sh -c`. */
  readonly commandIs: "words" | "shell";
  /** Deleting what runs is refused until it has been stopped. */
  readonly deleteNeedsStop: boolean;
}

/** What the two vendors' own pages differ in. */
export const VENDOR_SETTINGS: Readonly<Record<PpioSettings["vendor"], Partial<PpioSettings>>> = {
  ppio: { vendor: "ppio", timesTold: "details", totalTold: false },
  novita: { vendor: "novita", timesTold: "everywhere", totalTold: true, regionsAs: "names" },
};

export const PPIO_SETTINGS: PpioSettings = {
  vendor: "ppio",
  toCreateMs: 10,
  creatingMs: 10,
  pullingMs: 15,
  verbMs: 20,
  removedShownMs: 0,
  sshAfterMs: 10,
  protectionMs: 0,
  reclaimingMs: 10,
  reclaimedAs: "gone",
  firstPage: 1,
  largestPage: 100,
  itemsMove: false,
  pricesAs: "string",
  regionsAs: "ids",
  emptyBodies: false,
  startSaysState: false,
  notFoundStatus: 400,
  refusals: "full",
  failCreate: null,
  startRace: false,
  instanceLimit: 1_000_000,
  balanceUsedUp: false,
  keepDataDays: 7,
  statusWord: null,
  spotStatusWord: null,
  namesFound: true,
  timesTold: "everywhere",
  totalTold: true,
  commandIs: "words",
  deleteNeedsStop: false,
};
