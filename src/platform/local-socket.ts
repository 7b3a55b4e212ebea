import { createHash } from "node:crypto";
import { join } from "node:path";

/** A Unix socket's path must fit into `sun_path`: 104 bytes on macOS, 108 on Linux, the final zero included. */
const LONGEST_SOCKET_PATH_BYTES = 100;

/**
 * Where the embedded cloud of this home listens. Both sides ask here. A home too deep for a socket gets one below
 * `temporaryFolder`; its folder must be made 0700 and checked for its owner by whoever listens or connects.
 */
export function localSocketPath(home: string, temporaryFolder: string, uid: number): string {
  const inHome = join(home, "local", "cloud.sock");
  if (Buffer.byteLength(inHome) <= LONGEST_SOCKET_PATH_BYTES) return inHome;
  const digest = createHash("sha256").update(home).digest("hex").slice(0, 16);
  return join(temporaryFolder, `spot-${uid}-${digest}`, "cloud.sock");
}

/** This user's number. Not `os.userInfo()`, which fails in a container whose user has no entry in passwd. */
export function currentUserId(): number {
  return process.getuid?.() ?? 0;
}

/** The socket of this user's cloud. `TMPDIR` is not asked: a terminal and a cron job may have different ones. */
export function ownLocalSocket(home: string): string {
  return localSocketPath(home, "/tmp", currentUserId());
}
