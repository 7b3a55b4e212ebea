import { selfExtracting } from "../model/packed-script.ts";

function shellWord(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/**
 * A startup script that unpacks the boot script and becomes it. How long a script or user data may be is not documented at
 * the clouds that take one, so it travels compressed, and the environment with it.
 */
export function startupScript(bootScript: string, env: Readonly<Record<string, string>>): string {
  const exports = Object.entries(env).map(([name, value]) => `export ${name}=${shellWord(value)}\n`);
  return selfExtracting(`${exports.join("")}${bootScript}`);
}
