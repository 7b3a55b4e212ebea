import { inspect } from "node:util";
import { describe, expect, test } from "vitest";
import { systemClock } from "../../src/platform/clock.ts";
import { cloudHttp } from "../../src/providers/cloud-http.ts";
import { ProviderError } from "../../src/providers/errors.ts";
import { opensslAvailable, selfSigned, tlsServer } from "./certificates.ts";
import { httpServer } from "./raw-server.ts";
import { runProgram } from "./spawned.ts";

const SECRET = "canary-tls-0815";

async function errorOf(baseUrl: string, effect: "read" | "change"): Promise<ProviderError> {
  const http = cloudHttp({
    provider: "test",
    baseUrl,
    clock: systemClock,
    env: {},
    headers: () => ({ authorization: `Bearer ${SECRET}` }),
    secrets: () => [SECRET],
  });
  const request = { method: effect === "read" ? "GET" : "POST", path: "/x", effect, signal: new AbortController().signal } as const;
  const error = await http.send(request).catch((failure: unknown) => failure);
  await http.close();
  if (!(error instanceof ProviderError)) throw new Error(`it ended as ${inspect(error)}`);
  return error;
}

/** Sends one question as a program of its own and writes what came of it. */
const PROGRAM = `
import { httpClient } from "../src/platform/http.ts";
const client = httpClient(process.env.TEST_URL);
const signal = new AbortController().signal;
const said = await client.send({ method: "GET", path: "/", signal }).then(
  ({ status }) => "status " + status,
  ({ message, sent, code }) => JSON.stringify({ message, sent, code }),
);
console.log(said);
`;

describe.skipIf(!opensslAvailable())("certificates", () => {
  test("one that signs itself: said so, nothing sent, whatever was asked", async () => {
    const server = await tlsServer(selfSigned("IP:127.0.0.1"));
    for (const effect of ["read", "change"] as const) {
      const error = await errorOf(server.url, effect);
      expect(error).toMatchObject({ fault: { kind: "unavailable" }, rawCode: "DEPTH_ZERO_SELF_SIGNED_CERT" });
      expect(error.message).toMatch(/certificate of https:\/\/127\.0\.0\.1:\d+ does not verify.*nothing was sent.*NODE_EXTRA_CA_CERTS/);
      expect(inspect(error, { depth: 10, showHidden: true })).not.toContain(SECRET);
    }
    expect(server.requests()).toBe(0);
  });

  test("one that NODE_EXTRA_CA_CERTS names is believed", async () => {
    const certificate = selfSigned("IP:127.0.0.1");
    const server = await tlsServer(certificate);
    const { stdout } = await runProgram(PROGRAM, { TEST_URL: server.url, NODE_EXTRA_CA_CERTS: certificate.certificateFile });
    expect(stdout.trim()).toBe("status 200");
    expect(server.requests()).toBe(1);
  });

  test("one for another name is refused although its authority is known: nothing sent", async () => {
    const certificate = selfSigned("DNS:somebody-else.example");
    const server = await tlsServer(certificate);
    const { stdout } = await runProgram(PROGRAM, { TEST_URL: server.url, NODE_EXTRA_CA_CERTS: certificate.certificateFile });
    expect(JSON.parse(stdout)).toMatchObject({ sent: false, code: "ERR_TLS_CERT_ALTNAME_INVALID" });
    expect(server.requests()).toBe(0);
  });

  test("a server that speaks plain HTTP where HTTPS is expected: nothing was sent", async () => {
    let requests = 0;
    const { port } = await httpServer((_, response) => {
      requests += 1;
      response.end();
    });
    const error = await errorOf(`https://127.0.0.1:${port}`, "change");
    expect(error.fault.kind).toBe("unavailable");
    expect(requests).toBe(0);
  });
});

test("a connection that is kept for later does not keep the program", async () => {
  const { url } = await httpServer((_, response) => response.setHeader("keep-alive", "timeout=600").end("{}"));
  const { code, stdout } = await runProgram(PROGRAM, { TEST_URL: url });
  expect([code, stdout.trim()]).toEqual([0, "status 200"]);
});

test("an error whose body was not read to its end does not keep the program either", async () => {
  const { url } = await httpServer((_, response) => {
    response.statusCode = 500;
    const more = () => {
      while (!response.destroyed && response.write(Buffer.alloc(65_536, "x")));
      if (!response.destroyed) response.once("drain", more);
    };
    more();
  });
  const { code, stdout } = await runProgram(PROGRAM, { TEST_URL: url });
  expect([code, stdout.trim()]).toEqual([0, "status 500"]);
});
