import type { Readable } from "node:stream";
import { connect } from "./http.ts";

/** One exchange whose answer is read as it comes, and whose body is sent from memory. Nothing is retried or redirected here. */
export interface StreamedRequest {
  readonly method: string;
  /** `https://host:port` */
  readonly origin: string;
  /** With its query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array | string | null;
  readonly signal: AbortSignal | undefined;
}

export interface StreamedAnswer {
  readonly status: number;
  readonly headers: Record<string, string>;
  /** Must be read to its end, or destroyed. */
  readonly body: Readable;
}

export interface StreamingClient {
  /** @throws Error as the network has it, or the signal's reason. */
  send(request: StreamedRequest): Promise<StreamedAnswer>;
  close(): Promise<void>;
}

/** How long a server may keep silent, before its answer and in the middle of it. */
const SILENT_FOR_MS = 60_000;

/** Clients for whatever origins are asked, each with so many connections. undici is loaded at the first request. */
export function streamingClient(env: Readonly<Record<string, string | undefined>>, connections: number): StreamingClient {
  const pools = new Map<string, ReturnType<typeof connect>>();
  const poolOf = (origin: string) => {
    const pool = pools.get(origin) ?? import("undici").then(({ default: undici }) => connect(undici, origin, { env, connections }));
    pools.set(origin, pool);
    return pool;
  };
  return {
    async send({ origin, method, path, headers, body, signal }) {
      const pool = await poolOf(origin);
      const answer = await pool.request({
        method: method as "GET",
        path,
        headers: { ...headers },
        body,
        headersTimeout: SILENT_FOR_MS,
        bodyTimeout: SILENT_FOR_MS,
        ...(signal === undefined ? {} : { signal }),
      });
      const given = Object.entries(answer.headers).flatMap(([name, value]) =>
        value === undefined ? [] : [[name, String(value)] as const],
      );
      return { status: answer.statusCode, headers: Object.fromEntries(given), body: answer.body };
    },
    async close() {
      for (const pool of pools.values()) await pool.then((open) => open.destroy()).catch(() => undefined);
    },
  };
}
