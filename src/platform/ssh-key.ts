import { chmod, link, open, rm } from "node:fs/promises";
import { join } from "node:path";
import { EXIT } from "../model/exit-codes.ts";
import { Problem } from "../model/problem.ts";
import { ensurePrivateFolder, hasErrorCode, readFileIfThere, syncFolder, writeFileAtomic } from "./files.ts";
import { type RunResult, runProgram } from "./process.ts";
import { privateKeyFile, type SshAccess, sshFolder } from "./ssh-files.ts";

const PUBLIC_LINE = /^ssh-ed25519 [A-Za-z0-9+/]+={0,2}( [ -~]*)?$/;

export function programMissing(program: string, cause: unknown): Problem {
  return new Problem({
    code: "SPOT_E_NO_SSH",
    message: `the program ${program} is not installed`,
    hint: "spot reaches rented machines by the system's ssh: install OpenSSH's client (package openssh-client or openssh)",
    exit: EXIT.failed,
    next: ["spot doctor"],
    cause,
  });
}

async function keygen(access: SshAccess, argv: readonly string[], signal: AbortSignal): Promise<RunResult> {
  let result: RunResult;
  try {
    result = await runProgram(["ssh-keygen", ...argv], { env: access.env, signal });
  } catch (error) {
    signal.throwIfAborted();
    if (hasErrorCode(error, "ENOENT")) throw programMissing("ssh-keygen", error);
    throw error;
  }
  if (result.code === 0) return result;
  throw new Problem({
    code: "SPOT_E_SSH_KEY",
    message: `ssh-keygen failed: ${result.stderr.trim().split("\n").at(-1) ?? ""}`,
    hint: `our key is kept in ${sshFolder(access.home)}; delete it there, and a new one is made for the machines rented from then on`,
    exit: EXIT.failed,
  });
}

async function syncFile(path: string): Promise<void> {
  const handle = await open(path, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Makes the private key. Of several processes that do so at once, the first to put it in place wins, and all use that one. */
async function makePrivateKey(access: SshAccess, file: string, signal: AbortSignal): Promise<void> {
  const fresh = join(sshFolder(access.home), `.new-${crypto.randomUUID()}`);
  try {
    await keygen(access, ["-q", "-t", "ed25519", "-N", "", "-C", "spot", "-f", fresh], signal);
    await syncFile(fresh);
    await link(fresh, file);
    await syncFolder(sshFolder(access.home));
  } catch (error) {
    if (!hasErrorCode(error, "EEXIST")) throw error;
  } finally {
    await Promise.all([fresh, `${fresh}.pub`].map((path) => rm(path, { force: true })));
  }
}

/**
 * Our public key, one line as in `authorized_keys`; the pair is made at the first call and never again.
 * @throws Problem when ssh-keygen is missing or fails.
 */
export async function ensureSshKey(access: SshAccess, signal: AbortSignal): Promise<string> {
  const file = privateKeyFile(access.home);
  await ensurePrivateFolder(sshFolder(access.home));
  await chmod(sshFolder(access.home), 0o700);
  if ((await readFileIfThere(file)) === undefined) {
    await makePrivateKey(access, file, signal);
    await rm(`${file}.pub`, { force: true });
  }
  const known = (await readFileIfThere(`${file}.pub`))?.trim();
  if (known !== undefined && PUBLIC_LINE.test(known)) return known;
  // Derived, never copied from elsewhere: so it belongs to the private key that is there, whoever made it.
  const line = (await keygen(access, ["-y", "-f", file], signal)).stdout.trim();
  if (!PUBLIC_LINE.test(line))
    throw new Problem({ code: "SPOT_E_SSH_KEY", message: `${file} is not a key that spot has made`, exit: EXIT.failed });
  await writeFileAtomic(`${file}.pub`, `${line}\n`, 0o600);
  return line;
}
