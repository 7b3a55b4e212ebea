import type { SshAccess } from "../platform/ssh-files.ts";
import type { World } from "../platform/world.ts";
import { credentialVariables } from "../providers/credentials.ts";

/** The ssh of this home. What opens a cloud is kept from it: a user's own configuration could send it to a machine. */
export function sshAccess({ home, env }: Pick<World, "home" | "env">): SshAccess {
  const secret = new Set(credentialVariables());
  return { home, env: Object.fromEntries(Object.entries(env).filter(([name]) => !secret.has(name))) };
}
