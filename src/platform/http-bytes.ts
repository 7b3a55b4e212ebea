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

/** How long a server may keep silent, before its answer and in the middle of it. */
const SILENT_FOR_MS = 60_000;
/** Whoever wants more asks for a part of it. */
const LARGEST_BODY_BYTES = 64 * 1024 * 1024;

type Pool = Awaited<ReturnType<typeof connect>>;
type Handler = Parameters<Pool["dispatch"]>[1];
type Controller = import("undici").Dispatcher.DispatchController;

/**
 * The answer is taken as fast as it comes. To let a server wait in the middle of one is not safe: when it ends the connection
 * meanwhile, undici 7.30 fails an assertion that nobody can catch (`assert(!this.paused)` in `Parser.finish`).
 */
function exchange(pool: Pool, { origin, method, path, headers, body, signal }: BytesRequest): Promise<BytesAnswer> {
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
      const limits = { headersTimeout: SILENT_FOR_MS, bodyTimeout: SILENT_FOR_MS };
      pool.dispatch({ origin, method: method as "GET", path, headers: { ...headers }, body, ...limits }, handler);
    } catch (error) {
      fail(error);
    }
  });
}

/** Clients for whatever origins are asked, each with so many connections. undici is loaded at the first request. */
export function bytesClient(env: Readonly<Record<string, string | undefined>>, connections: number): BytesClient {
  const pools = new Map<string, ReturnType<typeof connect>>();
  const poolOf = (origin: string) => {
    const pool = pools.get(origin) ?? import("undici").then(({ default: undici }) => connect(undici, origin, { env, connections }));
    pools.set(origin, pool);
    return pool;
  };
  return {
    send: async (request) => exchange(await poolOf(request.origin), request),
    async close() {
      for (const pool of pools.values()) await pool.then((open) => open.destroy()).catch(() => undefined);
    },
  };
}
