import { setMaxListeners } from "node:events";
import { connect } from "./http.ts";

/** One exchange of bytes. Nothing is retried or redirected here. */
export interface BytesRequest {
  readonly method: string;
  /** `https://host:port` */
  readonly origin: string;
  /** With its query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array | string | null;
  readonly signal: AbortSignal | undefined;
}

export interface BytesAnswer {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly body: Buffer;
}

export interface BytesClient {
  /** @throws Error as the network has it, or the signal's reason. */
  send(request: BytesRequest): Promise<BytesAnswer>;
  close(): Promise<void>;
}

export interface Patience {
  /** How long a server may keep silent, before its answer and in the middle of it, in milliseconds. */
  readonly silentForMs: number;
  /** On a slower line than this, in bytes a second, what the system holds back of a body may take longer than we wait. */
  readonly slowest: number;
}

/** Eight uploads side by side still come through a line of 1 Mbit/s. */
const USUAL: Patience = { silentForMs: 60_000, slowest: 16_000 };
/** What a system takes of a body and has not sent yet, at most: Linux's usual `tcp_wmem`. Nobody tells when it has left. */
const HELD_BY_SYSTEM_BYTES = 4 * 1024 * 1024;
const SLICE_BYTES = 64 * 1024;
/** Whoever wants more asks for a part of it. */
const LARGEST_BODY_BYTES = 64 * 1024 * 1024;

type Pool = Awaited<ReturnType<typeof connect>>;
type Handler = Parameters<Pool["dispatch"]>[1];
type Controller = import("undici").Dispatcher.DispatchController;

/**
 * A large body goes in slices, each when the one before it has been taken: undici then waits anew from each of them. For a body
 * in one piece its time runs from the beginning, and on a slow line out, however steadily it leaves.
 */
async function* slices(body: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < body.length; at += SLICE_BYTES) yield body.subarray(at, at + SLICE_BYTES);
}

function outgoing(body: BytesRequest["body"], { silentForMs, slowest }: Patience) {
  if (!(body instanceof Uint8Array) || body.length <= SLICE_BYTES) return { body, said: {}, headersTimeout: silentForMs };
  const leavingMs = (1000 * Math.min(body.length, HELD_BY_SYSTEM_BYTES)) / slowest;
  return { body: slices(body), said: { "content-length": String(body.length) }, headersTimeout: Math.ceil(silentForMs + leavingMs) };
}

/**
 * The answer is taken as fast as it comes. To let a server wait in the middle of one is not safe: when it ends the connection
 * meanwhile, undici 7.30 fails an assertion that nobody can catch (`assert(!this.paused)` in `Parser.finish`).
 */
function exchange(pool: Pool, patience: Patience, request: BytesRequest): Promise<BytesAnswer> {
  const { origin, path, headers, signal } = request;
  return new Promise((resolve, reject) => {
    let controller: Controller | undefined;
    let answer: Omit<BytesAnswer, "body"> | undefined;
    const chunks: Buffer[] = [];
    let bytes = 0;
    const end = () => signal?.removeEventListener("abort", stop);
    const fail = (error: unknown) => {
      end();
      reject(error);
    };
    const stop = () => {
      fail(signal?.reason);
      controller?.abort(new Error("stopped"));
    };
    if (signal?.aborted === true) return fail(signal.reason);
    if (signal !== undefined) setMaxListeners(0, signal);
    signal?.addEventListener("abort", stop, { once: true });
    const handler: Handler = {
      onRequestStart(started) {
        if (signal?.aborted === true) started.abort(new Error("stopped"));
        else controller = started;
      },
      onResponseStart(_, status, given) {
        if (status < 200) return;
        const pairs = Object.entries(given).flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)] as const]));
        answer = { status, headers: Object.fromEntries(pairs) };
      },
      onResponseData(started, chunk) {
        bytes += chunk.length;
        if (bytes <= LARGEST_BODY_BYTES) return void chunks.push(chunk);
        fail(new Error(`the answer is larger than ${LARGEST_BODY_BYTES} bytes`));
        started.abort(new Error("more than was asked for"));
      },
      onResponseEnd() {
        end();
        if (answer !== undefined) resolve({ ...answer, body: Buffer.concat(chunks) });
      },
      onResponseError: (_, error) => fail(error),
    };
    try {
      const { body, said, headersTimeout } = outgoing(request.body, patience);
      const limits = { headersTimeout, bodyTimeout: patience.silentForMs };
      const method = request.method as "GET";
      pool.dispatch({ origin, method, path, headers: { ...headers, ...said }, body: body as Uint8Array | null, ...limits }, handler);
    } catch (error) {
      fail(error);
    }
  });
}

/** Clients for whatever origins are asked, each with so many connections. undici is loaded at the first request. */
export function bytesClient(
  env: Readonly<Record<string, string | undefined>>,
  connections: number,
  patience: Patience = USUAL,
): BytesClient {
  const pools = new Map<string, ReturnType<typeof connect>>();
  const poolOf = (origin: string) => {
    const pool = pools.get(origin) ?? import("undici").then(({ default: undici }) => connect(undici, origin, { env, connections }));
    pools.set(origin, pool);
    return pool;
  };
  return {
    send: async (request) => exchange(await poolOf(request.origin), patience, request),
    async close() {
      for (const pool of pools.values()) await pool.then((open) => open.destroy()).catch(() => undefined);
    },
  };
}
