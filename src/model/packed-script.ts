import { gzipSync } from "node:zlib";

/** The script, compressed (gzip) and as base64 on one line: for whoever brings it to the machine by a way of his own. */
export function packedScript(script: string): string {
  return gzipSync(script, { level: 9 }).toString("base64");
}

/**
 * A small script that does what `script` does, less than half as long: for clouds that take only so much. It needs `base64
 * -d` and `gzip -d`, which coreutils with gzip and busybox both have, and a folder to write to.
 */
export function selfExtracting(script: string): string {
  const lines = packedScript(script).match(/.{1,76}/g) ?? [];
  return [
    "#!/bin/sh",
    "set -eu",
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the shell's own expansion; only machines of tests have a root of their own
    "spot_root=${SPOT_ROOT-}",
    'mkdir -p "$spot_root/var/lib/spot"',
    "spot_umask=$(umask)",
    "umask 077",
    'base64 -d <<SPOT_END_OF_FILE | gzip -dc >"$spot_root/var/lib/spot/boot.sh"',
    ...lines,
    "SPOT_END_OF_FILE",
    'umask "$spot_umask"',
    'exec sh "$spot_root/var/lib/spot/boot.sh"',
    "",
  ].join("\n");
}
