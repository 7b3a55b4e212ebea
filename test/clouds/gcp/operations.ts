import { Refusal } from "./refusal.ts";
import { fullName, type Operation, type OperationError, type Scope, type Site } from "./site.ts";

export interface OperationOrder {
  readonly scope: Scope;
  readonly operationType: string;
  /** Path below `projects/{p}/`. */
  readonly target: string;
  readonly targetId: string;
}

export const USER = "spot-tests@spot-tests-1.iam.gserviceaccount.com";

/** An operation in PENDING; it comes to RUNNING by itself, and to DONE by `finish`. */
export function begin(site: Site, order: OperationOrder): Operation {
  const id = site.nextId();
  const operation: Operation = {
    id,
    name: `operation-${site.time()}-${Number(BigInt(id) % 0xffffffffn).toString(16)}-${site.operations.length.toString(16)}`,
    scope: order.scope,
    operationType: order.operationType,
    user: USER,
    target: order.target,
    targetId: order.targetId,
    clientOperationId: null,
    insertTime: site.time(),
    startTime: null,
    endTime: null,
    status: "PENDING",
    statusMessage: null,
    errors: [],
    httpError: null,
  };
  site.operations.push(operation);
  site.later(operation, site.delays.pendingMs, () => run(site, operation));
  return operation;
}

function run(site: Site, operation: Operation): void {
  if (operation.status !== "PENDING") return;
  operation.status = "RUNNING";
  operation.startTime = site.time();
}

export interface Failure {
  readonly code: string;
  readonly message: string;
  readonly httpStatus: number;
  readonly errorDetails?: readonly unknown[];
}

/** DONE, well or with an error. The second end of an operation changes nothing. */
export function finish(site: Site, operation: Operation, failure?: Failure): void {
  if (operation.status === "DONE") return;
  run(site, operation);
  operation.status = "DONE";
  operation.endTime = site.time();
  if (failure === undefined) return;
  const { code, message, errorDetails } = failure;
  const error: OperationError = errorDetails === undefined ? { code, message } : { code, message, errorDetails };
  operation.errors = [error];
  operation.httpError = { status: failure.httpStatus, message: HTTP_WORDS[failure.httpStatus] ?? "ERROR" };
}

const HTTP_WORDS: Readonly<Record<number, string>> = {
  400: "BAD REQUEST",
  403: "FORBIDDEN",
  404: "NOT FOUND",
  409: "CONFLICT",
  429: "TOO MANY REQUESTS",
  503: "SERVICE UNAVAILABLE",
};

/** What the cloud does by itself is written down as an operation that is over. */
export function systemEvent(site: Site, operationType: string, scope: Scope, target: string, targetId: string, words: string): Operation {
  const id = site.nextId();
  const now = site.time();
  const operation: Operation = {
    id,
    name: `systemevent-${now}-${Number(BigInt(id) % 0xffffffffn).toString(16)}-${site.operations.length.toString(16)}`,
    scope,
    operationType,
    user: "system",
    target,
    targetId,
    clientOperationId: null,
    insertTime: now,
    startTime: now,
    endTime: now,
    status: "DONE",
    statusMessage: words,
    errors: [],
    httpError: null,
  };
  site.operations.push(operation);
  return operation;
}

/** Those that can still be asked for. */
export function knownOperations(site: Site): readonly Operation[] {
  if (site.switches.losesOperations) return [];
  const since = site.time() - site.delays.operationKeptMs;
  return site.operations.filter(({ endTime }) => endTime === null || endTime >= since);
}

export function operationOf(site: Site, scope: Scope, name: string): Operation {
  const operation = knownOperations(site).find((one) => one.scope === scope && (one.name === name || one.id === name));
  if (operation !== undefined) return operation;
  throw new Refusal(404, "notFound", `The resource '${fullName(`${scope}/operations/${name}`)}' was not found`);
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const ZEROS = "00000000-0000-0000-0000-000000000000";

/** @throws Refusal for what is no UUID, and for the UUID of zeros. */
export function checkRequestId(requestId: string | null): void {
  if (requestId === null || (UUID.test(requestId) && requestId !== ZEROS)) return;
  throw new Refusal(400, "invalid", `Invalid value for field 'requestId': '${requestId}'. Must be a valid, non-zero UUID`);
}

/** The first operation of a request that is repeated. */
export function remembered(site: Site, key: string): Operation | undefined {
  const found = site.requestIds.get(key);
  if (found === undefined || site.time() - found.at > site.delays.requestIdMs) return undefined;
  const hasFailed = found.operation.errors.length > 0;
  return hasFailed && site.switches.requestIdAfterFailure === "again" ? undefined : found.operation;
}
