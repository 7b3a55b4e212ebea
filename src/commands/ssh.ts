import type { Command } from "commander";
import { reachOf } from "../fleet/reach.ts";
import { sshAccess } from "../guest/ssh-access.ts";
import { attachSsh } from "../platform/ssh.ts";
import type { CommandContext, CommandModule, CommandResult } from "./command.ts";
import { personSits, runHere } from "./exec.ts";
import { namedInstance, openFleet, requiredName } from "./fleet-context.ts";

export const ssh: CommandModule = {
  configure(command: Command) {
    command
      .argument("<name>", "the instance")
      .argument("[command...]", "what its shell shall run instead of asking you, behind --")
      .addHelpText(
        "after",
        "\nAs with ssh itself, the words are one line for the machine's shell; spot exec hands them over word by word.\nspot config ssh --write lets plain ssh, scp and editors find the machine.",
      );
  },
  async run(context: CommandContext): Promise<CommandResult> {
    const { world } = context;
    const record = await namedInstance(context, requiredName(context));
    const words = context.args.slice(1);
    const line = words.length === 0 ? null : words.join(" ");
    const reach = await reachOf(await openFleet(context), record, world.signal);
    context.progress.stop();
    // Whoever asks for a shell gets what it prints, whatever that is; so does the terminal.
    const options = { terminal: personSits(world), screens: null, signal: world.signal };
    if (reach.kind === "ssh") return { exit: await attachSsh(sshAccess(world), reach, line, options) };
    const argv = line === null ? [world.env["SHELL"] ?? "/bin/sh"] : ["/bin/sh", "-c", line];
    return { exit: await runHere(world, reach, record, argv, null) };
  },
};
