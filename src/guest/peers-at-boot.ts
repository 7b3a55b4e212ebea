import { usageProblem } from "../model/problem.ts";

/** Who else comes into a machine, wherever we do ourselves. Keys are `ssh-ed25519 …`, without a comment. */
export interface GuestPeers {
  readonly ourKey: string;
  readonly keys: readonly string[];
}

const KEY = /^ssh-ed25519 [A-Za-z0-9+/]+={0,2}$/;

/**
 * Lines of shell that let the other computers of a shared state in, under whatever user the cloud lets us in: each cloud has
 * one of its own, so our own key tells. A line that restricts our key (`command="…"` before it) is none that lets anybody in.
 * @throws Problem (usage) for a key that is none: it would be part of a script.
 */
export function peersAtBoot({ ourKey, keys }: GuestPeers): readonly string[] {
  const ours = ourKey.split(" ").slice(0, 2).join(" ");
  for (const key of [ours, ...keys]) if (!KEY.test(key)) throw usageProblem("a public key of a shared state is none of spot's");
  if (keys.length === 0) return [];
  return [
    `spot_beside() {
for spot_keys in "$spot_root"/root/.ssh/authorized_keys "$spot_root"/home/*/.ssh/authorized_keys; do
  grep -qs '^${ours}' "$spot_keys" || continue
  if [ -n "$(tail -c 1 "$spot_keys")" ]; then echo >>"$spot_keys" || return 1; fi
  for spot_key in ${keys.map((key) => key.split(" ")[1]).join(" ")}; do
    grep -qF "$spot_key" "$spot_keys" || echo "ssh-ed25519 $spot_key spot" >>"$spot_keys" || return 1
  done
done
}
spot_beside || echo 'spot: the keys of other computers could not be written' >>"$spot_lib/console.log"`,
  ];
}
