import * as v from "valibot";
import type { Clock } from "../platform/clock.ts";
import { deadline } from "../platform/clock.ts";
import {
  type HttpClient,
  HttpFailure,
  type HttpRequest,
  type HttpResponse,
  httpClient,
  isCertificateFailure,
  isUnusableAnswer,
} from "../platform/http.ts";
import { stripControl } from "../platform/terminal.ts";
import { blotted, secretsIn } from "./blot.ts";
import { CLOUD_ACCESS } from "./credentials.ts";
import { type FaultKind, ProviderError } from "./errors.ts";

/**
 * What a request does at the other side, which decides what a lost answer means.
 * `read`: nothing; it is asked again a few times. `change`: something; it is sent once, whatever its method.
 */
export type Effect = "read" | "change";

export interface CloudRequest {
  readonly method: HttpRequest["method"];
  /** Below the base URL, with its leading slash and without a query. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** Sent as a form instead. */
  readonly form?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly effect: Effect;
  readonly signal: AbortSignal;
}

export interface CloudAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** The body; our own secrets are blotted out of it, should the server echo them. */
  readonly text: string;
  /** What was asked, for messages: `GET /v1/instances`. */
  readonly asked: string;
  readonly effect: Effect;
}

export interface CloudHttp {
  /**
   * Resolves with whatever answer came, refusals included; the adapter's own table says what they mean.
   * @throws ProviderError `unavailable` when nothing was done, `ambiguous` when a change left and no answer came, `protocol`
   * when the answer cannot be read, `invalid-request` when the server redirects (credentials do not follow) or the request
   * cannot be sent as it is.
   */
  send(request: CloudRequest): Promise<CloudAnswer>;
  /** How far the server's clock is ahead of ours, in milliseconds, by its last `Date` header; 0 when it agrees or is not known. */
  clockOffsetMs(): number;
  close(): Promise<void>;
}

export interface CloudHttpOptions {
  readonly provider: string;
  /** With its path prefix, without a slash at the end. A bad URL is told at the first request. */
  readonly baseUrl: string;
  readonly clock: Clock;
  readonly env: Readonly<Record<string, string | undefined>>;
  /**
   * Headers of a request, the credential among them; may fetch a token first. Asked anew for every time that the request is
   * sent, so that a signature over it is always fresh.
   */
  headers(signal: AbortSignal, request: CloudRequest): Promise<Readonly<Record<string, string>>> | Readonly<Record<string, string>>;
  /** What must never be shown, whoever says it. */
  secrets(): readonly string[];
}

const CONNECTIONS = 6;
/** One read is given so long, and a read that fails is sent so many more times, after these waits. */
const READ_WITHIN_MS = 30_000;
const CHANGE_WITHIN_MS = 55_000;
const READ_AGAIN_AFTER_MS = [200, 800];
/** A clock this near is the same clock: the header has whole seconds. */
const SAME_CLOCK_MS = 5_000;
const LONGEST_QUOTE = 300;
/** Nobody waits longer because a server says so; a figure past a month would overflow a timer, too. */
const LONGEST_WAIT_MS = 60 * 60 * 1000;
/** Some clouds' gateways refuse clients that do not say who they are. Answers are read as they come: no encoding. */
const OWN_HEADERS = { accept: "application/json", "accept-encoding": "identity", "user-agent": "spot-fleet" };
/** The status with which a server says that it has done it, and that the answer is to be fetched elsewhere. */
const SEE_OTHER = 303;

function queryText(query: CloudRequest["query"]): string {
  const text = new URLSearchParams();
  for (const [key, value] of Object.entries(query ?? {})) if (value !== undefined) text.append(key, String(value));
  return text.size === 0 ? "" : `?${text}`;
}

/** The URL, or null when it is none that a cloud can be reached by. */
function cloudUrl(text: string): URL | null {
  try {
    const url = new URL(text);
    return ["http:", "https:"].includes(url.protocol) ? url : null;
  } catch {
    return null;
  }
}

function bodyOf({ form, body }: CloudRequest): { readonly text: string; readonly type: string } | undefined {
  if (form !== undefined) return { text: new URLSearchParams(form).toString(), type: "application/x-www-form-urlencoded" };
  return body === undefined ? undefined : { text: JSON.stringify(body), type: "application/json" };
}

/** Some words of a server, short and harmless enough for a message. */
export function quoted(text: string): string {
  const plain = stripControl(text).replaceAll(/\s+/g, " ").trim();
  return plain.length > LONGEST_QUOTE ? `${plain.slice(0, LONGEST_QUOTE)}…` : plain;
}

/**
 * The `Retry-After` of an answer in milliseconds: seconds or a date (RFC 9110, 10.2.3); null without one. A date is read by
 * the clock of whoever wrote it. An hour at most.
 */
export function retryAfterMs(answer: Pick<CloudAnswer, "headers">, now: number): number | null {
  const text = (answer.headers["retry-after"] ?? "").trim();
  const bounded = (ms: number) => Math.min(LONGEST_WAIT_MS, Math.max(0, ms));
  if (/^\d+(\.\d+)?$/.test(text)) return bounded(Number(text) * 1000);
  const at = text === "" || /^[\d.+-]/.test(text) ? Number.NaN : Date.parse(text);
  if (Number.isNaN(at)) return null;
  const theirNow = Date.parse(answer.headers["date"] ?? "");
  return bounded(at - (Number.isNaN(theirNow) ? now : theirNow));
}

/** What it means that no answer came, or none that can be read. */
function unanswered(
  provider: string,
  error: HttpFailure,
  effect: Effect,
  asked: string,
  origin: string,
  safe: (text: string) => string,
): ProviderError {
  const { code, sent } = error;
  const why = quoted(safe(error.message));
  const fault = (kind: "protocol" | "invalid-request" | "ambiguous" | "unavailable", said: string) =>
    new ProviderError(provider, { kind }, said, code === "" ? null : code, error);
  if (isUnusableAnswer(error)) return fault("protocol", `${asked}: ${why}`);
  if (isCertificateFailure(error) && !sent)
    return fault(
      "unavailable",
      `the certificate of ${origin} does not verify (${code}); nothing was sent. NODE_EXTRA_CA_CERTS names the certificate of an authority of one's own`,
    );
  if (code === "UND_ERR_INVALID_ARG" && !sent)
    return fault("invalid-request", `${asked} cannot be sent (${why}): is there a line break or a strange character in the credentials?`);
  if (effect === "change" && sent) return fault("ambiguous", `${asked} brought no answer (${why}); it may have been done`);
  return fault("unavailable", `${asked} was not answered: ${why}`);
}

/** Redirects are not followed. `location`: where to, with our secrets blotted out. */
function redirected(provider: string, request: CloudRequest, status: number, origin: string, location: string): ProviderError {
  const done = status === SEE_OTHER && request.effect === "change";
  return new ProviderError(
    provider,
    { kind: done ? "ambiguous" : "invalid-request" },
    `${origin} redirects to ${location === "" ? "somewhere" : quoted(location)}, which is not followed: credentials stay with the address they were given for`,
    `http-${status}`,
  );
}

/** The variable that moves a cloud's endpoint, for messages. */
function endpointVariable(provider: string): string {
  return CLOUD_ACCESS.find((access) => access.provider === provider)?.endpoint.variable ?? "the endpoint";
}

export function cloudHttp(options: CloudHttpOptions): CloudHttp {
  const { provider, clock } = options;
  let client: HttpClient | undefined;
  let offsetMs = 0;
  const base = () => {
    const url = cloudUrl(options.baseUrl);
    if (url === null)
      throw new ProviderError(
        provider,
        { kind: "invalid-request" },
        `${endpointVariable(provider)} is not a URL: ${JSON.stringify(options.baseUrl)}`,
      );
    client ??= httpClient(url.origin, { connections: CONNECTIONS, env: options.env });
    return { client, prefix: url.pathname.replace(/\/$/, ""), origin: url.origin };
  };
  const once = async (request: CloudRequest, asked: string): Promise<CloudAnswer> => {
    const { client: http, prefix, origin } = base();
    if (request.signal.aborted)
      throw new ProviderError(provider, { kind: "unavailable" }, "stopped before it was sent", null, request.signal.reason);
    const limit = deadline(request.signal, request.effect === "read" ? READ_WITHIN_MS : CHANGE_WITHIN_MS);
    let sentSecrets: readonly string[] = [];
    const safe = (text: string) => blotted(text, [...options.secrets(), ...sentSecrets]);
    try {
      const body = bodyOf(request);
      const own = await options.headers(limit.signal, request);
      const headers = { ...OWN_HEADERS, ...own, ...(body === undefined ? {} : { "content-type": body.type }), ...request.headers };
      sentSecrets = secretsIn(headers);
      const path = `${prefix}${request.path}${queryText(request.query)}`;
      const sent = { method: request.method, path, headers, signal: limit.signal };
      const response: HttpResponse = await http.send(body === undefined ? sent : { ...sent, body: body.text });
      const date = Date.parse(response.headers["date"] ?? "");
      if (!Number.isNaN(date)) offsetMs = Math.abs(date - clock.now()) < SAME_CLOCK_MS ? 0 : date - clock.now();
      const { status } = response;
      if (status >= 300 && status < 400) throw redirected(provider, request, status, origin, safe(response.headers["location"] ?? ""));
      return { status, headers: response.headers, text: safe(response.body), asked, effect: request.effect };
    } catch (error) {
      throw error instanceof HttpFailure ? unanswered(provider, error, request.effect, asked, origin, safe) : error;
    } finally {
      limit.done();
    }
  };
  return {
    async send(request) {
      const asked = `${request.method} ${request.path}`;
      for (let attempt = 0; ; attempt++) {
        const wait = request.effect === "read" ? READ_AGAIN_AFTER_MS[attempt] : undefined;
        try {
          const answer = await once(request, asked);
          if (answer.status < 500 || wait === undefined) return answer;
        } catch (error) {
          const again = error instanceof ProviderError && error.fault.kind === "unavailable" && !request.signal.aborted;
          if (!again || wait === undefined) throw error;
        }
        await clock.sleep(wait, request.signal).catch((error: unknown) => {
          throw new ProviderError(provider, { kind: "unavailable" }, `stopped while waiting to ask ${asked} again`, null, error);
        });
      }
    },
    clockOffsetMs: () => offsetMs,
    close: async () => client?.close(),
  };
}

/** The JSON of an answer; undefined for an empty body. @throws ProviderError `protocol` for anything else. */
export function jsonOf(provider: string, answer: CloudAnswer): unknown {
  if (answer.text.trim() === "") return undefined;
  try {
    return JSON.parse(answer.text);
  } catch (error) {
    throw new ProviderError(
      provider,
      { kind: "protocol" },
      `${answer.asked} was answered with something other than JSON: ${quoted(answer.text)}`,
      `http-${answer.status}`,
      error,
    );
  }
}

/** An answer's JSON in the shape that is read from it. @throws ProviderError `protocol` that names the first field that differs. */
export function parsed<Schema extends v.GenericSchema>(provider: string, schema: Schema, answer: CloudAnswer): v.InferOutput<Schema> {
  const result = v.safeParse(schema, jsonOf(provider, answer));
  if (result.success) return result.output;
  const [issue] = result.issues;
  const where = v.getDotPath(issue);
  throw new ProviderError(
    provider,
    { kind: "protocol" },
    `unexpected answer to ${answer.asked}: ${where === null ? "" : `${where}: `}${quoted(issue.message)}`,
  );
}

/** A refusal in words of HTTP alone, for what an adapter's own table does not know. `message`: what the server said. */
export function refusalByStatus(
  provider: string,
  answer: CloudAnswer,
  message: string,
  rawCode: string | null,
  now: number,
): ProviderError {
  const raw = rawCode ?? `http-${answer.status}`;
  const said = message === "" ? `${answer.asked} was answered with HTTP ${answer.status}` : quoted(message);
  const fault = (kind: Exclude<FaultKind, "no-capacity" | "rate-limited">) => new ProviderError(provider, { kind }, said, raw);
  switch (answer.status) {
    case 401:
    case 403:
      return fault("auth");
    case 404:
    case 410:
      return fault("not-found");
    case 402:
      return fault("quota");
    case 409:
      return fault("conflict");
    // The server gave up waiting for the request, or wants it sent again: it has not looked at it.
    case 408:
    case 425:
      return fault("unavailable");
    case 429:
      return new ProviderError(provider, { kind: "rate-limited", retryAfterMs: retryAfterMs(answer, now) }, said, raw);
  }
  // A server that broke down, or a gateway before it, may have done it all the same.
  if (answer.status >= 500) return fault(answer.effect === "change" ? "ambiguous" : "unavailable");
  return fault(answer.status >= 400 ? "invalid-request" : "protocol");
}
