import type { Command } from "commander";
import { copyCheckpoint, endText, type TravelEnd } from "../../fleet/volumes/checkpoint-travel.ts";
import { bytesText } from "../../model/bytes.ts";
import { usageProblem } from "../../model/problem.ts";
import { copyView } from "../../output/copy-view.ts";
import type { CommandContext, CommandModule, CommandResult } from "../command.ts";
import { openFleet } from "../fleet-context.ts";
import { syncAll } from "./ls.ts";
import { targetEnd, wantedCheckpoint } from "./travel-ends.ts";

export const checkpointsCopy: CommandModule = {
  configure(command: Command) {
    command
      .argument("<checkpoint>", "its id, an instance for its newest one, s3://BUCKET/PREFIX/ID, or its folder here (./ID)")
      .requiredOption("--to <place>", "s3://BUCKET/PREFIX, a volume, an instance for the volume it has, or a folder here (./FOLDER)")
      .option("--from <volume>", "the volume from which it is read, where it lies on several")
      .option(
        "--verify <how>",
        "in a bucket: checksum (what the server confirms; where it confirms nothing, all is read back) or read",
        "checksum",
      )
      .addHelpText(
        "after",
        `
A checkpoint keeps its id. What is at the far end already, also of a copy that was broken off, is
not sent again; it is listed there when all of it was verified there, and not before.

Keys for a bucket come as the AWS SDK finds them (AWS_ACCESS_KEY_ID, a profile, …), a server other
than AWS from AWS_ENDPOINT_URL_S3, the region from AWS_REGION. They never reach a machine.

Examples:
  $ spot checkpoints copy trainer --to s3://backups/spot
  $ spot checkpoints copy s3://backups/spot/c-20261122T054200Z-00001a2b --to other-volume --dry-run`,
      );
  },
  async run(context: CommandContext): Promise<CommandResult> {
    const { args, options, world, progress } = context;
    const [text = ""] = args;
    const how = String(options["verify"] ?? "checksum");
    if (how !== "checksum" && how !== "read") throw usageProblem(`--verify ${how}: it is checksum or read`);
    const fleet = await openFleet(context);
    const to = await targetEnd(context, fleet, String(options["to"] ?? ""));
    if (!/[/]/.test(text)) await syncAll(context);
    const { id, from } = await wantedCheckpoint(context, fleet, text);
    if (isSame(from, to)) throw usageProblem(`${id} lies in ${endText(to)} already: both ends are the same`);
    const dryRun = options["dryRun"] === true;
    progress.step(`looking at ${id} in ${endText(from)} and at what ${endText(to)} has of it`);
    const report = await copyCheckpoint(
      { fleet, world },
      { id, from, to },
      { signal: world.signal, dryRun, readBack: how === "read", ...counting(context, id, dryRun) },
    );
    if (dryRun) progress.note("nothing was copied: this is what would be");
    else progress.done(`${id} is in ${endText(to)}, verified there`);
    return { view: copyView({ ...report, isBilled: from.kind === "bucket" || to.kind === "bucket" }) };
  },
};

function isSame(from: TravelEnd, to: TravelEnd): boolean {
  return (
    from.kind === to.kind &&
    endText(from) === endText(to) &&
    (from.kind !== "volume" || to.kind !== "volume" || from.volume.id === to.volume.id)
  );
}

/** Says how far it is, in steps of a twentieth. */
function counting({ progress }: CommandContext, id: string, dryRun: boolean) {
  let missing = 0;
  let moved = 0;
  let said = -1;
  const say = () => {
    const twentieth = missing === 0 ? 20 : Math.floor((20 * moved) / missing);
    if (twentieth === said || dryRun) return;
    said = twentieth;
    progress.step(`copying ${id}: ${bytesText(moved)} of ${bytesText(missing)}`);
  };
  return {
    onPlan({ bytes, presentBytes }: { readonly bytes: number; readonly presentBytes: number }) {
      missing = bytes - presentBytes;
      if (presentBytes > 0) progress.note(`${bytesText(presentBytes)} of ${bytesText(bytes)} are there already`);
      say();
    },
    onMoved(bytes: number) {
      moved += bytes;
      say();
    },
    onWarning: (text: string) => progress.warn(text),
  };
}
