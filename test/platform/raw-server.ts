import { createServer as createHttp, type IncomingMessage, type ServerResponse } from "node:http";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { onTestFinished } from "vitest";

export interface Listening {
  readonly port: number;
  readonly url: string;
  /** Every connection that was ever made, closed ones too. */
  readonly sockets: readonly Socket[];
}

async function listening(server: Server): Promise<Listening> {
  const sockets: Socket[] = [];
  server.on("connection", (socket: Socket) => {
    sockets.push(socket);
    socket.on("error", () => undefined);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  });
  const { port } = server.address() as AddressInfo;
  return { port, url: `http://127.0.0.1:${port}`, sockets };
}

/** A server of bare TCP for answers that no HTTP server would give; it is gone when the test has ended. */
export function rawServer(onConnection: (socket: Socket) => void): Promise<Listening> {
  return listening(createServer(onConnection));
}

/** A server that answers each request with the same bytes, once the request's head has come. */
export function answersWith(text: string): Promise<Listening> {
  return rawServer((socket) => socket.once("data", () => socket.end(text)));
}

export function httpServer(answer: (request: IncomingMessage, response: ServerResponse) => void): Promise<Listening> {
  return listening(createHttp(answer));
}
