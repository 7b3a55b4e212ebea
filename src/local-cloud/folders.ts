import { appendFileSync, lstatSync, mkdirSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { hasErrorCode } from "../platform/files.ts";
import type { CloudDatabase } from "./database.ts";
import { instancePaths, volumeFolder } from "./site.ts";

/** Makes the cloud's folder. Not recursive where it matters: on a read-only disk, that mode of mkdir says only ENOENT. */
export function makeOwnFolder(home: string, folder: string): void {
  mkdirSync(home, { recursive: true, mode: 0o700 });
  try {
    mkdirSync(folder, { mode: 0o700 });
  } catch (error) {
    if (!hasErrorCode(error, "EEXIST")) throw error;
  }
}

/** Makes the folder of the socket and refuses one that belongs to somebody else: in a shared /tmp, anybody can come first. */
export function prepareSocketFolder(socketPath: string, uid: number): void {
  const folder = dirname(socketPath);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const found = lstatSync(folder);
  if (!found.isDirectory() || found.uid !== uid || (found.mode & 0o077) !== 0)
    throw new Error(`${folder} must be a folder of your own with mode 0700`);
}

/** A log that never stops the one who writes it: on a full disk, the line is lost. */
export function openLog(path: string, now: () => number): (line: string) => void {
  return (line) => {
    try {
      appendFileSync(path, `${new Date(now()).toISOString()} ${line}\n`, { mode: 0o600 });
    } catch (error) {
      if (!hasErrorCode(error, "ENOSPC", "EDQUOT", "EROFS", "EACCES", "ENOENT", "EIO")) throw error;
    }
  };
}

/** The last moment at which a daemon was seen at work here: the time of a file, so that it costs no transaction. */
export interface Heartbeat {
  /** Epoch milliseconds; 0 when there never was one. */
  last(): number;
  beat(now: number): void;
}

export function openHeartbeat(path: string): Heartbeat {
  return {
    last() {
      try {
        return statSync(path).mtimeMs;
      } catch (error) {
        if (hasErrorCode(error, "ENOENT")) return 0;
        throw error;
      }
    },
    beat(now) {
      try {
        utimesSync(path, now / 1000, now / 1000);
      } catch (error) {
        if (!hasErrorCode(error, "ENOENT")) throw error;
        writeFileSync(path, "", { mode: 0o600 });
        utimesSync(path, now / 1000, now / 1000);
      }
    },
  };
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if (hasErrorCode(error, "ENOENT")) return [];
    throw error;
  }
}

/** Removes what a daemon that was killed left half removed: disks of ended instances, folders of removed volumes. */
export function sweepLeftovers(folder: string, database: CloudDatabase): void {
  for (const id of namesIn(join(folder, "instances"))) {
    const instance = database.instance(id);
    const paths = instancePaths({ folder }, id);
    if (instance === undefined) rmSync(paths.folder, { recursive: true, force: true });
    else if (instance.state === "terminated") {
      rmSync(paths.root, { recursive: true, force: true });
      rmSync(paths.bootScript, { force: true });
    }
  }
  for (const id of namesIn(join(folder, "volumes")))
    if (database.volume(id) === undefined) rmSync(volumeFolder({ folder }, id), { recursive: true, force: true });
}
