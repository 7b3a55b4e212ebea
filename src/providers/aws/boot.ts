import { gzipSync } from "node:zlib";
import { tightGzip } from "../../model/tight-gzip.ts";
import { ProviderError } from "../errors.ts";
import { scriptWithEnv } from "../startup-script.ts";
import { PROVIDER } from "./codes.ts";

/** Before it is written as base64 (User Guide, user data). */
const MOST_BYTES = 16_384;

/**
 * The boot script as user data: compressed, which cloud-init undoes by itself. The same script is always the same bytes, as a
 * client token wants it.
 * @throws ProviderError `invalid-request` when it is too long all the same.
 */
export function userData(bootScript: string, env: Readonly<Record<string, string>>): string {
  const plain = scriptWithEnv(bootScript, env);
  // cloud-init runs as a script what begins like one.
  const script = plain.startsWith("#!") ? plain : `#!/bin/sh\n${plain}`;
  const quick = gzipSync(script, { level: 9 });
  const packed = quick.length <= MOST_BYTES ? quick : tightGzip(script);
  if (packed.length <= MOST_BYTES) return packed.toString("base64");
  throw new ProviderError(
    PROVIDER,
    { kind: "invalid-request" },
    `what the machine runs at boot is ${packed.length} bytes when compressed, and EC2 takes ${MOST_BYTES}: the command or the environment must shrink (put long ones into a file on the volume)`,
  );
}
