import { join } from "node:path";
import type { Account } from "../model/account.ts";
import type { Rng } from "../model/ids.ts";
import type { Clock } from "../platform/clock.ts";
import type { CloudDatabase } from "./database.ts";

/** What every part of the cloud works with. */
export interface Site {
  /** `<home>/local`. */
  readonly folder: string;
  readonly database: CloudDatabase;
  readonly account: Account;
  readonly clock: Clock;
  readonly rng: Rng;
  /** The search path that instances get. */
  readonly path: string;
  /** One line into `cloud.log`. */
  log(line: string): void;
  /** Where instances find their metadata endpoint. */
  metadataUrl(): string;
  /** Something may be due now. */
  wake(): void;
  /** Instances whose process this very daemon started, so that it hears of their end. */
  readonly children: Set<string>;
}

export interface InstancePaths {
  readonly folder: string;
  /** The ephemeral disk. */
  readonly root: string;
  readonly consoleLog: string;
  readonly bootScript: string;
  readonly metadataFile: string;
}

export function instancePaths(site: Pick<Site, "folder">, id: string): InstancePaths {
  const folder = join(site.folder, "instances", id);
  const root = join(folder, "root");
  return {
    folder,
    root,
    consoleLog: join(folder, "console.log"),
    bootScript: join(folder, "boot.sh"),
    metadataFile: join(root, "metadata.env"),
  };
}

export function volumeFolder(site: Pick<Site, "folder">, id: string): string {
  return join(site.folder, "volumes", id);
}
