import type { Command } from "commander";
import { detailView } from "../../output/detail-view.ts";
import { changeCredentials } from "../../platform/secrets.ts";
import { hasCredentials } from "../../providers/credential-search.ts";
import type { CommandContext, CommandModule, CommandResult } from "../command.ts";
import { namedCloud, warnOfEnvironment } from "./access.ts";

/** `spot provider logout NAME`: forgets what `login` kept. */
export const providerLogout: CommandModule = {
  configure(command: Command) {
    command.argument("<name>", "the provider, for example ppio");
  },
  async run(context: CommandContext): Promise<CommandResult> {
    const { world, progress } = context;
    const access = namedCloud(context);
    const change = Object.fromEntries(access.variables.map((name) => [name, null]));
    if (context.options["dryRun"] === true) {
      progress.note(`nothing was forgotten: it would be ${access.variables.join(", ")}`);
      return {};
    }
    const forgotten = await changeCredentials(world.home, change, world);
    warnOfEnvironment(context, access);
    const configured = await hasCredentials(access, world);
    if (!configured) {
      const living = (await (await context.state()).instances()).filter((record) => record.provider === access.provider);
      if (living.length > 0)
        progress.warn(
          `${living.map(({ name }) => name).join(", ")} may go on costing money at ${access.provider}, and spot can no longer reach it`,
        );
    }
    const text = forgotten.length === 0 ? `nothing was stored for ${access.title}` : `the credentials of ${access.title} are forgotten`;
    const data = { provider: access.provider, configured, forgotten };
    return { view: { ...detailView({ schema: "spot.provider/1", data, blocks: [] }), render: () => text } };
  },
};
