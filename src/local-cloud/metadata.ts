import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { hasErrorCode } from "../platform/files.ts";
import { beginEnd } from "./instances.ts";
import { isRunning } from "./records.ts";
import type { Site } from "./site.ts";

export interface MetadataEndpoint {
  readonly port: number;
  close(): Promise<void>;
}

interface Answer {
  readonly status: number;
  readonly body: unknown;
}

function answerTo(site: Site, request: IncomingMessage): Answer {
  const token = request.headers["x-spot-token"];
  const instance = typeof token === "string" && token !== "" ? site.database.instanceByMetadataToken(token) : undefined;
  if (instance === undefined) return { status: 401, body: { error: "a valid X-Spot-Token is needed" } };
  const what = `${request.method} ${request.url}`;
  if (what === "GET /metadata/v1/notice") {
    if (instance.notice === null) return { status: 404, body: { error: "no notice" } };
    const { kind, deadline } = instance.notice;
    return { status: 200, body: { kind, deadline: Math.floor(deadline / 1000) } };
  }
  if (what === "GET /metadata/v1/instance") return { status: 200, body: { id: instance.id, name: instance.name } };
  if (what === "POST /metadata/v1/terminate") {
    if (isRunning(instance.state)) beginEnd(site, instance, "guest-shutdown");
    return { status: 202, body: {} };
  }
  return { status: 404, body: { error: "no such path" } };
}

function send(response: ServerResponse, { status, body }: Answer): void {
  response.writeHead(status, { "content-type": "application/json", "cache-control": "no-store" }).end(`${JSON.stringify(body)}\n`);
}

function listen(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host: "127.0.0.1", port }, () => {
      server.off("error", reject);
      const address = server.address();
      resolve(typeof address === "object" && address !== null ? address.port : port);
    });
  });
}

/** Serves every instance's view of itself on loopback: on `port` if it is free, on any other otherwise. */
export async function serveMetadata(site: Site, port: number): Promise<MetadataEndpoint> {
  const server = createServer((request, response) => {
    request.resume();
    try {
      send(response, answerTo(site, request));
    } catch (error) {
      site.log(`metadata: ${error instanceof Error ? error.message : String(error)}`);
      send(response, { status: 500, body: { error: "internal" } });
    }
  });
  server.requestTimeout = 10_000;
  let bound: number;
  try {
    bound = await listen(server, port);
  } catch (error) {
    if (port === 0 || !hasErrorCode(error, "EADDRINUSE", "EACCES")) throw error;
    bound = await listen(server, 0);
  }
  return {
    port: bound,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
