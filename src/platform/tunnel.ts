import type { IncomingMessage, RequestOptions } from "node:http";
import type { Socket } from "node:net";

type Undici = typeof import("undici");
type Connector = import("undici").buildConnector.connector;

const BAD_CREDENTIALS = 407;

function refusal(status: number | undefined): Error {
  const why =
    status === BAD_CREDENTIALS
      ? "the proxy does not take the credentials that its URL has, or wants some"
      : "the proxy refused the connection";
  return Object.assign(new Error(`${why} (HTTP ${status})`), { code: "PROXY_REFUSED" });
}

function requestFor(proxy: URL, target: string, withinMs: number): RequestOptions {
  const { username, password, protocol, hostname, port } = proxy;
  const credentials = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return {
    method: "CONNECT",
    host: hostname.replace(/^\[|\]$/g, ""),
    port: port === "" ? (protocol === "https:" ? 443 : 80) : Number(port),
    path: target,
    headers: {
      host: target,
      ...(credentials === ":" ? {} : { "proxy-authorization": `Basic ${Buffer.from(credentials).toString("base64")}` }),
    },
    agent: false,
    timeout: withinMs,
  };
}

/**
 * Connections through an HTTP proxy, by a tunnel (CONNECT, RFC 9110, 9.3.6): the proxy sees where to, and nothing of what
 * is said. undici's own ProxyAgent asks again without a pause, for ever, when a proxy hangs up instead of answering.
 */
export async function tunnelThrough({ buildConnector }: Undici, proxy: string, withinMs: number): Promise<Connector> {
  const [{ request: overHttp }, { request: overHttps }] = await Promise.all([import("node:http"), import("node:https")]);
  const secure = buildConnector({ timeout: withinMs });
  const url = new URL(proxy);
  return (options, callback) => {
    const port = options.port === "" ? (options.protocol === "https:" ? "443" : "80") : options.port;
    const host = options.hostname.includes(":") ? `[${options.hostname}]` : options.hostname;
    const asked = (url.protocol === "https:" ? overHttps : overHttp)(requestFor(url, `${host}:${port}`, withinMs));
    asked.once("timeout", () => asked.destroy(Object.assign(new Error("the proxy does not answer"), { code: "PROXY_TIMEOUT" })));
    asked.once("error", (error) => callback(error, null));
    asked.once("connect", ({ statusCode }: IncomingMessage, socket: Socket, head: Buffer) => {
      socket.setTimeout(0);
      if (statusCode !== 200) {
        socket.on("error", () => undefined).destroy();
        callback(refusal(statusCode), null);
        return;
      }
      if (head.length > 0) socket.unshift(head);
      if (options.protocol === "https:") secure({ ...options, httpSocket: socket }, callback);
      else callback(null, socket);
    });
    asked.end();
  };
}
