import type { Command } from "commander";
import { call } from "../../fleet/fleet.ts";
import { ensureVolume, volumeNamed } from "../../fleet/volumes/volumes.ts";
import { EXIT } from "../../model/exit-codes.ts";
import { requireName } from "../../model/ids.ts";
import { Problem, usageProblem } from "../../model/problem.ts";
import { volumesView } from "../../output/volumes-view.ts";
import type { Provider } from "../../providers/provider.ts";
import type { CommandContext, CommandModule, CommandResult } from "../command.ts";
import { openFleet } from "../fleet-context.ts";

const LARGEST_GB = 65_536;

/** The one that is named, or the only one that is configured: a volume lies in one place. @throws Problem (usage). */
async function chosenProvider(context: CommandContext): Promise<Provider> {
  const named = context.options["provider"];
  if (typeof named === "string") return context.provider(named);
  const [only, ...others] = await context.providers();
  if (only !== undefined && others.length === 0) return only;
  const ids = [only, ...others].flatMap((provider) => (provider === undefined ? [] : [provider.id]));
  throw usageProblem("a volume lies at one provider", `name it with --provider: ${ids.join(", ")}`);
}

export const volumesCreate: CommandModule = {
  configure(command: Command) {
    command
      .argument("<name>", "its name")
      .option("--size <gb>", "in GB", "10")
      .option("--provider <id>", "where; may be left away when only one is configured")
      .option("--zone <zone>", "the zone; the cheapest offer's when not given");
  },
  async run(context: CommandContext): Promise<CommandResult> {
    const name = requireName("a volume", context.args[0] ?? "");
    const sizeGb = Number(context.options["size"]);
    if (!Number.isInteger(sizeGb) || sizeGb < 1 || sizeGb > LARGEST_GB)
      throw usageProblem(
        `--size: ${JSON.stringify(context.options["size"])} is not a size in GB`,
        `a whole number from 1 to ${LARGEST_GB}`,
      );
    const fleet = await openFleet(context);
    if ((await volumeNamed(fleet, name)) !== undefined)
      throw new Problem({
        code: "SPOT_E_EXISTS",
        message: `there is a volume named ${name} already`,
        exit: EXIT.failed,
        next: ["spot volumes ls"],
      });
    const provider = await chosenProvider(context);
    const { signal } = context.world;
    const offers = await call(signal, (callContext) => provider.offers({}, callContext));
    const { zone } = context.options;
    const place = zone === undefined ? offers[0] : offers.find((offer) => offer.zone === zone);
    if (place === undefined)
      throw usageProblem(
        `${provider.id} has no zone ${JSON.stringify(zone)}`,
        `zones: ${[...new Set(offers.map((offer) => offer.zone))].join(", ")}`,
      );
    if (context.options["dryRun"] === true) return { view: volumesView([]) };
    const volume = await ensureVolume(fleet, provider, { name, sizeGb }, place, signal);
    return { view: volumesView([{ volume, instance: null, usedBytes: null }]) };
  },
};
