import { constants } from "node:fs";
import { access, rm, stat, statfs, writeFile } from "node:fs/promises";
import { delimiter, join } from "node:path";

/** The version of Node that runs us, e.g. `20.20.2`. */
export function nodeVersion(): string {
  return process.versions.node;
}

/** The first executable of that name on `PATH`, or undefined. */
export async function findProgram(name: string, env: Readonly<Record<string, string | undefined>>): Promise<string | undefined> {
  for (const folder of (env["PATH"] ?? "").split(delimiter).filter((part) => part !== "")) {
    const path = join(folder, name);
    const isThere = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (isThere && (await stat(path)).isFile()) return path;
  }
  return undefined;
}

/** Bytes that this user may still write on the disk of `path`. */
export async function freeBytes(path: string): Promise<number> {
  const { bavail, bsize } = await statfs(path);
  return bavail * bsize;
}

/** The permission bits of a file, e.g. 0o600. */
export async function fileMode(path: string): Promise<number> {
  return (await stat(path)).mode & 0o777;
}

/** Writes and removes a small file in `folder`; returns its time by the file system's clock, epoch milliseconds. */
export async function probeWrite(folder: string, name: string): Promise<number> {
  const path = join(folder, name);
  try {
    await writeFile(path, "spot doctor\n", { mode: 0o600, flag: "wx" });
    return (await stat(path)).mtimeMs;
  } finally {
    await rm(path, { force: true });
  }
}
