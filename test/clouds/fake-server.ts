import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";

/** One request as a fake cloud sees it. */
export interface FakeRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** The body as JSON; undefined when it is none. */
  json(): unknown;
}

/** `body`: a string is sent as it is (text/plain unless `headers` say otherwise), anything else as JSON, undefined as nothing. */
export interface FakeAnswer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

/** What goes wrong between a client and a cloud. `after`: the cloud has done it. */
export type Disturbance =
  | { readonly do: "answer"; readonly answer: FakeAnswer }
  | { readonly do: "reset-before" }
  | { readonly do: "reset-after" }
  /** Done; half of the answer, then the connection ends. */
  | { readonly do: "truncate" }
  /** Done; valid HTTP, but the JSON in it is cut in half. */
  | { readonly do: "cut-json" }
  /** Done; the answer comes byte by byte, and takes so long. */
  | { readonly do: "drip"; readonly ms: number }
  /** Nothing is done and nothing answered for so long. */
  | { readonly do: "stall"; readonly ms: number }
  /** Done; and then so long nothing, until the connection ends without an answer. */
  | { readonly do: "lose-answer" }
  /** An answer of so many bytes. */
  | { readonly do: "huge"; readonly status: number; readonly bytes: number };

export interface DisturbanceRule {
  readonly what: Disturbance;
  /** Only these requests; all of them unless told. */
  readonly match?: (request: FakeRequest) => boolean;
  /** How many requests it strikes; 1 unless told. */
  readonly times?: number;
}

export interface FakeServer {
  /** `http://127.0.0.1:PORT` */
  readonly url: string;
  /** Every request since the start, in order. */
  readonly requests: readonly FakeRequest[];
  disturb(rule: DisturbanceRule): void;
  /** Forgets every disturbance that has not struck. */
  calm(): void;
  close(): Promise<void>;
}

export interface FakeServerOptions {
  handle(request: FakeRequest): FakeAnswer | Promise<FakeAnswer>;
  /** Added to the `Date` header, in milliseconds: a server whose clock is wrong. */
  dateOffsetMs?: () => number;
}

async function read(message: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString("utf8");
}

function requestOf(message: IncomingMessage, body: string): FakeRequest {
  const url = new URL(message.url ?? "/", "http://fake");
  const headers = Object.fromEntries(Object.entries(message.headers).map(([name, value]) => [name, String(value)]));
  return {
    method: message.method ?? "GET",
    path: url.pathname,
    query: url.searchParams,
    headers,
    body,
    json() {
      try {
        return JSON.parse(body);
      } catch {
        return undefined;
      }
    },
  };
}

function textOf({ body }: FakeAnswer): { readonly text: string; readonly type: string | null } {
  if (body === undefined) return { text: "", type: null };
  if (typeof body === "string") return { text: body, type: "text/plain; charset=utf-8" };
  return { text: JSON.stringify(body), type: "application/json" };
}

/** A wire-level server on loopback for a cloud that keeps state, with a way to disturb what passes. */
export async function fakeServer(options: FakeServerOptions): Promise<FakeServer> {
  const requests: FakeRequest[] = [];
  let rules: { readonly rule: DisturbanceRule; left: number }[] = [];
  const timers = new Set<NodeJS.Timeout>();
  const later = (ms: number, work: () => void) => {
    const timer = setTimeout(() => {
      timers.delete(timer);
      work();
    }, ms);
    timers.add(timer);
  };
  const strike = (request: FakeRequest): Disturbance | undefined => {
    const hit = rules.find(({ rule, left }) => left > 0 && (rule.match?.(request) ?? true));
    if (hit === undefined) return undefined;
    hit.left -= 1;
    return hit.rule.what;
  };
  const write = (response: ServerResponse, answer: FakeAnswer) => {
    const { text, type } = textOf(answer);
    response.writeHead(answer.status, { ...(type === null ? {} : { "content-type": type }), ...answer.headers });
    response.end(text);
  };
  const drip = (response: ServerResponse, answer: FakeAnswer, ms: number) => {
    const { text, type } = textOf(answer);
    response.writeHead(answer.status, { ...(type === null ? {} : { "content-type": type }), ...answer.headers });
    const half = Math.floor(text.length / 2);
    response.write(text.slice(0, half));
    later(ms, () => response.end(text.slice(half)));
  };
  const cut = (response: ServerResponse, answer: FakeAnswer) => {
    const { text, type } = textOf(answer);
    response.writeHead(answer.status, {
      ...(type === null ? {} : { "content-type": type }),
      ...answer.headers,
      "content-length": String(Buffer.byteLength(text) + 10),
    });
    response.write(text.slice(0, Math.ceil(text.length / 2)));
    later(20, () => response.destroy());
  };
  const disturbed = async (what: Disturbance, request: FakeRequest, response: ServerResponse): Promise<void> => {
    switch (what.do) {
      case "answer":
        return write(response, what.answer);
      case "reset-before":
        response.socket?.resetAndDestroy();
        return;
      case "stall":
        return later(what.ms, () => response.destroy());
      case "huge": {
        response.writeHead(what.status, { "content-type": "text/plain" });
        const chunk = "x".repeat(64 * 1024);
        const chunks = Readable.from(
          (function* () {
            for (let bytes = 0; bytes < what.bytes; bytes += chunk.length) yield chunk;
          })(),
        );
        // Whoever asked may have heard enough.
        await pipeline(chunks, response).catch(() => undefined);
        return;
      }
    }
    const answer = await options.handle(request);
    switch (what.do) {
      case "reset-after":
      case "lose-answer":
        response.socket?.resetAndDestroy();
        return;
      case "truncate":
        return cut(response, answer);
      case "cut-json": {
        const { text } = textOf(answer);
        return write(response, {
          ...answer,
          headers: { "content-type": "application/json" },
          body: text.slice(0, Math.floor(text.length / 2)),
        });
      }
      case "drip":
        return drip(response, answer, what.ms);
    }
  };
  const server = createServer({ maxHeaderSize: 128 * 1024 }, (message, response) => {
    // A client that goes away in the middle is part of the game.
    response.on("error", () => undefined);
    void (async () => {
      const request = requestOf(message, await read(message));
      requests.push(request);
      response.setHeader("date", new Date(Date.now() + (options.dateOffsetMs?.() ?? 0)).toUTCString());
      const what = strike(request);
      if (what === undefined) write(response, await options.handle(request));
      else await disturbed(what, request, response);
    })().catch((error: unknown) => {
      if (!response.headersSent) response.writeHead(599, { "content-type": "text/plain" });
      response.end(`the fake broke: ${error instanceof Error ? error.stack : String(error)}`);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    disturb(rule) {
      rules.push({ rule, left: rule.times ?? 1 });
    },
    calm() {
      rules = [];
    },
    async close() {
      for (const timer of timers) clearTimeout(timer);
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
