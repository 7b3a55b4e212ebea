import { isIP } from "node:net";
import { join } from "node:path";
import { EXIT } from "../model/exit-codes.ts";
import { Problem } from "../model/problem.ts";
import { controlName, knownHostsFile, privateKeyFile, sshPath } from "./ssh-files.ts";

/** Where one machine is come into. All of it was said by a cloud. */
export interface SshTarget {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  /** Where the cloud gives one; null where only keys open. */
  readonly password: string | null;
  /** Under which its host key is pinned. */
  readonly alias: string;
}

const HOST = /^(?=.{1,253}$)[A-Za-z0-9](?:[A-Za-z0-9-]{0,62})(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,62}))*\.?$/;
const USER = /^[A-Za-z_][A-Za-z0-9_.-]{0,31}$/;
const ALIAS = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,200}$/;

/**
 * Lets only those through whose every part is what it is meant to be: nothing that ssh, its configuration or a shell could
 * take for something else.
 * @throws Problem that names the part.
 */
export function requireSafeTarget<Target extends SshTarget>(target: Target): Target {
  const wrong = (what: string, value: unknown) =>
    new Problem({
      code: "SPOT_E_REACH",
      message: `the cloud named ${JSON.stringify(value).slice(0, 120)} as the ${what} of a machine, which is none`,
      hint: "nothing was sent there",
      exit: EXIT.failed,
    });
  if (!HOST.test(target.host) && (isIP(target.host) !== 6 || target.host.includes("%"))) throw wrong("address", target.host);
  if (!Number.isInteger(target.port) || target.port < 1 || target.port > 65_535) throw wrong("SSH port", target.port);
  if (!USER.test(target.user)) throw wrong("user", target.user);
  if (!ALIAS.test(target.alias)) throw wrong("name", target.alias);
  if (target.password !== null && /[\n\r\0]/.test(target.password)) throw wrong("password", "…");
  return target;
}

export interface SshUse {
  /** `quiet`: nobody sits there, nothing is forwarded. `person`: somebody may be asked, and their own configuration counts. */
  readonly for: "quiet" | "person";
  readonly terminal: boolean;
  /**
   * `ours`: our key, and the user's where they lie in the usual places. `all`: every key of the user's agent besides, which
   * may be more than a server lets anybody try.
   */
  readonly keys: "ours" | "all";
  /** Where the socket of the shared connection lies; undefined: a connection of its own. */
  readonly controlFolder: string | undefined;
}

/** How long an idle connection stays open for the next call. */
const PERSIST = "60s";
const CONNECT_SECONDS = 10;
/** A connection that says nothing for three times so many seconds is given up. */
const ALIVE_SECONDS = 10;
const USERS_KEYS = ["id_ed25519", "id_ecdsa", "id_rsa"];

/** What pins a machine's host key and offers our key: for our own calls and for the user's `~/.ssh/config` alike. */
export function identityOptions(home: string, alias: string): readonly (readonly [string, string])[] {
  return [
    ["IdentityFile", sshPath(privateKeyFile(home))],
    ["HostKeyAlias", alias],
    ["UserKnownHostsFile", sshPath(knownHostsFile(home))],
    ["StrictHostKeyChecking", "accept-new"],
    // Addresses go from one machine to the next; the alias does not.
    ["CheckHostIP", "no"],
    // So that the name that a problem tells to forget can be found in the file.
    ["HashKnownHosts", "no"],
  ];
}

/** The arguments of ssh up to and with the host; the command for the machine follows. */
export function sshArguments(home: string, target: SshTarget, use: SshUse): readonly string[] {
  const { host, port, user, alias, password } = requireSafeTarget(target);
  const options: (readonly [string, string])[] = [
    ...identityOptions(home, alias),
    ...USERS_KEYS.map((name) => ["IdentityFile", `~/.ssh/${name}`] as const),
    ...(use.keys === "ours" ? [["IdentitiesOnly", "yes"] as const] : []),
    ["ConnectTimeout", String(CONNECT_SECONDS)],
    ["ServerAliveInterval", String(ALIVE_SECONDS)],
    ["ServerAliveCountMax", "3"],
    ["LogLevel", "ERROR"],
    ["RemoteCommand", "none"],
    ["NumberOfPasswordPrompts", "1"],
    ...(use.controlFolder === undefined
      ? [["ControlPath", "none"] as const]
      : ([
          ["ControlMaster", "auto"],
          ["ControlPersist", PERSIST],
          ["ControlPath", sshPath(join(use.controlFolder, controlName(target)))],
        ] as const)),
  ];
  if (use.for === "quiet")
    options.push(
      // With a password our own program answers; ssh asks nobody in batch mode, not even a program.
      ["BatchMode", password === null ? "yes" : "no"],
      ["ForwardAgent", "no"],
      ["ForwardX11", "no"],
      ["ClearAllForwardings", "yes"],
      ["PermitLocalCommand", "no"],
    );
  return [
    use.terminal ? "-tt" : "-T",
    ...options.flatMap(([name, value]) => ["-o", `${name}=${value}`]),
    "-p",
    String(port),
    "-l",
    user,
    "--",
    host,
  ];
}
