import { setMaxListeners } from "node:events";
import { proxyFor } from "./proxy.ts";

/** One HTTP exchange. Redirects are never followed and nothing is retried here: that is the caller's decision. */
export interface HttpRequest {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** Path with query, e.g. `/v1/instances?limit=100`. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly signal: AbortSignal;
}

export interface HttpResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface HttpClient {
  /** @throws HttpFailure, and nothing else. */
  send(request: HttpRequest): Promise<HttpResponse>;
  close(): Promise<void>;
}

/**
 * Thrown when no complete answer came. `sent: false` means that not one byte of the request was written (no connection was
 * made, its certificate was refused, the signal fired before); `sent: true` means that nobody knows.
 */
export class HttpFailure extends Error {
  readonly sent: boolean;
  /** The system's, the library's or our own code, e.g. `ECONNRESET`; empty when there is none. */
  readonly code: string;
  constructor(message: string, sent: boolean, cause: unknown, code = "") {
    super(message, { cause });
    this.name = "HttpFailure";
    this.sent = sent;
    this.code = code;
  }
}

/** OpenSSL's and Node's words for a certificate that does not hold: the handshake failed, so no request was sent. */
const CERTIFICATE = /CERT|SELF_SIGNED|UNABLE_TO_VERIFY|UNABLE_TO_GET_ISSUER|^ERR_TLS_|^ERR_SSL_/;
const LARGEST_BODY_BYTES = 64 * 1024 * 1024;
/** Of an error's body nobody reads more than this. */
const LARGEST_ERROR_BYTES = 256 * 1024;
const CONNECT_WITHIN_MS = 10_000;
/**
 * How long one of a host's addresses may take before the next is tried. Node's own 250 ms are less than a packet needs to
 * the other side of the world and back.
 */
const NEXT_ADDRESS_AFTER_MS = 2_500;

/** Our own codes: the answer came, but cannot be used. */
const BODY_TOO_LARGE = "BODY_TOO_LARGE";
const BODY_ENCODED = "BODY_ENCODED";

function errorCode(error: unknown): string {
  if (error instanceof Error && "code" in error && typeof error.code === "string") return error.code;
  if (error instanceof Error && error.cause !== undefined) return errorCode(error.cause);
  return "";
}

/** What happened. Where several addresses were tried, each has a failure of its own, and together they have no words. */
function wordsOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.message !== "") return error.message;
  const first: unknown = error instanceof AggregateError ? error.errors[0] : error.cause;
  return first === undefined ? errorCode(error) || error.name : wordsOf(first);
}

/** The words of an error and where it arose. Libraries hang sockets, received bytes and whole URLs on theirs: those stay behind. */
function plainCause(error: unknown): Error {
  const plain = new Error(wordsOf(error));
  if (error instanceof Error) {
    plain.name = error.name;
    if (error.stack !== undefined) plain.stack = error.stack;
  }
  return plain;
}

/** True when the server's certificate was refused. */
export function isCertificateFailure(error: HttpFailure): boolean {
  return CERTIFICATE.test(error.code);
}

/** True when an answer came that cannot be used: too large, or in an encoding that was not asked for. */
export function isUnusableAnswer(error: HttpFailure): boolean {
  return error.code === BODY_TOO_LARGE || error.code === BODY_ENCODED;
}

export interface HttpClientOptions {
  readonly socketPath?: string;
  /** How many requests may be under way at once; 1 unless told. */
  readonly connections?: number;
  /** Where `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` are looked up; without it no proxy is used. */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

type Undici = typeof import("undici");
type Dispatcher = import("undici").Dispatcher;
type Controller = import("undici").Dispatcher.DispatchController;
type Handler = import("undici").Dispatcher.DispatchHandler;

function unusable(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}

/** Connections to one origin, through the proxy that the environment names for it. */
export async function connect(undici: Undici, origin: string, options: HttpClientOptions): Promise<Dispatcher> {
  const { Pool } = undici;
  const common = { pipelining: 1, connections: options.connections ?? 1, connectTimeout: CONNECT_WITHIN_MS };
  if (options.socketPath !== undefined) return new Pool(origin, { ...common, socketPath: options.socketPath });
  const proxy = options.env === undefined ? undefined : proxyFor(origin, options.env);
  if (proxy === undefined)
    return new Pool(origin, { ...common, autoSelectFamily: true, autoSelectFamilyAttemptTimeout: NEXT_ADDRESS_AFTER_MS });
  const { tunnelThrough } = await import("./tunnel.ts");
  return new Pool(origin, { ...common, connect: await tunnelThrough(undici, proxy, CONNECT_WITHIN_MS) });
}

interface Reception {
  /** True when nobody needs to read on. @throws Error when the body is larger than anybody reads. */
  take(chunk: Buffer): boolean;
  response(): HttpResponse;
}

/**
 * Reads an answer up to a limit: of an error its beginning is enough, of anything else everything or nothing.
 * @throws Error for a body that is said to be too large, or in an encoding that was not asked for.
 */
function reception(status: number, raw: Readonly<Record<string, string | string[] | undefined>>): Reception {
  const isError = status >= 400;
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(raw)) if (value !== undefined) headers[name] = String(value);
  const tooLarge = () => unusable(BODY_TOO_LARGE, `the answer is larger than ${LARGEST_BODY_BYTES} bytes`);
  const encoding = (headers["content-encoding"] ?? "").trim().toLowerCase();
  if (encoding !== "" && encoding !== "identity" && !isError)
    throw unusable(BODY_ENCODED, "the answer is in an encoding that was not asked for");
  if (!isError && Number(headers["content-length"] ?? 0) > LARGEST_BODY_BYTES) throw tooLarge();
  const chunks: Buffer[] = [];
  let bytes = 0;
  return {
    take(chunk) {
      bytes += chunk.length;
      if (!isError && bytes > LARGEST_BODY_BYTES) throw tooLarge();
      chunks.push(chunk);
      return isError && bytes > LARGEST_ERROR_BYTES;
    },
    // Decoded as a whole: a character may lie across two chunks.
    response: () => ({ status, headers, body: Buffer.concat(chunks).toString("utf8") }),
  };
}

/** Sends one request over an open client and reads the answer. @throws HttpFailure */
function exchange(client: Dispatcher, origin: string, request: HttpRequest): Promise<HttpResponse> {
  const { method, path, headers, body, signal } = request;
  return new Promise((resolve, reject) => {
    let controller: Controller | undefined;
    let answer: Reception | undefined;
    const end = () => signal.removeEventListener("abort", stop);
    const fail = (error: unknown) => {
      end();
      reject(new HttpFailure(wordsOf(error), controller !== undefined, plainCause(error), errorCode(error)));
    };
    const stop = () => {
      fail(signal.reason);
      // Before the connection stands there is nothing to break off; the request is turned away when its turn comes.
      controller?.abort(new Error("stopped"));
    };
    const orFail = (work: () => void) => {
      try {
        work();
      } catch (error) {
        fail(error);
        controller?.abort(new Error("stopped"));
      }
    };
    if (signal.aborted) return fail(signal.reason);
    // As many requests as there are machines may listen to one Ctrl-C; Node takes eleven of them for a leak.
    setMaxListeners(0, signal);
    signal.addEventListener("abort", stop, { once: true });
    const options = { origin, method, path, headers: { ...headers }, body: body ?? null };
    const handler: Handler = {
      onRequestStart(started) {
        if (signal.aborted) started.abort(new Error("stopped"));
        else controller = started;
      },
      onResponseStart: (_, status, given) =>
        orFail(() => {
          if (status >= 200) answer = reception(status, given);
        }),
      onResponseData: (started, chunk) =>
        orFail(() => {
          if (answer?.take(chunk) !== true) return;
          end();
          resolve(answer.response());
          started.abort(new Error("enough was read"));
        }),
      onResponseEnd() {
        end();
        if (answer !== undefined) resolve(answer.response());
      },
      onResponseError: (_, error) => fail(error),
    };
    orFail(() => void client.dispatch(options, handler));
  });
}

/** A client for one origin, over TCP or, with `socketPath`, over a Unix socket. undici is loaded on the first request. */
export function httpClient(origin: string, options: HttpClientOptions = {}): HttpClient {
  let opened: Promise<Dispatcher> | undefined;
  const open = () => {
    // undici is CommonJS: bundled, its names are found on the default export alone.
    opened ??= import("undici").then(({ default: undici }) => connect(undici, origin, options));
    return opened;
  };
  return {
    async send(request) {
      const client = await open().catch((error: unknown) => {
        throw new HttpFailure(wordsOf(error), false, plainCause(error), errorCode(error));
      });
      return exchange(client, origin, request);
    },
    async close() {
      const client = await opened?.catch(() => undefined);
      await client?.destroy();
    },
  };
}
