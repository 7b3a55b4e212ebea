import { appendFileSync, lstatSync, promises, readdirSync, rmSync, truncateSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";

/** What happens at the n-th call of a function of `node:fs/promises`, in a process of its own (`file-child.ts`). */
export const FILE_FAULTS = ["killed-before", "killed-after", "killed-half-way", "failed", "half-done", "done-but-failed"] as const;
export type FileFault = (typeof FILE_FAULTS)[number];

type Call = (this: unknown, ...args: unknown[]) => Promise<unknown>;

interface Strike {
  readonly at: number;
  readonly fault: FileFault;
  /** Each call goes here as a line, the one that is struck with a `!` before it. */
  readonly log: string;
}

function kill(): never {
  process.kill(process.pid, "SIGKILL");
  throw new Error("unreachable");
}

function failure(name: string, at: number, args: readonly unknown[]): Error {
  const [path] = args;
  const known = typeof path === "string" || Buffer.isBuffer(path) ? { path: String(path) } : {};
  const code = at % 2 === 0 ? "ENOSPC" : "EIO";
  return Object.assign(new Error(`${code}: injected, ${name}`), { code, syscall: name, ...known });
}

/** Leaves of what was to be done only half; undefined for what has no half. */
function halfOf(name: string, real: Call): Call | undefined {
  if (name === "copyFile")
    return async function half(...args) {
      await real.apply(this, args);
      truncateSync(String(args[1]), Math.floor(lstatSync(String(args[1])).size / 2));
    };
  if (name === "rm")
    return async (...args) => {
      const files = readdirSync(String(args[0]), { recursive: true, withFileTypes: true }).filter((entry) => !entry.isDirectory());
      for (const file of files.slice(files.length / 2)) rmSync(`${file.parentPath}/${file.name}`);
    };
  if (name === "write")
    return function half(...args) {
      const [buffer, from, length, place] = args;
      return real.call(this, buffer, from, Math.floor(Number(length) / 2), place);
    };
  return undefined;
}

function struckCall(name: string, real: Call, count: () => number, { at, fault, log }: Strike): Call {
  return async function struck(...args) {
    const isStruck = count() === at;
    const half = fault === "killed-half-way" || fault === "half-done" ? halfOf(name, real) : undefined;
    if (!isStruck || ((fault === "killed-half-way" || fault === "half-done") && half === undefined)) {
      appendFileSync(log, `${name}\n`);
      return real.apply(this, args);
    }
    appendFileSync(log, `!${name} ${String(args[0]).replaceAll("\n", " ")}\n`);
    if (fault === "failed") throw failure(name, at, args);
    if (fault === "killed-before") kill();
    await (half ?? real).apply(this, args);
    if (fault.startsWith("killed")) kill();
    throw failure(name, at, args);
  };
}

/** From now on this process's calls of `node:fs/promises` count, those of its file handles too. */
export async function strikeFiles(strike: Strike): Promise<void> {
  let counted = 0;
  const count = () => ++counted;
  const handle = await promises.open("/dev/null");
  await handle.close();
  const handles: Record<string, unknown> = Object.getPrototypeOf(handle);
  for (const name of ["chmod", "close", "read", "sync", "truncate", "utimes", "write", "writeFile"])
    handles[name] = struckCall(name, handles[name] as Call, count, strike);
  const functions = promises as unknown as Record<string, unknown>;
  for (const [name, real] of Object.entries(functions))
    if (typeof real === "function") functions[name] = struckCall(name, real as Call, count, strike);
  syncBuiltinESMExports();
}
