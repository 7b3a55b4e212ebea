import { askProviders, type Found, orphansAmong, providersInState } from "../fleet/orphans/orphan-search.ts";
import type { Orphan } from "../fleet/orphans/orphans.ts";
import { safeLine } from "../platform/terminal.ts";
import type { Provider } from "../providers/provider.ts";
import type { CommandContext } from "./command.ts";

/** `--provider`, or everybody who is configured and everybody whom our state names. */
export async function chosenProviders(context: CommandContext): Promise<readonly Provider[]> {
  const named = context.options["provider"];
  if (typeof named === "string")
    return context.providers(
      named
        .split(",")
        .map((id) => id.trim())
        .filter((id) => id !== ""),
    );
  const known = await providersInState({ state: await context.state(), clock: context.world.clock });
  const configured = await context.providers();
  const others = known.filter((id) => !configured.some((provider) => provider.id === id));
  return [...configured, ...(await Promise.all(others.map((id) => context.provider(id))))];
}

export interface Search {
  readonly orphans: readonly Orphan[];
  readonly silent: Found["silent"];
}

/** Asks them all, and names on stderr who did not answer: of those nobody can say that they have none. */
export async function searchOrphans(context: CommandContext, options: { readonly harmless: boolean }): Promise<Search> {
  const providers = await chosenProviders(context);
  context.progress.step(`asking ${providers.map(({ id }) => id).join(", ")}`);
  const { resources, silent } = await askProviders(providers, context.world.signal, options);
  const orphans = await orphansAmong(await context.state(), resources);
  context.progress.stop();
  for (const { provider, what, why } of silent) context.progress.warn(`${provider} did not tell its ${what}: ${safeLine(why)}`);
  return { orphans, silent };
}
