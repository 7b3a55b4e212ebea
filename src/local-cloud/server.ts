import { chmodSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { systemClock } from "../platform/clock.ts";
import { type Mischief, strikeChaos } from "./chaos.ts";
import { Refusal } from "./records.ts";
import { type Operator, type Route, routesOf } from "./routes.ts";
import type { Site } from "./site.ts";

const LARGEST_BODY_BYTES = 8 * 1024 * 1024;
const LAST_ANSWER_MS = 200;
const NO_MISCHIEF: Mischief = { delayMs: 0, fail: null, loseAnswer: false, startFailure: false };

async function readText(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    bytes += part.length;
    if (bytes > LARGEST_BODY_BYTES) throw new Refusal(400, "invalid", "the body is too large");
    parts.push(part);
  }
  return Buffer.concat(parts).toString("utf8");
}

function send(response: ServerResponse, status: number, body: unknown, headers: Readonly<Record<string, string>> = {}): void {
  response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(body));
}

function refuse(site: Site, response: ServerResponse, error: unknown): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  if (error instanceof Refusal) {
    const headers: Record<string, string> = error.status === 429 ? { "retry-after": "1" } : {};
    send(response, error.status, { error: { code: error.code, message: error.message } }, headers);
    return;
  }
  const message = error instanceof Error ? error.message : String(error);
  site.log(`request failed: ${message}`);
  // Every change is one transaction: what threw has not happened.
  send(response, 503, { error: { code: "unavailable", message: `the local cloud could not do it: ${message}` } });
}

async function serve(site: Site, routes: readonly Route[], request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? "/", "http://local");
  const body = await readText(request);
  for (const route of routes) {
    const match = route.method === request.method ? route.pattern.exec(url.pathname) : null;
    if (match === null) continue;
    const mischief = route.operation === null ? NO_MISCHIEF : strikeChaos(site.database, route.operation);
    if (mischief.delayMs > 0) await site.clock.sleep(mischief.delayMs);
    if (mischief.fail !== null) throw new Refusal(mischief.fail.status, mischief.fail.code, "this failure was asked for");
    const answer = await route.run({ query: url.searchParams, body, id: decodeURIComponent(match[1] ?? ""), mischief });
    if (mischief.loseAnswer) request.socket.destroy();
    else send(response, answer.status, answer.body);
    return;
  }
  throw new Refusal(404, "not_found", `there is no ${request.method} ${url.pathname}`);
}

export interface ApiServer {
  /** Answers what has been asked and stops. */
  close(): Promise<void>;
}

/** Serves the API on a Unix socket that only this user may use. The caller holds the lock of this home, so an old socket is nobody's. */
export async function serveApi(site: Site, operator: Operator, socketPath: string, onRequest: () => void): Promise<ApiServer> {
  const routes = routesOf(site, operator);
  const server = createServer((request, response) => {
    onRequest();
    serve(site, routes, request, response).catch((error: unknown) => refuse(site, response, error));
  });
  rmSync(socketPath, { force: true });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen({ path: socketPath }, () => {
      server.off("error", reject);
      resolve();
    });
  });
  // Its folder is 0700, so nobody else came in before this.
  chmodSync(socketPath, 0o600);
  return {
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeIdleConnections();
        // Whoever is being answered gets the answer; a connection that is then kept open is not waited for.
        void systemClock.sleep(LAST_ANSWER_MS).then(() => server.closeAllConnections());
      }),
  };
}
