import { createHash } from "node:crypto";
import { lstat, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { EXIT } from "../model/exit-codes.ts";
import { Problem } from "../model/problem.ts";
import { ensurePrivateFolder, hasErrorCode, readFileIfThere, writeFileAtomic } from "./files.ts";
import { currentUserId } from "./local-socket.ts";

/** Whose ssh it is: `home` is SPOT_HOME, `env` is what ssh and its helpers see. */
export interface SshAccess {
  readonly home: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Our key, the pinned host keys and the sockets of open connections lie here. */
export function sshFolder(home: string): string {
  return join(home, "ssh");
}

export function privateKeyFile(home: string): string {
  return join(sshFolder(home), "id_ed25519");
}

/** Host keys, one line for each machine's alias, pinned when it was first met. */
export function knownHostsFile(home: string): string {
  return join(sshFolder(home), "known_hosts");
}

/** The Host blocks that `spot config ssh --write` keeps. */
export function sshConfigFile(home: string): string {
  return join(sshFolder(home), "config");
}

/** What fits into `sun_path` on macOS (104 bytes with its zero), less the 17 that ssh adds while it makes the socket. */
const LONGEST_CONTROL_PATH_BYTES = 86;
const NAME_BYTES = 16;

/** Where the sockets of this home's connections lie: in it, or below /tmp when it is too deep for a socket. */
export function controlFolder(home: string, uid: number = currentUserId()): string {
  const inHome = join(sshFolder(home), "c");
  if (Buffer.byteLength(inHome) + 1 + NAME_BYTES <= LONGEST_CONTROL_PATH_BYTES) return inHome;
  return join("/tmp", `spot-${uid}-${digest(home)}`);
}

function digest(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, NAME_BYTES);
}

/** The socket of one machine's connection, without the folder. */
export function controlName(target: {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly alias: string;
}): string {
  return digest(JSON.stringify([target.alias, target.user, target.host, target.port]));
}

/** Makes the folder for the sockets. Undefined when somebody else holds that place: then connections are not shared. */
export async function ensureControlFolder(home: string): Promise<string | undefined> {
  const folder = controlFolder(home);
  await ensurePrivateFolder(sshFolder(home));
  try {
    await mkdir(folder, { mode: 0o700 });
  } catch (error) {
    if (!hasErrorCode(error, "EEXIST")) throw error;
  }
  const stat = await lstat(folder);
  return stat.isDirectory() && stat.uid === currentUserId() && (stat.mode & 0o077) === 0 ? folder : undefined;
}

// It answers only when it is asked for this very machine's password: not for a key's passphrase, and not for the password of
// a host that the user's own configuration puts in between.
const ASKPASS = `#!/bin/sh
case \${1-} in
  "$SPOT_SSH_ASKED_FOR's password:"* | "($SPOT_SSH_ASKED_FOR) "*) printf '%s\\n' "$SPOT_SSH_PASSWORD" ;;
  *) exit 1 ;;
esac
`;

/**
 * Environment of an ssh that may need a machine's password: the program that ssh asks reads it there, so that it stands
 * neither in the arguments of a process nor on a disk.
 */
export async function passwordEnvironment(
  home: string,
  target: { readonly user: string; readonly alias: string; readonly password: string },
): Promise<Readonly<Record<string, string>>> {
  const file = join(sshFolder(home), "askpass");
  await ensurePrivateFolder(sshFolder(home));
  if ((await readFileIfThere(file)) !== ASKPASS) await writeFileAtomic(file, ASKPASS, 0o700);
  return {
    SSH_ASKPASS: file,
    SSH_ASKPASS_REQUIRE: "force",
    SPOT_SSH_ASKED_FOR: `${target.user}@${target.alias}`,
    SPOT_SSH_PASSWORD: target.password,
  };
}

/** A path as the value of an ssh option: percent signs doubled, quoted where it has to be. @throws Problem for one that ssh cannot be told. */
export function sshPath(path: string): string {
  if (/[\n\r\0]/.test(path) || path.includes("${"))
    throw new Problem({
      code: "SPOT_E_SSH_PATH",
      message: `ssh cannot be told the path ${JSON.stringify(path)}`,
      hint: "SPOT_HOME moves everything that spot writes to another folder",
      exit: EXIT.failed,
    });
  const plain = path.replaceAll("%", "%%");
  return /^[A-Za-z0-9/._%@+,:=-]+$/.test(plain) ? plain : `"${plain.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;
}
