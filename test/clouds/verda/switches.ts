/** What the vendor's documents leave open or call a quirk, each as a switch: the default is the plain reading. */
export interface VerdaSwitches {
  /** Life of an access token in seconds. */
  tokenSeconds: number;
  /** Token requests in JSON are refused, as staging servers do. */
  formTokensOnly: boolean;
  /** False: refresh tokens are refused, so that the client has to authenticate again. */
  honourRefresh: boolean;
  /** How an id is answered after a create. */
  idForm: "plain" | "quoted" | "object";
  /** Which parameter asks for spot; the other one is ignored silently. */
  spotParameter: "is_spot" | "isSpot";
  /** Unlisted query parameters are refused with 400. */
  strictQuery: boolean;
  /** Null: nobody is limited. */
  limits: { readonly project: number; readonly route: number } | null;
  retryAfter: "seconds" | "date" | "none";
  /** What deletes a volume for good; `nothing`: whatever is asked, it goes to the trash. */
  permanentBy: "put" | "delete-body" | "delete-query" | "nothing";
  /** Creates are accepted and come to nothing later, at once or after a while in `pending`. */
  noCapacityLater: "never" | "at-once" | "after-pending";
  /** What came to nothing can be deleted like any other instance; otherwise it stays as it is. */
  deletesNoCapacity: boolean;
  /** What is created from now on stays in this state. */
  holdAt: "ordered" | "provisioning" | null;
  /** Shown instead of every instance's status. */
  statusWord: string | null;
  /** HTTP status of "Invalid instance id". */
  invalidIdStatus: 400 | 404;
  /** How the failure of a single action is told: as an error, or as 207 with one row. */
  oneFailure: "status" | "partial";
  /** Errors come as plain text. */
  errorsAsText: boolean;
  /** Added to every time that is told, and to the `Date` header, in milliseconds. */
  skewMs: number;
}

export const DEFAULT_SWITCHES: VerdaSwitches = {
  tokenSeconds: 600,
  formTokensOnly: false,
  honourRefresh: true,
  idForm: "plain",
  spotParameter: "is_spot",
  strictQuery: false,
  limits: null,
  retryAfter: "seconds",
  permanentBy: "put",
  noCapacityLater: "never",
  deletesNoCapacity: true,
  holdAt: null,
  statusWord: null,
  invalidIdStatus: 400,
  oneFailure: "status",
  errorsAsText: false,
  skewMs: 0,
};

/** How long things take, in milliseconds. */
export interface VerdaDelays {
  readonly ordered: number;
  readonly provisioning: number;
  readonly validating: number;
  readonly pending: number;
  readonly shutdown: number;
  readonly deleting: number;
  /** How long a discontinued instance can still be asked for by its id. */
  readonly remembered: number;
  /** How long a deleted volume lies in the trash. */
  readonly trash: number;
}

export const DEFAULT_DELAYS: VerdaDelays = {
  ordered: 15,
  provisioning: 15,
  validating: 15,
  pending: 30,
  shutdown: 15,
  deleting: 15,
  remembered: 600_000,
  trash: 96 * 3_600_000,
};
