import { chmod, realpath, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Command } from "commander";
import { usageProblem } from "../../model/problem.ts";
import type { View } from "../../output/view.ts";
import { ensurePrivateFolder, hasErrorCode, readFileIfThere, writeFileAtomic } from "../../platform/files.ts";
import { sshConfigFile } from "../../platform/ssh-files.ts";
import type { CommandContext, CommandModule, CommandResult } from "../command.ts";
import { includeLine, type SshHost, sshBlocks, sshHosts, writeSshConfig } from "./ssh-blocks.ts";

export const configSsh: CommandModule = {
  configure(command: Command) {
    command
      .option("--write", "keep the blocks in a file that is brought up to date, and let ~/.ssh/config include it")
      .addHelpText(
        "after",
        "\nThen ssh NAME, scp, rsync and editors find the machines by their names. To undo it, delete the Include line again.",
      );
  },
  async run(context: CommandContext): Promise<CommandResult> {
    const { home } = context.world;
    if (context.options["write"] !== true) {
      const hosts = sshHosts(await (await context.state()).instances());
      return { view: view(home, hosts, false, hosts.length === 0 ? NOBODY : sshBlocks(home, hosts).trimEnd()) };
    }
    if (context.options["dryRun"] === true) {
      const hosts = sshHosts(await (await context.state()).instances());
      return { view: view(home, hosts, false, `would write ${sshConfigFile(home)} and include it in ${usersConfig(context)}`) };
    }
    const included = await include(context);
    const hosts = await writeSshConfig(context);
    const names = hosts.length === 0 ? "no machine is up now; those to come" : hosts.map(({ name }) => name).join(", ");
    const text = included
      ? `ssh finds by name: ${names}`
      : `${sshConfigFile(home)} is kept up to date; ssh does not read it without the line\n${includeLine(home)}`;
    return { view: view(home, hosts, included, text) };
  },
};

const NOBODY = "# no machine that is up is come into by SSH";

function view(home: string, hosts: readonly SshHost[], included: boolean, text: string): View {
  return { schema: "spot.ssh-config/1", data: { hosts, file: sshConfigFile(home), included }, render: () => text };
}

function usersConfig({ world }: CommandContext): string {
  const user = world.env["HOME"];
  if (user === undefined || !user.startsWith("/"))
    throw usageProblem("HOME is not set, so that ~/.ssh/config is nowhere", "without --write the blocks are printed");
  return join(user, ".ssh", "config");
}

/** Puts our line at the head of ~/.ssh/config, after asking; below a Host it would count for that host only. @returns whether it stands there. */
async function include(context: CommandContext): Promise<boolean> {
  const named = usersConfig(context);
  const line = includeLine(context.world.home);
  const before = await readFileIfThere(named);
  if (before?.split("\n").some((present) => present.trim() === line) === true) return true;
  if (!(await context.confirm(`Add the line ${JSON.stringify(line)} at the head of ${named}?`, "--yes"))) return false;
  await ensurePrivateFolder(join(named, ".."));
  const { path, mode } = await placeOf(named);
  await writeFileAtomic(path, `${line}\n${before === undefined || before === "" ? "" : `\n${before}`}`, mode);
  // The umask may have taken rights away that the file had.
  await chmod(path, mode);
  return true;
}

/** Where the file really lies, for those who keep it elsewhere and link to it, and its rights. */
async function placeOf(named: string): Promise<{ readonly path: string; readonly mode: number }> {
  try {
    const path = await realpath(named);
    return { path, mode: (await stat(path)).mode & 0o777 };
  } catch (error) {
    if (hasErrorCode(error, "ENOENT")) return { path: named, mode: 0o600 };
    throw error;
  }
}
