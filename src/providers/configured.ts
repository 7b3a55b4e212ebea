import type { World } from "../platform/world.ts";
import { hasCredentials } from "./credential-search.ts";
import { CLOUD_ACCESS } from "./credentials.ts";
import { knownProviders } from "./registry.ts";

/** The clouds whose credentials are there, in the order of the list of clouds; none when there are none. */
export async function cloudsWithCredentials(world: Pick<World, "env" | "home">): Promise<readonly string[]> {
  const known = CLOUD_ACCESS.filter(({ provider }) => knownProviders().includes(provider));
  const found = await Promise.all(known.map((access) => hasCredentials(access, world)));
  return known.filter((_, index) => found[index]).map(({ provider }) => provider);
}

/** Whom to ask when nobody names a provider: the clouds whose credentials are there, `local` when there are none. */
export async function configuredProviders(world: Pick<World, "env" | "home">): Promise<readonly string[]> {
  const clouds = await cloudsWithCredentials(world);
  return clouds.length === 0 ? ["local"] : clouds;
}
