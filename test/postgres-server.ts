import { execFile, execFileSync } from "node:child_process";
import { appendFileSync, chmodSync, chownSync, existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { freePort } from "./free-port.ts";

const DEBIAN = "/usr/lib/postgresql";

/** The folder of `initdb`, `postgres` and `pg_ctl`; undefined where PostgreSQL is not installed. */
export function postgresPrograms(): string | undefined {
  const versions = existsSync(DEBIAN) ? readdirSync(DEBIAN).sort((a, b) => Number(b) - Number(a)) : [];
  const folders = [...(process.env["PATH"] ?? "").split(delimiter), ...versions.map((version) => join(DEBIAN, version, "bin"))];
  return folders.find((folder) => ["initdb", "postgres", "pg_ctl"].every((program) => existsSync(join(folder, program))));
}

/** Whom the server runs as: PostgreSQL refuses to be root. */
function whoRunsIt(): { readonly uid: number; readonly gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  for (const user of ["postgres", "nobody"])
    try {
      const number = (flag: string) => Number(execFileSync("id", [flag, user], { stdio: ["ignore", "pipe", "ignore"] }));
      return { uid: number("-u"), gid: number("-g") };
    } catch {
      // Not here; the next one.
    }
  throw new Error("PostgreSQL does not run as root, and there is neither a user postgres nor nobody");
}

async function run(folder: string, program: string, args: readonly string[]): Promise<void> {
  const programs = postgresPrograms();
  if (programs === undefined) throw new Error("PostgreSQL is not installed");
  await promisify(execFile)(join(programs, program), [...args], {
    ...whoRunsIt(),
    cwd: folder,
    env: { PATH: process.env["PATH"], HOME: folder, LC_ALL: "C.UTF-8" },
  });
}

/** Who may come in how: by the socket anybody, over the network by password, to `tls_only` by TLS only. The user is `spot`. */
const HBA = `local all all trust
hostssl tls_only all 127.0.0.1/32 trust
hostnossl tls_only all 127.0.0.1/32 reject
host by_password all 127.0.0.1/32 scram-sha-256
host all all 127.0.0.1/32 trust
`;

const SETTINGS = `fsync = off
full_page_writes = off
shared_buffers = 16MB
max_connections = 150
deadlock_timeout = 50ms
log_min_messages = error
`;

/**
 * Makes and starts a server whose files, socket and log lie in `folder`.
 * @returns its port, which is also the one of its socket.
 */
export async function startPostgres(folder: string, tls?: { readonly certificate: string; readonly key: string }): Promise<number> {
  const who = whoRunsIt();
  chmodSync(folder, 0o755);
  const data = join(folder, "data");
  const sockets = join(folder, "s");
  for (const made of [data, sockets]) {
    mkdirSync(made);
    chmodSync(made, 0o700);
    if (who !== undefined) chownSync(made, who.uid, who.gid);
  }
  // Others on this computer may be tests of another user: only the socket's folder lets them in or keeps them out.
  chmodSync(sockets, 0o755);
  await run(folder, "initdb", ["-D", data, "-U", "spot", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"]);
  writeFileSync(join(data, "pg_hba.conf"), HBA);
  appendFileSync(join(data, "postgresql.conf"), SETTINGS);
  appendFileSync(join(data, "postgresql.conf"), `listen_addresses = '127.0.0.1'\nunix_socket_directories = '${sockets}'\n`);
  if (tls !== undefined) {
    for (const [name, text] of [
      ["server.crt", tls.certificate],
      ["server.key", tls.key],
    ] as const) {
      writeFileSync(join(data, name), text, { mode: 0o600 });
      if (who !== undefined) chownSync(join(data, name), who.uid, who.gid);
    }
    appendFileSync(join(data, "postgresql.conf"), "ssl = on\n");
  }
  return startSomewhere(folder);
}

/** Between the choice of a port and the start somebody else may have taken it: then it is another one. */
async function startSomewhere(folder: string): Promise<number> {
  for (let tries = 1; ; tries++) {
    const port = await freePort();
    // The last one counts.
    appendFileSync(join(folder, "data", "postgresql.conf"), `port = ${port}\n`);
    try {
      await controlPostgres(folder, "start");
      return port;
    } catch (error) {
      if (tries === 5) throw error;
    }
  }
}

export async function controlPostgres(folder: string, verb: "start" | "stop" | "restart" | "reload"): Promise<void> {
  const data = join(folder, "data");
  // Its standard streams must not be ours: the server would keep them, and whoever waits for their end would wait for it.
  const args = [verb, "-D", data, "-s", "-w", "-t", "60", ...(verb === "reload" ? [] : ["-m", "immediate"])];
  await run(folder, "pg_ctl", verb === "start" || verb === "restart" ? [...args, "-l", join(data, "log")] : args);
}

/** Ends the server of a folder, if there is one. */
export async function stopPostgres(folder: string): Promise<void> {
  if (existsSync(join(folder, "data", "postmaster.pid"))) await controlPostgres(folder, "stop");
}
