/** An answer of the cloud that says no. The code decides, not the status. */
export class Refusal extends Error {
  readonly status: number;
  readonly code: string;
  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

export const invalid = (name: string): Refusal =>
  new Refusal(400, `InvalidParameter.${name}`, `The specified parameter "${name}" is not valid.`);

export const missing = (name: string): Refusal =>
  new Refusal(400, "MissingParameter", `The input parameter "${name}" that is mandatory for processing this request is not supplied.`);

export const notFound = (kind: string, what: string): Refusal =>
  new Refusal(404, `Invalid${kind}.NotFound`, `The specified ${what} does not exist.`);

export const wrongInstanceStatus = (suffix = ""): Refusal =>
  new Refusal(403, `IncorrectInstanceStatus${suffix}`, "The current status of the resource does not support this operation.");

export const wrongDiskStatus = (): Refusal =>
  new Refusal(403, "IncorrectDiskStatus", "The operation is not supported in this disk status.");

export const noStock = (): Refusal =>
  new Refusal(
    403,
    "OperationDenied.NoStock",
    "The requested resource is sold out in the specified zone; try other types of resources or other regions and zones.",
  );

export const bidTooLow = (): Refusal =>
  new Refusal(403, "OperationDenied.SpotPriceLowerThanPublicPrice", "The specified spot price is lower than the current market price.");
