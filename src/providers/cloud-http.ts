import * as v from "valibot";
import type { Clock } from "../platform/clock.ts";
import { deadline } from "../platform/clock.ts";
import { type HttpClient, HttpFailure, type HttpRequest, type HttpResponse, httpClient, isCertificateFailure } from "../platform/http.ts";
import { stripControl } from "../platform/terminal.ts";
import { ProviderError } from "./errors.ts";

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
   * @throws ProviderError `unavailable` when nothing was done, `ambiguous` when a change left and no answer came,
   * `invalid-request` when the server redirects: credentials do not follow.
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
  /** Headers of every request, the credential among them; may fetch a token first. */
  headers(signal: AbortSignal): Promise<Readonly<Record<string, string>>> | Readonly<Record<string, string>>;
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
const SHORTEST_SECRET = 6;

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

function blotted(text: string, secrets: readonly string[]): string {
  let safe = text;
  for (const secret of secrets) if (secret.length >= SHORTEST_SECRET) safe = safe.replaceAll(secret, "[hidden]");
  return safe;
}

/** Some words of a server, short and harmless enough for a message. */
export function quoted(text: string): string {
  const plain = stripControl(text).replaceAll(/\s+/g, " ").trim();
  return plain.length > LONGEST_QUOTE ? `${plain.slice(0, LONGEST_QUOTE)}…` : plain;
}

/** The `Retry-After` of an answer in milliseconds: seconds or a date (RFC 9110, 10.2.3); null without one. */
export function retryAfterMs(answer: Pick<CloudAnswer, "headers">, now: number): number | null {
  const text = answer.headers["retry-after"];
  if (text === undefined || text.trim() === "") return null;
  const seconds = Number(text);
  if (Number.isFinite(seconds)) return Math.max(0, seconds * 1000);
  const at = Date.parse(text);
  return Number.isNaN(at) ? null : Math.max(0, at - now);
}

export function cloudHttp(options: CloudHttpOptions): CloudHttp {
  const { provider, clock } = options;
  let client: HttpClient | undefined;
  let offsetMs = 0;
  const base = () => {
    const url = cloudUrl(options.baseUrl);
    if (url === null) throw new ProviderError(provider, { kind: "invalid-request" }, `not a URL: ${JSON.stringify(options.baseUrl)}`);
    client ??= httpClient(url.origin, { connections: CONNECTIONS, env: options.env });
    return { client, prefix: url.pathname.replace(/\/$/, ""), origin: url.origin };
  };
  const fail = (error: unknown, request: CloudRequest, asked: string): unknown => {
    if (!(error instanceof HttpFailure)) return error;
    const lost = error.sent && request.effect === "change" && error.code !== "BODY_TOO_LARGE";
    const why = blotted(quoted(error.message), options.secrets());
    const said = isCertificateFailure(error)
      ? `the certificate of ${base().origin} does not verify (${error.code}); nothing was sent`
      : error.code === "BODY_TOO_LARGE"
        ? `${asked}: ${why}`
        : lost
          ? `${asked} brought no answer (${why}); it may have been done`
          : `${asked} was not answered: ${why}`;
    const kind = error.code === "BODY_TOO_LARGE" ? "protocol" : lost ? "ambiguous" : "unavailable";
    return new ProviderError(provider, { kind }, said, error.code === "" ? null : error.code, error);
  };
  const once = async (request: CloudRequest, asked: string): Promise<CloudAnswer> => {
    const { client: http, prefix, origin } = base();
    if (request.signal.aborted)
      throw new ProviderError(provider, { kind: "unavailable" }, "stopped before it was sent", null, request.signal.reason);
    const limit = deadline(request.signal, request.effect === "read" ? READ_WITHIN_MS : CHANGE_WITHIN_MS);
    try {
      const body = bodyOf(request);
      const response: HttpResponse = await http.send({
        method: request.method,
        path: `${prefix}${request.path}${queryText(request.query)}`,
        headers: {
          accept: "application/json",
          ...(await options.headers(limit.signal)),
          ...(body === undefined ? {} : { "content-type": body.type }),
          ...request.headers,
        },
        ...(body === undefined ? {} : { body: body.text }),
        signal: limit.signal,
      });
      const date = Date.parse(response.headers["date"] ?? "");
      if (!Number.isNaN(date)) offsetMs = Math.abs(date - clock.now()) < SAME_CLOCK_MS ? 0 : date - clock.now();
      if (response.status >= 300 && response.status < 400)
        throw new ProviderError(
          provider,
          { kind: "invalid-request" },
          `${origin} redirects to ${quoted(response.headers["location"] ?? "somewhere")}, which is not followed: credentials stay with the address they were given for`,
          `http-${response.status}`,
        );
      return {
        status: response.status,
        headers: response.headers,
        text: blotted(response.body, options.secrets()),
        asked,
        effect: request.effect,
      };
    } catch (error) {
      throw fail(error, request, asked);
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
  const fault = (kind: "auth" | "not-found" | "conflict" | "invalid-request" | "unavailable" | "ambiguous" | "protocol") =>
    new ProviderError(provider, { kind }, said, raw);
  switch (answer.status) {
    case 401:
    case 403:
      return fault("auth");
    case 404:
    case 410:
      return fault("not-found");
    case 409:
      return fault("conflict");
    case 429:
      return new ProviderError(provider, { kind: "rate-limited", retryAfterMs: retryAfterMs(answer, now) }, said, raw);
  }
  // A server that broke down, or a gateway before it, may have done it all the same.
  if (answer.status >= 500) return fault(answer.effect === "change" ? "ambiguous" : "unavailable");
  return fault(answer.status >= 400 ? "invalid-request" : "protocol");
}
