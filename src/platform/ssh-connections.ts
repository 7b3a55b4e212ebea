import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { deadline } from "./clock.ts";
import { runProgram } from "./process.ts";
import { controlFolder, type SshAccess, sshPath } from "./ssh-files.ts";

const FAREWELL_MS = 2_000;
const NAME = /^[0-9a-f]{16}$/;

/**
 * Ends every shared connection of this home. After the computer slept they may all be dead without knowing it, and a call over a
 * dead one waits for half a minute. Whatever goes over them ends as well.
 */
export async function forgetConnections({ home, env }: SshAccess, signal: AbortSignal): Promise<void> {
  const folder = controlFolder(home);
  const names = (await readdir(folder).catch(() => [])).filter((name) => NAME.test(name));
  await Promise.all(
    names.map(async (name) => {
      const socket = join(folder, name);
      const limit = deadline(signal, FAREWELL_MS);
      // The host is a word that ssh wants to see; nobody is connected to.
      const argv = ["ssh", "-O", "exit", "-o", `ControlPath=${sshPath(socket)}`, "--", "stale"];
      await runProgram(argv, { env, signal: limit.signal }).catch(() => undefined);
      limit.done();
      await rm(socket, { force: true }).catch(() => undefined);
    }),
  );
}
