import { readdir, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { EXIT } from "../model/exit-codes.ts";
import { Problem } from "../model/problem.ts";
import type { Clock } from "./clock.ts";
import { ensurePrivateFolder, readFileIfThere, writeFileAtomic } from "./files.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** Where `spot provider login` keeps credentials, 0600: `{"PPIO_API_KEY": "…"}`. */
export function credentialsFile(home: string): string {
  return join(home, "credentials.json");
}

/** The stored credentials by variable name; none when there is no file. @throws Problem (exit 4) for a file that is not JSON. */
export async function storedCredentials(home: string): Promise<Readonly<Record<string, string>>> {
  const file = credentialsFile(home);
  try {
    const content: unknown = JSON.parse((await readFileIfThere(file)) ?? "{}");
    if (typeof content !== "object" || content === null) return {};
    return Object.fromEntries(Object.entries(content).filter((entry): entry is [string, string] => typeof entry[1] === "string"));
  } catch (error) {
    throw new Problem({
      code: "SPOT_E_CREDENTIALS",
      message: `${file} cannot be read`,
      hint: error instanceof Error && !(error instanceof SyntaxError) ? error.message : "it is not JSON",
      next: [`mv ${file} ${file}.damaged`],
      exit: EXIT.credentials,
      cause: error,
    });
  }
}

export interface CredentialSource {
  readonly env: Environment;
  readonly home: string;
}

/** An empty variable, and one of blanks, says nothing. */
const given = (name: string, env: Environment) => env[name]?.trim() || undefined;

/** The values of these variables: the environment's own, else the stored ones. Undefined when one of them is missing. */
export async function readCredentials(
  variables: readonly string[],
  { env, home }: CredentialSource,
): Promise<Readonly<Record<string, string>> | undefined> {
  const stored = variables.every((name) => given(name, env) !== undefined) ? {} : await storedCredentials(home);
  const found: Record<string, string> = {};
  for (const name of variables) {
    const value = given(name, env) ?? stored[name];
    if (value === undefined || value === "") return undefined;
    found[name] = value;
  }
  return found;
}

/** Where the value of each variable would be read from; null where there is none. Never the values. */
export async function credentialOrigins(
  variables: readonly string[],
  { env, home }: CredentialSource,
): Promise<readonly { readonly variable: string; readonly from: "environment" | "stored" | null }[]> {
  const stored = variables.every((name) => given(name, env) !== undefined) ? {} : await storedCredentials(home);
  return variables.map((variable) => ({
    variable,
    from: given(variable, env) !== undefined ? "environment" : stored[variable] ? "stored" : null,
  }));
}

/** How long two that write at once wait for each other. */
const WRITE_WITHIN_MS = 10_000;
const LOOK_AGAIN_MS = 20;

/**
 * Changes the stored credentials: a text is kept under its name, null forgets it, what is not named stays. The file is
 * 0600, written whole by rename, and goes with its last entry. Processes that write at once do so one after the other.
 * @returns the names that were there before and are forgotten.
 * @throws Problem (exit 1) when another process holds the file for ten seconds, (exit 4) when the file is not JSON.
 */
export async function changeCredentials(
  home: string,
  change: Readonly<Record<string, string | null>>,
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
): Promise<readonly string[]> {
  await ensurePrivateFolder(home);
  const lock = await writeLock(home, clock, signal);
  try {
    const before = await storedCredentials(home);
    const after = Object.fromEntries(Object.entries({ ...before, ...change }).filter(([, value]) => value !== null));
    const file = credentialsFile(home);
    await removeLeftovers(file);
    if (Object.keys(after).length === 0) await rm(file, { force: true });
    else await writeFileAtomic(file, `${JSON.stringify(after, null, 2)}\n`, 0o600);
    return Object.keys(change).filter((name) => change[name] === null && before[name] !== undefined);
  } finally {
    lock.release();
  }
}

async function writeLock(home: string, clock: Clock, signal: AbortSignal) {
  // Loaded here: reading, which every command may do, needs no lock.
  const { takeProcessLock } = await import("./process-lock.ts");
  const until = clock.monotonic() + WRITE_WITHIN_MS;
  for (;;) {
    const lock = takeProcessLock(join(home, "credentials.lock"));
    if (lock !== undefined) return lock;
    if (clock.monotonic() > until)
      throw new Problem({
        code: "SPOT_E_BUSY",
        message: "another process is changing the stored credentials",
        hint: "nothing was changed",
        exit: EXIT.failed,
        retryable: true,
      });
    await clock.sleep(LOOK_AGAIN_MS, signal);
  }
}

/** What a writer that was killed before its rename has left; under the lock nobody else has one. */
async function removeLeftovers(file: string): Promise<void> {
  const folder = join(file, "..");
  const names = await readdir(folder);
  const leftovers = names.filter((name) => name.startsWith(`${basename(file)}.`) && name.endsWith(".tmp"));
  await Promise.all(leftovers.map((name) => rm(join(folder, name), { force: true })));
}
