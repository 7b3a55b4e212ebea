import { gzipSync } from "node:zlib";

const LINE = 76;

function shellWord(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/**
 * A startup script that unpacks the boot script and becomes it. How long a script may be at Verda is not documented, so it
 * travels compressed: the agent fits into some 16 kB. `base64` and `gzip` are in every image that Verda offers.
 */
export function startupScript(bootScript: string, env: Readonly<Record<string, string>>): string {
  const packed = gzipSync(bootScript, { level: 9 }).toString("base64");
  const lines = packed.match(new RegExp(`.{1,${LINE}}`, "g")) ?? [];
  return [
    "#!/bin/sh",
    "# What this machine runs at boot. It was put here by spot, which also deletes it.",
    ...Object.entries(env).map(([name, value]) => `export ${name}=${shellWord(value)}`),
    "spot_boot_script=$(base64 -d <<'SPOT_END_OF_SCRIPT' | gzip -dc",
    ...lines,
    "SPOT_END_OF_SCRIPT",
    ") || exit 1",
    'eval "$spot_boot_script"',
    "",
  ].join("\n");
}
