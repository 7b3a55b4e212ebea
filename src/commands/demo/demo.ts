import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Command } from "commander";
import { newId } from "../../model/ids.ts";
import type { CommandContext, CommandModule, CommandResult } from "../command.ts";
import { createStage } from "./stage.ts";
import { playStory } from "./story.ts";

export const demo: CommandModule = {
  configure(command: Command) {
    command.option("--keep", "keep the demo's home, to look around in it");
  },
  async run(context: CommandContext): Promise<CommandResult> {
    const home = join(context.world.home, "demo", newId("d", context.world.rng).slice(0, 8));
    await mkdir(home, { recursive: true, mode: 0o700 });
    const stage = createStage(context, home, context.world.signal);
    stage.tell(
      "begin",
      "A spot instance's whole life, on a cloud that runs on this machine: real processes, real disks, a real training run, a real reclaim. No account, nothing to pay.",
      { home },
    );
    try {
      await playStory(context, stage);
    } finally {
      await strike(context, home);
    }
    return {};
  },
};

/** Takes the stage down again, whatever happened on it. Ctrl-C has ended the act; this has a signal of its own. */
async function strike(context: CommandContext, home: string): Promise<void> {
  if (context.options["keep"] === true) {
    context.progress.note(`kept: SPOT_HOME=${home}`);
    return;
  }
  const stage = createStage(context, home, new AbortController().signal);
  const stop = async () => {
    await stage.raw(["local", "reset", "--yes"]);
    await stage.raw(["local", "stop", "--force"]);
  };
  await stop().catch((error: unknown) =>
    context.progress.warn(`the demo's cloud could not be stopped: ${error instanceof Error ? error.message : String(error)}`),
  );
  await rm(home, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
}
