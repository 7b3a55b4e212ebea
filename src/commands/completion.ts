import type { Command } from "commander";
import { suggestion } from "../model/nearest.ts";
import { usageProblem } from "../model/problem.ts";
import { completionScript, SHELLS } from "../output/completion-script.ts";
import type { CommandContext, CommandModule, CommandResult } from "./command.ts";

export const completion: CommandModule = {
  configure(command: Command) {
    command
      .argument("<shell>", "bash, zsh or fish")
      .addHelpText(
        "after",
        "\nFor good:\n  bash  echo 'source <(spot completion bash)' >> ~/.bashrc\n  zsh   echo 'source <(spot completion zsh)' >> ~/.zshrc\n  fish  spot completion fish > ~/.config/fish/completions/spot.fish",
      );
  },
  async run(context: CommandContext): Promise<CommandResult> {
    const [word = ""] = context.args;
    const shell = SHELLS.find((known) => known === word);
    if (shell === undefined) throw usageProblem(`there is no completion for ${JSON.stringify(word)}`, suggestion(word, SHELLS));
    const script = completionScript(shell, await context.commandTree());
    return { view: { schema: "spot.completion/1", data: { shell, script }, render: () => script.trimEnd() } };
  },
};
