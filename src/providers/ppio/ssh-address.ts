export interface SshAddress {
  readonly host: string;
  readonly port: number;
  readonly user: string;
}

const TARGET = /^([A-Za-z_][A-Za-z0-9_.-]{0,63})@([A-Za-z0-9][A-Za-z0-9.-]{0,252}|\[[0-9A-Fa-f:.]{2,45}\])$/;

/**
 * Reads the command line that the console shows for copying: `ssh -p 51039 root@proxy.example`. Null for everything that is
 * not quite that: these words go into a command line of ours.
 */
export function sshAddress(command: string): SshAddress | null {
  const words = command.trim().split(/\s+/);
  const [, user, host] = words.map((word) => TARGET.exec(word)).find((match) => match !== null) ?? [];
  if (user === undefined || host === undefined) return null;
  const flag = words.findIndex((word) => word.startsWith("-p"));
  const port = flag < 0 ? 22 : Number(words[flag] === "-p" ? words[flag + 1] : words[flag]?.slice(2));
  if (!Number.isInteger(port) || port < 1 || port > 65_535) return null;
  return { host: host.replaceAll(/^\[|\]$/g, ""), port, user };
}
