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
  send(request: HttpRequest): Promise<HttpResponse>;
  close(): Promise<void>;
}

/**
 * Thrown when no complete answer came. `sent: false` means that the server cannot have seen the request
 * (the connection was never made, or its certificate was refused); `sent: true` means that nobody knows.
 */
export class HttpFailure extends Error {
  readonly sent: boolean;
  /** The system's or the library's own code, e.g. `ECONNRESET`; empty when there is none. */
  readonly code: string;
  constructor(message: string, sent: boolean, cause: unknown, code = "") {
    super(message, { cause });
    this.name = "HttpFailure";
    this.sent = sent;
    this.code = code;
  }
}

const NEVER_CONNECTED = new Set([
  "ECONNREFUSED",
  "ENOENT",
  "ENOTDIR",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EACCES",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "UND_ERR_CONNECT_TIMEOUT",
]);
/** OpenSSL's and Node's words for a certificate that does not hold: the handshake failed, so no request was sent. */
const CERTIFICATE = /CERT|SELF_SIGNED|UNABLE_TO_VERIFY|UNABLE_TO_GET_ISSUER|^ERR_TLS_|^ERR_SSL_/;
const LARGEST_BODY_BYTES = 64 * 1024 * 1024;
/** Of an error's body nobody reads more than this. */
const LARGEST_ERROR_BYTES = 256 * 1024;

function errorCode(error: unknown): string {
  if (error instanceof Error && "code" in error && typeof error.code === "string") return error.code;
  if (error instanceof Error && error.cause !== undefined) return errorCode(error.cause);
  return "";
}

/** True when the server's certificate was refused. */
export function isCertificateFailure(error: HttpFailure): boolean {
  return CERTIFICATE.test(error.code);
}

/** Reads a body up to a limit: of an error its beginning is enough, of an answer everything or nothing. */
async function readBody(body: AsyncIterable<Buffer>, status: number): Promise<string> {
  const isError = status >= 400;
  const limit = isError ? LARGEST_ERROR_BYTES : LARGEST_BODY_BYTES;
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes > limit && !isError) throw Object.assign(new Error(`the answer is larger than ${limit} bytes`), { code: "BODY_TOO_LARGE" });
    chunks.push(chunk);
    if (bytes > limit) break;
  }
  return Buffer.concat(chunks).toString("utf8");
}

export interface HttpClientOptions {
  readonly socketPath?: string;
  /** How many requests may be under way at once; 1 unless told. */
  readonly connections?: number;
  /** Where `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` are looked up; without it no proxy is used. */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/** A client for one origin, over TCP or, with `socketPath`, over a Unix socket. undici is loaded on the first request. */
export function httpClient(origin: string, options: HttpClientOptions = {}): HttpClient {
  let opened: Promise<import("undici").Dispatcher> | undefined;
  const open = () => {
    opened ??= import("undici").then(({ default: { Pool, ProxyAgent } }): import("undici").Dispatcher => {
      // undici is CommonJS: bundled, its names are found on the default export alone.
      const common = { pipelining: 1, connections: options.connections ?? 1 };
      const proxy = options.env === undefined || options.socketPath !== undefined ? undefined : proxyFor(origin, options.env);
      if (proxy !== undefined) return new ProxyAgent({ uri: proxy, ...common });
      return new Pool(origin, { ...common, ...(options.socketPath === undefined ? {} : { socketPath: options.socketPath }) });
    });
    return opened;
  };
  return {
    async send(request) {
      const client = await open();
      try {
        const response = await client.request({
          origin,
          method: request.method,
          path: request.path,
          headers: { ...request.headers },
          body: request.body ?? null,
          signal: request.signal,
        });
        const body = await readBody(response.body, response.statusCode);
        const headers: Record<string, string> = {};
        for (const [name, value] of Object.entries(response.headers)) if (value !== undefined) headers[name] = String(value);
        return { status: response.statusCode, headers, body };
      } catch (error) {
        const code = errorCode(error);
        const failure = new HttpFailure(error instanceof Error ? error.message : String(error), true, error, code);
        if (!NEVER_CONNECTED.has(code) && !isCertificateFailure(failure)) throw failure;
        throw new HttpFailure(failure.message, false, error, code);
      }
    },
    async close() {
      if (opened !== undefined) await (await opened).destroy();
    },
  };
}
