import { selfExtracting } from "../model/packed-script.ts";

function shellWord(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** The boot script with the environment that it is to see, as it is. */
export function scriptWithEnv(bootScript: string, env: Readonly<Record<string, string>>): string {
  const exports = Object.entries(env).map(([name, value]) => `export ${name}=${shellWord(value)}\n`);
  return exports.length === 0 ? bootScript : `#!/bin/sh\n${exports.join("")}${bootScript}`;
}

/**
 * A startup script that unpacks the boot script and becomes it. How long a script or user data may be is not documented at
 * the clouds that take one, so it travels compressed, and the environment with it.
 */
export function startupScript(bootScript: string, env: Readonly<Record<string, string>>): string {
  return selfExtracting(scriptWithEnv(bootScript, env));
}
