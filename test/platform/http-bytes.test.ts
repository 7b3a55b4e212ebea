import { createHash } from "node:crypto";
import { setTimeout as wait } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { bytesClient } from "../../src/platform/http-bytes.ts";
import { httpServer, rawServer } from "./raw-server.ts";

const BODY = Buffer.alloc(24 * 1024 * 1024, "sixteen letters.");
const SHA256 = createHash("sha256").update(BODY).digest("hex");

/** However little the system holds back, it takes no time of its own here: only what is seen to leave counts. */
function impatient(silentForMs: number) {
  const client = bytesClient({}, 4, { silentForMs, slowest: Number.POSITIVE_INFINITY });
  onTestFinished(() => client.close());
  return (origin: string, signal?: AbortSignal) =>
    client.send({ method: "PUT", origin, path: "/part", headers: {}, body: BODY, signal: signal ?? undefined });
}

test("a body that leaves slowly arrives whole, though it takes far longer than a server may keep silent", async () => {
  const server = await httpServer(async (request, response) => {
    const hash = createHash("sha256");
    for await (const chunk of request) {
      hash.update(chunk);
      // Reads at a pace, and the sender has to wait for it.
      await wait(8);
    }
    response.end(`${request.headers["content-length"]} ${hash.digest("hex")}`);
  });
  const { status, body } = await impatient(800)(server.url);
  expect([status, body.toString()]).toEqual([200, `${BODY.length} ${SHA256}`]);
});

test("a server that takes nothing of a body, or all of it and then says nothing, is not waited for without an end", async () => {
  const deaf = await rawServer((socket) => void socket.pause());
  await expect(impatient(300)(deaf.url)).rejects.toMatchObject({ code: "UND_ERR_HEADERS_TIMEOUT" });
  const mute = await httpServer((request) => void request.resume());
  await expect(impatient(300)(mute.url)).rejects.toMatchObject({ code: "UND_ERR_HEADERS_TIMEOUT" });
});

test("what is refused before all of it has come is refused with the server's answer, and Ctrl-C ends what is leaving", async () => {
  const server = await rawServer((socket) =>
    socket.once("data", () => socket.pause().write("HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno")),
  );
  expect(await impatient(60_000)(server.url)).toMatchObject({ status: 403, body: Buffer.from("no") });
  const stop = new AbortController();
  const deaf = await rawServer((socket) => {
    socket.pause();
    stop.abort(new Error("stopped by hand"));
  });
  await expect(impatient(60_000)(deaf.url, stop.signal)).rejects.toThrow("stopped by hand");
  await expect.poll(() => deaf.sockets.length).toBe(1);
});
