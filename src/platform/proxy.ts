type Environment = Readonly<Record<string, string | undefined>>;

function variable(env: Environment, name: string): string | undefined {
  const value = env[name.toLowerCase()] ?? env[name];
  return value === undefined || value === "" ? undefined : value;
}

/** Whether `NO_PROXY` excepts this host: `*`, a name, a name with a leading dot, each with or without a port. */
function isExcepted(url: URL, exceptions: string): boolean {
  return exceptions
    .split(/[\s,]+/)
    .filter((entry) => entry !== "")
    .some((entry) => {
      if (entry === "*") return true;
      const [host = "", port] = entry
        .toLowerCase()
        .replace(/^\*?\./, "")
        .split(":");
      const ownPort = url.port === "" ? (url.protocol === "https:" ? "443" : "80") : url.port;
      return (port === undefined || port === ownPort) && (url.hostname === host || url.hostname.endsWith(`.${host}`));
    });
}

/** The proxy that the environment names for this origin, by curl's rules; undefined for a direct connection. */
export function proxyFor(origin: string, env: Environment): string | undefined {
  const url = new URL(origin);
  if (["127.0.0.1", "localhost", "[::1]"].includes(url.hostname)) return undefined;
  if (isExcepted(url, variable(env, "NO_PROXY") ?? "")) return undefined;
  const proxy = url.protocol === "https:" ? variable(env, "HTTPS_PROXY") : env["http_proxy"];
  return (proxy === "" ? undefined : proxy) ?? variable(env, "ALL_PROXY");
}
