import { gzipSync } from "node:zlib";

const BASE64_WIDTH = 76;

/**
 * A script that unpacks and runs another one: cloud-init runs user data that begins with `#!`, and OpenStack, which is
 * behind this cloud, takes 65,535 bytes of user data in base64. What this cloud itself takes is not documented.
 */
export function selfExtracting(script: string): string {
  const packed = gzipSync(Buffer.from(script), { level: 9 }).toString("base64");
  const lines = packed.match(new RegExp(`.{1,${BASE64_WIDTH}}`, "g")) ?? [];
  return [
    "#!/bin/sh",
    "umask 077",
    "file=$(mktemp) || exit 1",
    `base64 -d <<'PACKED' | gzip -dc >"$file" || exit 1`,
    ...lines,
    "PACKED",
    'sh "$file"',
    "code=$?",
    'rm -f "$file"',
    'exit "$code"',
    "",
  ].join("\n");
}
