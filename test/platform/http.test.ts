import { mkdtempSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import { expect, onTestFinished, test } from "vitest";
import { systemClock } from "../../src/platform/clock.ts";
import { type HttpClient, HttpFailure, type HttpRequest, httpClient } from "../../src/platform/http.ts";
import { answersWith, httpServer, rawServer } from "./raw-server.ts";

const never = new AbortController().signal;
const A_MEGABYTE = 1024 * 1024;

function clientOf(origin: string, options: Parameters<typeof httpClient>[1] = {}): HttpClient {
  const client = httpClient(origin, options);
  onTestFinished(() => client.close());
  return client;
}

const ask = (change: Partial<HttpRequest> = {}): HttpRequest => ({ method: "GET", path: "/", signal: never, ...change });

async function failureOf(call: Promise<unknown>): Promise<HttpFailure> {
  const error = await call.then(
    (value) => {
      throw new Error(`it ended well: ${inspect(value).slice(0, 200)}`);
    },
    (failure: unknown) => failure,
  );
  if (!(error instanceof HttpFailure)) throw error;
  expect(error.message).not.toBe("");
  return error;
}

test("a character that lies across two chunks stays whole", async () => {
  const text = "ab€cd🙂ef";
  const bytes = Buffer.from(text);
  const { url } = await httpServer(async (_, response) => {
    for (const byte of bytes) {
      response.write(Buffer.from([byte]));
      await new Promise((resolve) => setImmediate(resolve));
    }
    response.end();
  });
  expect((await clientOf(url).send(ask())).body).toBe(text);
});

test("headers come in lower case, several of one name in one line", async () => {
  const { url } = await httpServer((_, response) => response.setHeader("Set-Cookie", ["a=1", "b=2"]).setHeader("X-One", "1").end());
  expect((await clientOf(url).send(ask())).headers).toMatchObject({ "set-cookie": "a=1,b=2", "x-one": "1" });
});

test("words before the answer are not the answer", async () => {
  const { url } = await answersWith(
    "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 201 Created\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok",
  );
  expect(await clientOf(url).send(ask())).toMatchObject({ status: 201, body: "ok" });
});

test("an encoding that nobody asked for is not taken for text", async () => {
  const { url } = await httpServer((_, response) => response.setHeader("content-encoding", "gzip").end(Buffer.from("1f8b08", "hex")));
  expect(await failureOf(clientOf(url).send(ask()))).toMatchObject({ sent: true, code: "BODY_ENCODED" });
});

test("a body that says it is too large is not even begun", async () => {
  const { url } = await answersWith(`HTTP/1.1 200 OK\r\ncontent-length: ${100 * A_MEGABYTE}\r\n\r\nx`);
  expect(await failureOf(clientOf(url).send(ask()))).toMatchObject({ sent: true, code: "BODY_TOO_LARGE" });
});

test("a body without an end is broken off, and so is the connection", async () => {
  const chunk = Buffer.alloc(A_MEGABYTE, "x");
  let written = 0;
  const { url, sockets } = await httpServer((_, response) => {
    const more = () => {
      while (!response.destroyed) {
        written += chunk.length;
        if (!response.write(chunk)) break;
      }
      if (!response.destroyed) response.once("drain", more);
    };
    more();
  });
  expect((await failureOf(clientOf(url).send(ask()))).code).toBe("BODY_TOO_LARGE");
  await expect.poll(() => sockets[0]?.destroyed).toBe(true);
  expect(written).toBeLessThan(80 * A_MEGABYTE);
});

test("of an error without an end the beginning is enough", async () => {
  const chunk = Buffer.alloc(A_MEGABYTE, "x");
  const { url, sockets } = await httpServer((_, response) => {
    response.statusCode = 500;
    const more = () => {
      while (!response.destroyed && response.write(chunk));
      if (!response.destroyed) response.once("drain", more);
    };
    more();
  });
  const { status, body } = await clientOf(url).send(ask());
  expect(status).toBe(500);
  expect(body.length).toBeGreaterThan(256 * 1024);
  expect(body.length).toBeLessThan(2 * A_MEGABYTE);
  await expect.poll(() => sockets[0]?.destroyed).toBe(true);
});

test("headers without an end are a failure", async () => {
  const { url } = await answersWith(`HTTP/1.1 200 OK\r\nx: ${"y".repeat(100_000)}\r\ncontent-length: 0\r\n\r\n`);
  expect(await failureOf(clientOf(url).send(ask()))).toMatchObject({ sent: true, code: "UND_ERR_HEADERS_OVERFLOW" });
});

test("what is not HTTP is a failure that quotes none of it", async () => {
  const { url } = await answersWith("canary-4711 said the server\r\n\r\n");
  const failure = await failureOf(clientOf(url).send(ask()));
  expect(failure.sent).toBe(true);
  expect(inspect(failure, { depth: 10, showHidden: true })).not.toContain("canary-4711");
});

test("an answer that switches protocols is a failure", async () => {
  const { url } = await answersWith("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n");
  expect((await failureOf(clientOf(url).send(ask()))).sent).toBe(true);
});

test("an answer that ends early is a failure, with and without a stated length", async () => {
  for (const head of ["content-length: 10", "transfer-encoding: chunked"]) {
    const { url } = await answersWith(`HTTP/1.1 200 OK\r\n${head}\r\n\r\n5\r\nab`);
    expect((await failureOf(clientOf(url).send(ask()))).sent).toBe(true);
  }
});

test("nobody there: not sent, and said in words", async () => {
  const { url, port } = await httpServer((_, response) => response.end());
  const gone = createServer();
  await new Promise<void>((resolve) => gone.listen(0, "127.0.0.1", resolve));
  const closed = (gone.address() as { port: number }).port;
  await new Promise((resolve) => gone.close(resolve));
  expect(url).toContain(String(port));
  for (const host of ["127.0.0.1", "localhost"]) {
    const failure = await failureOf(clientOf(`http://${host}:${closed}`).send(ask({ method: "POST", body: "x" })));
    expect(failure).toMatchObject({ sent: false, code: "ECONNREFUSED" });
    expect(failure.message).toMatch(/ECONNREFUSED/);
  }
  const socketPath = join(mkdtempSync(join(tmpdir(), "spot-test-")), "no.sock");
  expect(await failureOf(clientOf("http://local", { socketPath }).send(ask()))).toMatchObject({ sent: false, code: "ENOENT" });
});

test("a signal while the connection is being made ends the waiting at once: not sent", async () => {
  // It takes the connection and says nothing: a TLS handshake that never ends.
  const { port, sockets } = await rawServer(() => undefined);
  const own = new AbortController();
  const call = failureOf(clientOf(`https://127.0.0.1:${port}`).send(ask({ signal: own.signal, method: "POST", body: "x" })));
  await expect.poll(() => sockets.length).toBe(1);
  own.abort();
  expect(await call).toMatchObject({ sent: false, message: expect.stringContaining("aborted") });
});

test("a signal while the request waits for a connection: not sent, then or later", async () => {
  const asked: (string | undefined)[] = [];
  let answer = () => undefined as unknown;
  const { url } = await httpServer((request, response) => {
    asked.push(request.url);
    answer = () => response.end("ok");
    if (request.url !== "/first") response.end("ok");
  });
  const client = clientOf(url);
  const first = client.send(ask({ path: "/first" }));
  await expect.poll(() => asked).toEqual(["/first"]);
  const own = new AbortController();
  const second = failureOf(client.send(ask({ path: "/second", signal: own.signal })));
  const third = client.send(ask({ path: "/third" }));
  own.abort();
  expect((await second).sent).toBe(false);
  answer();
  expect((await first).body).toBe("ok");
  expect((await third).body).toBe("ok");
  expect(asked).toEqual(["/first", "/third"]);
});

test("a signal that fired before, and one in flight", async () => {
  let arrived = 0;
  const { url } = await httpServer(() => {
    arrived += 1;
  });
  const client = clientOf(url);
  expect((await failureOf(client.send(ask({ signal: AbortSignal.abort() })))).sent).toBe(false);
  const own = new AbortController();
  const call = failureOf(client.send(ask({ signal: own.signal })));
  await expect.poll(() => arrived).toBe(1);
  own.abort();
  expect((await call).sent).toBe(true);
});

test("a connection that the server closes while nobody asks is not an error", async () => {
  const { url, sockets } = await httpServer((_, response) => response.end("ok"));
  const client = clientOf(url);
  for (let round = 0; round < 5; round++) {
    expect((await client.send(ask({ method: "POST", body: "x" }))).body).toBe("ok");
    for (const socket of sockets) socket.destroy();
    await systemClock.sleep(20);
  }
  expect(sockets).toHaveLength(5);
});

test("a connection is kept for the next question, and no more than told are made", async () => {
  let under = 0;
  let most = 0;
  const { url, sockets } = await httpServer((_, response) => {
    under += 1;
    most = Math.max(most, under);
    setTimeout(() => {
      under -= 1;
      response.end("ok");
    }, 20);
  });
  const client = clientOf(url, { connections: 3 });
  await Promise.all(Array.from({ length: 12 }, () => client.send(ask())));
  expect([most, sockets.length]).toEqual([3, 3]);
});

test("after close nothing is sent, and what is under way ends", async () => {
  const { url } = await httpServer(() => undefined);
  const client = clientOf(url);
  const call = failureOf(client.send(ask()));
  await systemClock.sleep(50);
  await client.close();
  expect((await call).sent).toBe(true);
  expect((await failureOf(client.send(ask()))).sent).toBe(false);
});

test("a header that cannot be sent is not sent, and not quoted", async () => {
  const { url, sockets } = await httpServer((_, response) => response.end());
  const failure = await failureOf(clientOf(url).send(ask({ headers: { authorization: "Bearer canary\nx: y" } })));
  expect(failure).toMatchObject({ sent: false, code: "UND_ERR_INVALID_ARG" });
  expect(inspect(failure, { depth: 10 })).not.toContain("canary");
  expect(sockets).toHaveLength(0);
});
