import type { FakeAnswer } from "../fake-server.ts";

/** An HTTP error of Compute Engine: the status, `errors[0].reason`, the message. */
export class Refusal extends Error {
  readonly status: number;
  readonly reason: string;
  readonly headers: Readonly<Record<string, string>>;
  constructor(status: number, reason: string, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(message);
    this.status = status;
    this.reason = reason;
    this.headers = headers;
  }
}

export const invalid = (message: string): Refusal => new Refusal(400, "invalid", message);
export const badRequest = (message: string): Refusal => new Refusal(400, "badRequest", message);
export const notFound = (resource: string): Refusal => new Refusal(404, "notFound", `The resource '${resource}' was not found`);
export const alreadyExists = (resource: string): Refusal => new Refusal(409, "alreadyExists", `The resource '${resource}' already exists`);
export const notReady = (resource: string): Refusal => new Refusal(400, "resourceNotReady", `The resource '${resource}' is not ready`);

const STATUS_WORDS: Readonly<Record<number, string>> = {
  400: "INVALID_ARGUMENT",
  401: "UNAUTHENTICATED",
  403: "PERMISSION_DENIED",
  404: "NOT_FOUND",
  409: "ALREADY_EXISTS",
  412: "FAILED_PRECONDITION",
  429: "RESOURCE_EXHAUSTED",
  503: "UNAVAILABLE",
};

/** The error body as Google's APIs write it; `status` is not always there. */
export function refused({ status, reason, message, headers }: Refusal): FakeAnswer {
  const word = STATUS_WORDS[status];
  const error = {
    code: status,
    message,
    errors: [{ message, domain: reason === "rateLimitExceeded" || reason === "quotaExceeded" ? "usageLimits" : "global", reason }],
    ...(word === undefined || (status !== 401 && status !== 403) ? {} : { status: word }),
  };
  return { status, headers, body: { error } };
}
