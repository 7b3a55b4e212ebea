type Environment = Readonly<Record<string, string | undefined>>;

function variable(env: Environment, name: string): string | undefined {
  const value = env[name.toLowerCase()] ?? env[name];
  return value === undefined || value === "" ? undefined : value;
}

/** An entry of `NO_PROXY` in its two parts. An IPv6 address has colons of its own, in brackets or not. */
function hostAndPort(entry: string): { readonly host: string; readonly port: string | undefined } {
  const bracketed = /^\[([^\]]*)\](?::(\d+))?$/.exec(entry);
  if (bracketed !== null) return { host: bracketed[1] ?? "", port: bracketed[2] };
  if (entry.split(":").length > 2) return { host: entry, port: undefined };
  const [host = "", port] = entry.replace(/^\*?\./, "").split(":");
  return { host, port };
}

/** Whether `NO_PROXY` excepts this host: `*`, a name, a name with a leading dot, an address, each with or without a port. */
function isExcepted(url: URL, exceptions: string): boolean {
  const ownHost = url.hostname.replace(/^\[|\]$/g, "").replace(/\.$/, "");
  const ownPort = url.port === "" ? (url.protocol === "https:" ? "443" : "80") : url.port;
  return exceptions
    .toLowerCase()
    .split(/[\s,]+/)
    .filter((entry) => entry !== "")
    .some((entry) => {
      if (entry === "*") return true;
      const { host, port } = hostAndPort(entry);
      return (port === undefined || port === ownPort) && host !== "" && (ownHost === host || ownHost.endsWith(`.${host}`));
    });
}

/** As curl reads it: without a scheme it is an HTTP proxy. @throws Error that never quotes it: it may hold a password. */
function proxyUrl(text: string): string {
  let url: URL | undefined;
  try {
    url = new URL(text.includes("://") ? text : `http://${text}`);
  } catch {
    url = undefined;
  }
  if (url === undefined || url.hostname === "") throw new Error("the proxy that the environment names is not a URL");
  if (!["http:", "https:"].includes(url.protocol))
    throw new Error(`a ${url.protocol.replace(":", "")} proxy is not supported: name an http or https one`);
  return url.href;
}

/**
 * The proxy that the environment names for this origin, by curl's rules; undefined for a direct connection.
 * @throws Error for a proxy that cannot be used, without its credentials.
 */
export function proxyFor(origin: string, env: Environment): string | undefined {
  const url = new URL(origin);
  if (["127.0.0.1", "localhost", "[::1]"].includes(url.hostname)) return undefined;
  if (isExcepted(url, variable(env, "NO_PROXY") ?? "")) return undefined;
  // HTTP_PROXY in capitals is a request's header in a CGI's environment: curl does not read it either.
  const proxy = url.protocol === "https:" ? variable(env, "HTTPS_PROXY") : env["http_proxy"];
  const named = (proxy === "" ? undefined : proxy) ?? variable(env, "ALL_PROXY");
  return named === undefined ? undefined : proxyUrl(named);
}
