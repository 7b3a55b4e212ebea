import { join } from "node:path";
import { usageProblem } from "../model/problem.ts";
import { TLS_MODES, type TlsFiles, type TlsMode } from "../platform/postgres-tls.ts";

export const STATE_URL = "SPOT_STATE_URL";

type Environment = Readonly<Record<string, string | undefined>>;

/** What a URL says of a server; the files that it names are not read yet. */
export interface ServerPlace {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
  readonly password: string | undefined;
  readonly tlsMode: TlsMode;
  readonly tlsFiles: TlsFiles;
  readonly options: string | undefined;
  readonly channelBinding: boolean;
}

/** Where the state lies. `name` is for people: it never holds a password. */
export type StatePlace =
  | { readonly kind: "sqlite"; readonly name: string; readonly path: string }
  | { readonly kind: "postgres"; readonly name: string; readonly server: ServerPlace };

const ACCEPTED = "postgres://USER:PASSWORD@HOST:PORT/DATABASE (or postgresql://…)";
const USUAL_PORT = 5432;
const NO_HOST = "no-host.invalid";

// Whatever is wrong with it, the text itself is never repeated: it holds a password.
function refuse(what: string, hint = `accepted is ${ACCEPTED}; without ${STATE_URL} the state lies in a file of SPOT_HOME`) {
  return usageProblem(`${STATE_URL} ${what}`, hint, ["spot config show"]);
}

function parts(text: string): URL {
  if (!/^postgres(?:ql)?:\/\//i.test(text)) throw refuse("is no postgres:// or postgresql:// URL");
  const mistaken = "is not a URL that can be read";
  const encode = "write @ : / ? # and % in a user's name or a password as %40 %3A %2F %3F %23 %25";
  let url: URL;
  try {
    // `USER@/DATABASE?host=…` is usual where the server is a socket, and no URL as the standard has it.
    url = new URL(text.trim().replace(/^([a-z]+:\/\/[^/?#]*@)(?=[/?]|$)/i, `$1${NO_HOST}`));
  } catch {
    throw refuse(mistaken, `accepted is ${ACCEPTED}; ${encode}`);
  }
  // A password with one of these in it has been taken apart in the wrong place, and a piece of it stands where it would be shown.
  if (url.hash !== "" || /[@:]/.test(url.pathname) || url.search.includes("@") || url.pathname.lastIndexOf("/") > 0)
    throw refuse(mistaken, encode);
  return url;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw refuse("holds a % that stands for nothing", "write a percent sign as %25");
  }
}

function wholePort(text: string): number {
  const port = Number(text);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) throw refuse("names no port that there is");
  return port;
}

/** A socket, or this very machine: nobody is in between. */
function isNear(host: string): boolean {
  return host.startsWith("/") || host === "localhost" || host === "::1" || /^127\./.test(host);
}

function tlsModeOf(said: string | undefined, host: string): TlsMode {
  if (said === undefined || said === "") return isNear(host) ? "disable" : "verify-full";
  const mode = TLS_MODES.find((known) => known === said);
  if (mode === undefined) throw refuse("asks for an sslmode that is not known", `sslmode is one of ${TLS_MODES.join(", ")}`);
  return mode;
}

/** Parameters of ours that are known; others of TLS are refused, because to leave one out would weaken what was asked for. */
const TLS_PARAMETERS = ["sslmode", "sslrootcert", "sslcert", "sslkey"];

function serverOf(text: string, env: Environment): ServerPlace {
  const url = parts(text);
  const said = (name: string) => url.searchParams.get(name) || undefined;
  const unknown = [...url.searchParams.keys()].find((name) => name.startsWith("ssl") && !TLS_PARAMETERS.includes(name));
  if (unknown !== undefined) throw refuse("has a TLS parameter that is not known", `known are ${TLS_PARAMETERS.join(", ")}`);
  if (said("password") !== undefined)
    throw refuse("has its password among the parameters", "it belongs before the @, or into PGPASSWORD or ~/.pgpass");
  const host =
    (url.hostname === NO_HOST ? "" : decoded(url.hostname)).replace(/^\[(.*)\]$/, "$1") || said("host") || env["PGHOST"] || "localhost";
  const user = decoded(url.username) || said("user") || env["PGUSER"] || env["USER"] || env["LOGNAME"] || "postgres";
  return {
    host,
    port: wholePort(url.port || said("port") || env["PGPORT"] || String(USUAL_PORT)),
    database: decoded(url.pathname.slice(1)) || said("dbname") || env["PGDATABASE"] || user,
    user,
    password: decoded(url.password) || env["PGPASSWORD"] || undefined,
    tlsMode: tlsModeOf(said("sslmode") ?? env["PGSSLMODE"], host),
    tlsFiles: { rootCert: said("sslrootcert") ?? env["PGSSLROOTCERT"], cert: said("sslcert"), key: said("sslkey") },
    options: said("options"),
    channelBinding: said("channel_binding") === "require" || said("channel_binding") === "prefer",
  };
}

/**
 * Where the state lies: in a file of the home unless `SPOT_STATE_URL` names a PostgreSQL. What its URL leaves out is taken from
 * the variables that PostgreSQL's own programs read.
 * @throws Problem (usage) for any other URL; it never repeats it.
 */
export function statePlace(home: string, env: Environment): StatePlace {
  const text = env[STATE_URL] ?? "";
  if (text === "") {
    const path = join(home, "state.db");
    return { kind: "sqlite", name: path, path };
  }
  const server = serverOf(text, env);
  const { host, port, database } = server;
  const where = host.startsWith("/") ? `${host} (port ${port})` : `${host.includes(":") ? `[${host}]` : host}:${port}`;
  return { kind: "postgres", name: `${database} at ${where}`, server };
}
