import { cpSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Site } from "./site.ts";

/** The room's name of a disk, and of what a snapshot holds; names may come back, ids do not. */
export const roomVolume = ({ id }: { readonly id: string }): string => `disk-${id}`;
export const roomSnapshot = ({ id }: { readonly id: string }): string => `snapshot-${id}`;

/** The content of one of the room's volumes becomes that of another. */
export function copyContent(site: Site, from: string, to: string): void {
  if (site.room === null) return;
  const [source, target] = [site.room.volumeFolder(from), site.room.volumeFolder(to)];
  for (const part of ["files", "disk"]) {
    rmSync(join(target, part), { recursive: true, force: true });
    cpSync(join(source, part), join(target, part), { recursive: true, preserveTimestamps: true });
  }
}
