import type { SshAccess } from "../platform/ssh-files.ts";
import type { World } from "../platform/world.ts";
import { credentialVariables } from "../providers/credentials.ts";
import { type CarriedText, carriedText } from "./carried.ts";

/** The ssh of this home. What opens a cloud is kept from it: a user's own configuration could send it to a machine. */
export function sshAccess({ home, env }: Pick<World, "home" | "env">): SshAccess {
  const secret = new Set(credentialVariables());
  return { home, env: Object.fromEntries(Object.entries(env).filter(([name]) => !secret.has(name))) };
}

/** What it takes to run any verb of the agent in a machine, whatever it got at boot. Keep it for as long as verbs are run. */
export function wayIn(world: Pick<World, "home" | "env" | "packageRoot">): {
  readonly ssh: SshAccess;
  readonly carried: () => Promise<CarriedText>;
} {
  return { ssh: sshAccess(world), carried: carriedText(world) };
}
