import type { Command } from "commander";
import { forget as forgetRecord } from "../fleet/orphans/forget.ts";
import { EXIT } from "../model/exit-codes.ts";
import { moneyText } from "../model/money.ts";
import { Problem } from "../model/problem.ts";
import { instancesView } from "../output/instances-view.ts";
import type { InstanceRecord } from "../state/records.ts";
import type { CommandContext, CommandModule, CommandResult } from "./command.ts";
import { instanceRows, namedInstance, openFleet, requiredName } from "./fleet-context.ts";

export const forget: CommandModule = {
  configure(command: Command) {
    command.argument("<name>", "the instance").addHelpText(
      "after",
      `
Only our record goes. The machine runs on and costs what it costs; nobody looks after it any more:
no notice is answered, no time limit of ours holds. spot orphans shows it for as long as it lives,
spot adopt takes it back, spot reap ends it.

Example:
  $ spot forget trainer`,
    );
  },
  async run(context: CommandContext): Promise<CommandResult> {
    const record = await namedInstance(context, requiredName(context));
    if (context.options["dryRun"] === true) return { view: instancesView(await instanceRows(context, [record])) };
    if (!(await context.confirm(question(record), "--yes")))
      throw new Problem({ code: "SPOT_E_DECLINED", message: "nothing was forgotten", exit: EXIT.refused });
    const fleet = await openFleet(context);
    const forgotten = await forgetRecord(fleet, record, context.world.signal);
    context.progress.stop();
    if (forgotten.providerId !== null)
      context.progress.note(
        `${record.name} is forgotten; its machine goes on at ${record.provider}: spot adopt ${record.provider}/${forgotten.providerId} takes it back`,
      );
    for (const { name } of forgotten.volumes)
      context.progress.note(`volume ${name} stays ours, and goes on billing: spot volumes rm ${name}`);
    return { view: instancesView(await instanceRows(context, [forgotten])) };
  },
};

function question({ name, provider, providerId, price }: InstanceRecord): string {
  if (providerId === null) return `Forget ${name}? It has no machine now; its volumes stay.`;
  const cost = price === null ? "at a price that is not known" : `for ${moneyText(price)}/hour`;
  return `Forget ${name}? Its machine (${provider} ${providerId}) goes on ${cost}, and nobody looks after it.`;
}
