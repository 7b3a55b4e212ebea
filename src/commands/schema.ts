import type { Command } from "commander";
import { fleetFileJsonSchema } from "../fleet/spec/fleet-file-schema.ts";
import type { CommandModule, CommandResult } from "./command.ts";

/** The JSON Schema itself on a terminal and in a file, so that `spot schema > spot.schema.json` is all an editor needs. */
export const schema: CommandModule = {
  configure(command: Command) {
    command.addHelpText(
      "after",
      "\nEditors complete a fleet file that begins with\n  # yaml-language-server: $schema=./spot.schema.json\nafter  spot schema > spot.schema.json",
    );
  },
  async run(): Promise<CommandResult> {
    return {
      view: { schema: "spot.schema/1", data: fleetFileJsonSchema, render: () => JSON.stringify(fleetFileJsonSchema, null, 2) },
    };
  },
};
