import { sshAccess } from "../../guest/ssh-access.ts";
import { ensurePrivateFolder, readFileIfThere, writeFileAtomic } from "../../platform/files.ts";
import { sshConfigFile, sshFolder, sshPath } from "../../platform/ssh-files.ts";
import { identityOptions, requireSafeTarget } from "../../platform/ssh-options.ts";
import type { InstanceRecord } from "../../state/records.ts";
import type { CommandContext } from "../command.ts";

/** One machine as ssh's configuration names it. */
export interface SshHost {
  readonly name: string;
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly hostKeyAlias: string;
}

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;

/** The machines that can be come into by SSH, as far as our records say. What a cloud named badly is left out. */
export function sshHosts(records: readonly InstanceRecord[]): readonly SshHost[] {
  return records.flatMap(({ name, ssh, provider, providerId }) => {
    if (ssh === null || providerId === null || !NAME.test(name)) return [];
    const target = { ...ssh, password: null, alias: `${provider}-${providerId}` };
    try {
      requireSafeTarget(target);
    } catch {
      return [];
    }
    return [{ name, ...ssh, hostKeyAlias: target.alias }];
  });
}

/** The Host blocks of these machines, as text for ssh's configuration. */
export function sshBlocks(home: string, hosts: readonly SshHost[]): string {
  const blocks = hosts.map(({ name, host, port, user, hostKeyAlias }) =>
    [
      `Host ${name}`,
      `  HostName ${host}`,
      `  Port ${port}`,
      `  User ${user}`,
      ...identityOptions(home, hostKeyAlias).map(([option, value]) => `  ${option} ${value}`),
      "  IdentitiesOnly yes",
      "",
    ].join("\n"),
  );
  return ["# Kept by spot (spot config ssh --write): one block for each machine that is up. Changes are overwritten.", "", ...blocks].join(
    "\n",
  );
}

/** The line that makes ssh read our file. */
export function includeLine(home: string): string {
  return `Include ${sshPath(sshConfigFile(home))}`;
}

/** Writes our file anew when it differs. @returns the machines in it. */
export async function writeSshConfig(context: CommandContext): Promise<readonly SshHost[]> {
  const { home } = sshAccess(context.world);
  const hosts = sshHosts(await (await context.state()).instances());
  const text = sshBlocks(home, hosts);
  const file = sshConfigFile(home);
  if ((await readFileIfThere(file)) === text) return hosts;
  await ensurePrivateFolder(sshFolder(home));
  await writeFileAtomic(file, text);
  return hosts;
}

/**
 * Brings the file up to date after a command, where the person has once said `spot config ssh --write`. It never fails a
 * command that has done its work; a file that cannot be written is said.
 */
export async function refreshSshConfig(context: CommandContext): Promise<void> {
  const file = sshConfigFile(context.world.home);
  try {
    if ((await readFileIfThere(file)) !== undefined) await writeSshConfig(context);
  } catch (error) {
    context.progress.warn(`${file} could not be brought up to date: ${error instanceof Error ? error.message : String(error)}`);
  }
}
