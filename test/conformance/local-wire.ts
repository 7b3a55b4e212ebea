import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { type IncomingMessage, request } from "node:http";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { ownLocalSocket } from "../../src/platform/local-socket.ts";
import { type FakeAnswer, type FakeRequest, fakeServer } from "../clouds/fake-server.ts";
import type { WireControls } from "./suite.ts";

/** The embedded cloud's word in place of every state, once it is asked for. */
const UNHEARD_OF = "daydreaming";

async function bodyOf(message: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString("utf8");
}

/** Asks the cloud itself. */
function forward(socketPath: string, { method, path, query, body }: FakeRequest): Promise<FakeAnswer> {
  return new Promise((resolve, reject) => {
    const search = query.size === 0 ? "" : `?${query}`;
    const sent = request({ socketPath, method, path: `${path}${search}`, headers: { "content-type": "application/json" } }, (message) => {
      bodyOf(message).then(
        (text) => resolve({ status: message.statusCode ?? 500, headers: { "content-type": "application/json" }, body: text }),
        reject,
      );
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

export interface LocalWire {
  /** A home whose socket leads through the wire to the cloud. */
  readonly home: string;
  readonly wire: WireControls;
  close(): Promise<void>;
}

/** A wire that can be disturbed, in front of an embedded cloud: a socket, a pipe from it to a fake server, and that asks the cloud. */
export async function localWire(cloudHome: string): Promise<LocalWire> {
  const home = mkdtempSync(join(tmpdir(), "spot-wire-"));
  const open = new Set<Socket>();
  let strangeStates = false;
  const server = await fakeServer({
    async handle(asked) {
      const answer = await forward(ownLocalSocket(cloudHome), asked).catch((error: unknown) => {
        // The cloud hung up: so does the wire.
        for (const socket of open) socket.destroy();
        throw error;
      });
      if (!strangeStates || typeof answer.body !== "string") return answer;
      return { ...answer, body: answer.body.replaceAll(/"state":"[a-z]+"/g, `"state":"${UNHEARD_OF}"`) };
    },
  });
  const pipe = createServer((near) => {
    const far = connect(Number(new URL(server.url).port), "127.0.0.1");
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      open.add(one);
      one.on("error", () => other.destroy()).on("close", () => other.destroy());
      one.pipe(other);
    }
  });
  const socketPath = ownLocalSocket(home);
  mkdirSync(dirname(socketPath), { recursive: true, mode: 0o700 });
  await new Promise<void>((resolve) => pipe.listen(socketPath, resolve));
  return {
    home,
    wire: {
      server,
      isChange: ({ method }) => method !== "GET",
      credential: "",
      skewClock: () => undefined,
      useUnknownState: () => {
        strangeStates = true;
      },
    },
    async close() {
      for (const socket of open) socket.destroy();
      await new Promise<void>((resolve) => pipe.close(() => resolve()));
      await server.close();
      rmSync(home, { recursive: true, force: true });
    },
  };
}
