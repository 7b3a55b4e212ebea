import type { Command } from "commander";
import { call } from "../../fleet/fleet.ts";
import { volumesView } from "../../output/volumes-view.ts";
import type { ProviderVolume } from "../../providers/provider.ts";
import type { CommandContext, CommandModule, CommandResult } from "../command.ts";

export const volumesLs: CommandModule = {
  configure(command: Command) {
    command.option("-a, --all", "the deleted ones too").option("--refresh", "ask the providers how full they are");
  },
  async run(context: CommandContext): Promise<CommandResult> {
    const state = await context.state();
    const volumes = await state.volumes({ includeGone: context.options["all"] === true });
    const instances = await state.instances();
    const listed = context.options["refresh"] === true ? await ask(context, new Set(volumes.map((volume) => volume.provider))) : [];
    const rows = volumes.map((volume) => ({
      volume,
      instance: instances.find((record) => record.volumes.some((used) => used.id === volume.id))?.name ?? null,
      usedBytes: listed.find((candidate) => candidate.providerId === volume.providerId)?.usedBytes ?? null,
    }));
    return { view: volumesView(rows) };
  },
};

async function ask(context: CommandContext, providers: ReadonlySet<string>): Promise<readonly ProviderVolume[]> {
  const lists = await Promise.all(
    [...providers].map(async (id) => {
      const { volumes } = await context.provider(id);
      return volumes === undefined ? [] : call(context.world.signal, (callContext) => volumes.list(callContext));
    }),
  );
  return lists.flat();
}
