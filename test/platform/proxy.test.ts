import { createServer, type IncomingMessage } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { inspect } from "node:util";
import { describe, expect, onTestFinished, test } from "vitest";
import { HttpFailure, httpClient } from "../../src/platform/http.ts";
import { proxyFor } from "../../src/platform/proxy.ts";
import { opensslAvailable, selfSigned, tlsServer } from "./certificates.ts";
import { httpServer, rawServer } from "./raw-server.ts";
import { runProgram } from "./spawned.ts";

const PASSWORD = "canary-proxy-42";

describe("which proxy", () => {
  const cases: readonly (readonly [string, Readonly<Record<string, string>>, string | undefined])[] = [
    ["https://api.example.com", {}, undefined],
    ["https://api.example.com", { HTTPS_PROXY: "http://p:3128" }, "http://p:3128/"],
    ["https://api.example.com", { https_proxy: "http://small:1", HTTPS_PROXY: "http://big:1" }, "http://small:1/"],
    ["https://api.example.com", { https_proxy: "", HTTPS_PROXY: "http://big:1" }, undefined],
    ["https://api.example.com", { HTTP_PROXY: "http://p:3128", http_proxy: "http://p:3128" }, undefined],
    ["http://api.example.com", { http_proxy: "http://p:3128" }, "http://p:3128/"],
    ["http://api.example.com", { HTTP_PROXY: "http://p:3128" }, undefined],
    ["https://api.example.com", { ALL_PROXY: "http://all:1" }, "http://all:1/"],
    ["https://api.example.com", { ALL_PROXY: "http://all:1", HTTPS_PROXY: "http://p:1" }, "http://p:1/"],
    ["https://api.example.com", { HTTPS_PROXY: "proxy.corp:3128" }, "http://proxy.corp:3128/"],
    ["https://api.example.com", { HTTPS_PROXY: "me:pass@proxy.corp:3128" }, "http://me:pass@proxy.corp:3128/"],
    ["https://127.0.0.1:8443", { HTTPS_PROXY: "http://p:1" }, undefined],
    ["http://localhost", { http_proxy: "http://p:1" }, undefined],
    ["http://[::1]:99", { http_proxy: "http://p:1" }, undefined],
  ];
  test.each(cases)("for %s with %j: %s", (origin, env, expected) => {
    expect(proxyFor(origin, env)).toBe(expected);
  });

  const excepted: readonly (readonly [string, string, boolean])[] = [
    ["https://api.example.com", "*", true],
    ["https://api.example.com", "example.com", true],
    ["https://api.example.com", ".example.com", true],
    ["https://api.example.com", "*.example.com", true],
    ["https://api.example.com", "API.EXAMPLE.COM", true],
    ["https://api.example.com.", "example.com", true],
    ["https://api.example.com", "other.com, api.example.com", true],
    ["https://api.example.com", "other.com api.example.com", true],
    ["https://api.example.com", "api.example.com:443", true],
    ["https://api.example.com", "api.example.com:8443", false],
    ["https://api.example.com", "ample.com", false],
    ["https://api.example.com", "", false],
    ["https://api.example.com", ",,", false],
    ["https://10.1.2.3", "10.1.2.3", true],
    ["https://[2001:db8::1]", "2001:db8::1", true],
    ["https://[2001:db8::1]:8443", "[2001:db8::1]:8443", true],
    ["https://[2001:db8::1]:8443", "[2001:db8::1]:443", false],
  ];
  test.each(excepted)("%s with NO_PROXY=%s is excepted: %s", (origin, exceptions, direct) => {
    const proxy = proxyFor(origin, { HTTPS_PROXY: "http://p:1", NO_PROXY: exceptions });
    expect(proxy === undefined).toBe(direct);
  });

  test("one that cannot be used is said without its password", () => {
    for (const bad of [
      `socks5://me:${PASSWORD}@p:1080`,
      `http://me:${PASSWORD}@`,
      `http://me:${PASSWORD}@p:99999999`,
      `ftp://me:${PASSWORD}@p`,
    ]) {
      const failure = (() => {
        try {
          return proxyFor("https://api.example.com", { HTTPS_PROXY: bad });
        } catch (error) {
          return error;
        }
      })();
      expect(failure, bad).toBeInstanceOf(Error);
      expect(inspect(failure, { showHidden: true })).not.toContain(PASSWORD);
    }
  });
});

interface Proxy {
  readonly url: string;
  readonly connects: readonly IncomingMessage[];
}

/** A proxy that tunnels every host to the same port, and wants to know who comes where `authorization` says so. */
async function proxyTo(port: number, authorization?: string): Promise<Proxy> {
  const connects: IncomingMessage[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((_, response) => response.writeHead(500).end());
  server.on("connect", (request, socket: Socket) => {
    connects.push(request);
    socket.on("error", () => undefined);
    if (authorization !== undefined && request.headers["proxy-authorization"] !== authorization) {
      socket.end("HTTP/1.1 407 Proxy Authentication Required\r\nproxy-authenticate: Basic\r\ncontent-length: 0\r\n\r\n");
      return;
    }
    const far = connect(port, "127.0.0.1", () => {
      socket.write("HTTP/1.1 200 Connection Established\r\n\r\n");
      far.pipe(socket).pipe(far);
    });
    far.on("error", () => socket.destroy());
    sockets.add(socket).add(far);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy();
    server.closeAllConnections();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  });
  return { url: `127.0.0.1:${(server.address() as AddressInfo).port}`, connects };
}

async function throughProxy(proxy: string, signal: AbortSignal = new AbortController().signal): Promise<unknown> {
  const client = httpClient("http://cloud.invalid", { env: { http_proxy: proxy } });
  onTestFinished(() => client.close());
  return client
    .send({ method: "POST", path: "/v1/x?y=1", headers: { authorization: "Bearer canary-cloud" }, body: "{}", signal })
    .catch((error: unknown) => error);
}

function withoutPassword(failure: unknown): HttpFailure {
  if (!(failure instanceof HttpFailure)) throw new Error(`it ended as ${inspect(failure)}`);
  const everything = inspect(failure, { depth: 10, showHidden: true });
  expect(everything).not.toContain(PASSWORD);
  expect(everything).not.toContain(Buffer.from(`me:${PASSWORD}`).toString("base64").replace(/=+$/, ""));
  return failure;
}

describe("through a proxy", () => {
  test("the question goes through a tunnel; the proxy gets its own credentials and not the cloud's", async () => {
    const seen: IncomingMessage[] = [];
    const { port } = await httpServer((request, response) => {
      seen.push(request);
      response.end("{}");
    });
    const basic = `Basic ${Buffer.from(`me:${PASSWORD}`).toString("base64")}`;
    const proxy = await proxyTo(port, basic);
    expect(await throughProxy(`http://me:${PASSWORD}@${proxy.url}`)).toMatchObject({ status: 200 });
    expect(proxy.connects.map(({ method, url, headers }) => [method, url, headers.authorization])).toEqual([
      ["CONNECT", "cloud.invalid:80", undefined],
    ]);
    expect(seen).toHaveLength(1);
    expect(seen[0]).toMatchObject({ url: "/v1/x?y=1", headers: { host: "cloud.invalid", authorization: "Bearer canary-cloud" } });
    expect(seen[0]?.headers["proxy-authorization"]).toBeUndefined();
  });

  test("wrong credentials: not sent, the password not shown", async () => {
    const { port } = await httpServer((_, response) => response.end("{}"));
    const proxy = await proxyTo(port, "Basic nothing");
    const failure = withoutPassword(await throughProxy(`http://me:${PASSWORD}@${proxy.url}`));
    expect(failure.sent).toBe(false);
    expect(failure.message).toMatch(/407/);
  });

  test("nobody there, and no such cloud behind it: not sent", async () => {
    const nobody = await proxyTo(1);
    for (const proxy of [`http://me:${PASSWORD}@127.0.0.1:1`, `http://me:${PASSWORD}@${nobody.url}`, `socks5://me:${PASSWORD}@127.0.0.1:1`])
      expect(withoutPassword(await throughProxy(proxy)).sent).toBe(false);
  });

  test("one that never answers: the signal ends it at once, not sent", async () => {
    const { port, sockets } = await rawServer(() => undefined);
    const own = new AbortController();
    const call = throughProxy(`http://me:${PASSWORD}@127.0.0.1:${port}`, own.signal);
    await expect.poll(() => sockets.length).toBe(1);
    own.abort();
    expect(withoutPassword(await call)).toMatchObject({ sent: false, message: expect.stringContaining("aborted") });
  });
});

describe.skipIf(!opensslAvailable())("through a proxy to a cloud with a certificate", () => {
  test("one that does not hold is refused: nothing was sent, to anybody", async () => {
    const server = await tlsServer(selfSigned("DNS:cloud.invalid"));
    const proxy = await proxyTo(server.port);
    const client = httpClient("https://cloud.invalid", { env: { HTTPS_PROXY: `http://me:${PASSWORD}@${proxy.url}` } });
    onTestFinished(() => client.close());
    const failure = await client
      .send({ method: "POST", path: "/", body: "x", signal: new AbortController().signal })
      .catch((error: unknown) => error);
    expect(withoutPassword(failure)).toMatchObject({ sent: false, code: "DEPTH_ZERO_SELF_SIGNED_CERT" });
    expect(server.requests()).toBe(0);
    expect(proxy.connects.length).toBe(1);
  });

  test("one that NODE_EXTRA_CA_CERTS names is believed", async () => {
    const certificate = selfSigned("DNS:cloud.invalid");
    const server = await tlsServer(certificate);
    const proxy = await proxyTo(server.port);
    const program = `
      import { httpClient } from "../src/platform/http.ts";
      const client = httpClient("https://cloud.invalid", { env: { HTTPS_PROXY: "http://${proxy.url}" } });
      const { status } = await client.send({ method: "GET", path: "/", signal: new AbortController().signal });
      console.log(status);
    `;
    expect(await runProgram(program, { NODE_EXTRA_CA_CERTS: certificate.certificateFile })).toMatchObject({ code: 0, stdout: "200\n" });
    expect(proxy.connects.map(({ url }) => url)).toEqual(["cloud.invalid:443"]);
  });
});
