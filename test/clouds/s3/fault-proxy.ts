import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** What befalls a request. */
export const FAULTS = [
  /** It never gets there: the connection ends. */
  "cut-before",
  /** It is done, and its answer gets lost. */
  "lost-answer",
  /** A server that is busy: it is not done. */
  "slow-down",
  /** It is done, and a gateway says that it failed. */
  "error-after",
  /** The connection ends in the middle of the answer. */
  "cut-answer",
  /** The answer is whole by its own account, and half of it. */
  "short-answer",
  /** One byte of the answer's body is another one. */
  "corrupt-answer",
  /** One byte of the request's body is another one. */
  "corrupt-request",
] as const;
/** `denied`: nobody is struck by it in passing. It is not done, and whoever asks has no right to it. */
export type Fault = (typeof FAULTS)[number] | "denied";

export interface Seen {
  readonly method: string;
  readonly path: string;
  /** `bytes=0-8388607`, or nothing. */
  readonly range: string;
  /** Bytes of the request's body, and of the answer's. */
  readonly sent: number;
  received: number;
}

/** Stands before a server, counts, and makes things go wrong. */
export interface FaultProxy {
  readonly url: string;
  readonly seen: readonly Seen[];
  /** From now on: the fault that befalls the n-th request (from 0), or null. */
  strike(when: (n: number, request: Seen) => Fault | null): void;
  close(): Promise<void>;
}

function flipped(body: Buffer): Buffer {
  const other = Buffer.from(body);
  const at = Math.floor(other.length / 2);
  if (other.length > 0) other[at] = (other[at] ?? 0) ^ 1;
  return other;
}

async function bodyOf(stream: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}

export async function faultProxy(target: string): Promise<FaultProxy> {
  const to = new URL(target);
  const seen: Seen[] = [];
  let choose: (n: number, request: Seen) => Fault | null = () => null;
  let count = 0;
  const forward = ({ method, url, headers }: IncomingMessage, body: Buffer) =>
    new Promise<{ readonly answer: IncomingMessage; readonly body: Buffer }>((resolve, reject) => {
      // Signed for our own address: `Host` goes on as it came.
      const out = request({ host: to.hostname, port: to.port, method, path: url, headers, agent: false }, (answer) => {
        bodyOf(answer).then((whole) => resolve({ answer, body: whole }), reject);
      });
      out.on("error", reject);
      out.end(body);
    });
  const refuse = (response: ServerResponse, status: number, code: string) => {
    response.writeHead(status, { "content-type": "application/xml" });
    response.end(`<?xml version="1.0"?><Error><Code>${code}</Code><Message>so the proxy has it</Message></Error>`);
  };
  const handle = async (incoming: IncomingMessage, response: ServerResponse) => {
    const sent = await bodyOf(incoming);
    const entry: Seen = {
      method: incoming.method ?? "",
      path: incoming.url ?? "",
      range: incoming.headers.range ?? "",
      sent: sent.length,
      received: 0,
    };
    seen.push(entry);
    const fault = choose(count++, entry);
    if (fault === "cut-before") return incoming.socket.destroy();
    if (fault === "denied") return refuse(response, 403, "AccessDenied");
    if (fault === "slow-down") return refuse(response, 503, "SlowDown");
    const { answer, body } = await forward(incoming, fault === "corrupt-request" ? flipped(sent) : sent);
    if (fault === "lost-answer") return incoming.socket.destroy();
    if (fault === "error-after") return refuse(response, 500, "InternalError");
    const isEmpty = incoming.method === "HEAD";
    const shown = fault === "corrupt-answer" ? flipped(body) : fault === "short-answer" ? body.subarray(0, body.length >> 1) : body;
    const headers = { ...answer.headers };
    delete headers["transfer-encoding"];
    if (!isEmpty) headers["content-length"] = String(shown.length);
    response.writeHead(answer.statusCode ?? 502, headers);
    if (fault === "cut-answer") {
      response.write(shown.subarray(0, shown.length >> 1), () => incoming.socket.destroy());
      return undefined;
    }
    entry.received = shown.length;
    return response.end(isEmpty ? undefined : shown);
  };
  const server = createServer((incoming, response) => {
    handle(incoming, response).catch(() => incoming.socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    strike(when) {
      choose = when;
      count = 0;
      seen.length = 0;
    },
    close() {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}
