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
 * (the connection was never made); `sent: true` means that nobody knows.
 */
export class HttpFailure extends Error {
  readonly sent: boolean;
  constructor(message: string, sent: boolean, cause: unknown) {
    super(message, { cause });
    this.name = "HttpFailure";
    this.sent = sent;
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
const LARGEST_BODY_BYTES = 64 * 1024 * 1024;

function errorCode(error: unknown): string {
  if (error instanceof Error && "code" in error && typeof error.code === "string") return error.code;
  if (error instanceof Error && error.cause !== undefined) return errorCode(error.cause);
  return "";
}

/** A client for one origin, over TCP or, with `socketPath`, over a Unix socket. undici is loaded on the first request. */
export function httpClient(origin: string, options: { readonly socketPath?: string } = {}): HttpClient {
  let opened: Promise<import("undici").Client> | undefined;
  const open = () => {
    // undici is CommonJS: bundled, its names are found on the default export alone.
    opened ??= import("undici").then(
      ({ default: { Client } }) =>
        new Client(origin, {
          ...(options.socketPath === undefined ? {} : { socketPath: options.socketPath }),
          pipelining: 1,
          maxResponseSize: LARGEST_BODY_BYTES,
        }),
    );
    return opened;
  };
  return {
    async send(request) {
      const client = await open();
      try {
        const response = await client.request({
          method: request.method,
          path: request.path,
          headers: { ...request.headers },
          body: request.body ?? null,
          signal: request.signal,
        });
        const body = await response.body.text();
        const headers: Record<string, string> = {};
        for (const [name, value] of Object.entries(response.headers)) if (value !== undefined) headers[name] = String(value);
        return { status: response.statusCode, headers, body };
      } catch (error) {
        const code = errorCode(error);
        throw new HttpFailure(error instanceof Error ? error.message : String(error), !NEVER_CONNECTED.has(code), error);
      }
    },
    async close() {
      if (opened !== undefined) await (await opened).destroy();
    },
  };
}
