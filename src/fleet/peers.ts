import { Problem } from "../model/problem.ts";
import type { Fleet } from "./fleet.ts";

const DAY_MS = 86_400_000;
/** A computer that was not seen for so long no longer comes into new machines. */
const REMEMBERED_MS = 90 * DAY_MS;
/** The newest of them: eight take 600 of the 16,384 bytes that EC2 gives a boot script, which is half of what is free there. */
const MOST = 8;

const PUBLIC_KEY = /^(ssh-ed25519) ([A-Za-z0-9+/]+={0,2})(?: .*)?$/;

/** Kind and key of a line of `authorized_keys`, without the comment; undefined for anything that is not a key as we make them. */
function bare(line: string): string | undefined {
  const match = PUBLIC_KEY.exec(line.trim());
  return match === null ? undefined : `${match[1]} ${match[2]}`;
}

/**
 * Says in the shared state who we are and by which public key, once a day. Whatever is in the way of it is none of the
 * caller's business: machines made meanwhile do not know us, and that is all.
 */
export async function introduce(fleet: Fleet, host: string, signal: AbortSignal): Promise<void> {
  const now = fleet.clock.now();
  try {
    const publicKey = bare(await fleet.guest.publicKey(signal));
    if (publicKey === undefined) return;
    const known = (await fleet.state.peers(now - DAY_MS)).find((peer) => peer.host === host);
    if (known?.publicKey !== publicKey) await fleet.state.putPeer({ host, publicKey }, now);
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
  }
}

/** The keys of the other computers that share this state, newest first: they come into every new machine beside ours. */
export async function peerKeys(fleet: Fleet, ourKey: string): Promise<readonly string[]> {
  const peers = await fleet.state.peers(fleet.clock.now() - REMEMBERED_MS);
  const newest = peers.toSorted((a, b) => b.seenAt - a.seenAt);
  // Looked at once more, because what stands here is written into a script that runs as root.
  const keys = new Set(newest.flatMap(({ publicKey }) => bare(publicKey) ?? []));
  keys.delete(bare(ourKey) ?? "");
  return [...keys].slice(0, MOST);
}
