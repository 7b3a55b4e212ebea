import type { Dirent } from "node:fs";
import { lstat, mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { newId } from "../model/ids.ts";
import { hasErrorCode } from "../platform/files.ts";
import { billVolume, closeCharges, diskRate } from "./billing.ts";
import { CURRENCY, profileOf, zoneNamed } from "./market.ts";
import { type CloudVolume, Refusal } from "./records.ts";
import { type Site, volumeFolder } from "./site.ts";

export interface VolumeRequest {
  readonly name: string;
  readonly clientToken: string | null;
  readonly sizeGb: number;
  readonly zone: string;
}

export async function createVolume(site: Site, request: VolumeRequest): Promise<CloudVolume> {
  const zone = zoneNamed(request.zone);
  if (zone === undefined) throw new Refusal(400, "invalid", `there is no zone ${JSON.stringify(request.zone)}`);
  if (profileOf(site.database.market()).idempotentLaunch && request.clientToken !== null) {
    const earlier = site.database.volumes().find(({ clientToken }) => clientToken === request.clientToken);
    if (earlier !== undefined) return earlier;
  }
  const volume: CloudVolume = { ...request, ...zone, id: newId("lv", site.rng), attachedTo: null, createdAt: site.clock.now() };
  site.database.transaction(() => {
    site.database.saveVolume(volume);
    billVolume(site, volume);
  });
  await mkdir(volumeFolder(site, volume.id), { recursive: true, mode: 0o700 });
  return volume;
}

/** Ends the volume and what lies on it. */
export async function removeVolume(site: Site, id: string): Promise<void> {
  const volume = site.database.volume(id);
  if (volume !== undefined) {
    if (volume.attachedTo !== null) throw new Refusal(409, "conflict", `volume ${volume.name} is attached to ${volume.attachedTo}`);
    site.database.transaction(() => {
      site.database.removeVolume(id);
      closeCharges(site, id, site.clock.now());
    });
  }
  // Also the rest of a removal that was cut short; an id that was never one of ours names nothing here.
  if (/^lv-[0-9a-z]+$/.test(id)) await rm(volumeFolder(site, id), { recursive: true, force: true, maxRetries: 3 });
}

const MOST_ENTRIES_COUNTED = 100_000;

async function entriesOf(folder: string): Promise<readonly Dirent[]> {
  try {
    return await readdir(folder, { withFileTypes: true });
  } catch (error) {
    if (hasErrorCode(error, "ENOENT", "EACCES", "ENOTDIR")) return [];
    throw error;
  }
}

/** Bytes in the files below a folder; null when there are too many to count for one answer. */
export async function usedBytes(folder: string): Promise<number | null> {
  const open = [folder];
  let bytes = 0;
  let seen = 0;
  for (let current = open.pop(); current !== undefined; current = open.pop()) {
    for (const entry of await entriesOf(current)) {
      seen += 1;
      if (seen > MOST_ENTRIES_COUNTED) return null;
      const path = join(current, entry.name);
      if (entry.isDirectory()) open.push(path);
      // A file may be gone again by now.
      else if (entry.isFile())
        bytes += await lstat(path).then(
          ({ size }) => size,
          () => 0,
        );
    }
  }
  return bytes;
}

/** A volume as the API shows it. */
export async function volumeView(site: Site, volume: CloudVolume): Promise<Readonly<Record<string, unknown>>> {
  const path = volumeFolder(site, volume.id);
  return {
    id: volume.id,
    name: volume.name,
    clientToken: volume.clientToken,
    sizeGb: volume.sizeGb,
    region: volume.region,
    zone: volume.zone,
    state: volume.attachedTo === null ? "available" : "in-use",
    attachedTo: volume.attachedTo,
    path,
    usedBytes: await usedBytes(path),
    pricePerHour: diskRate(volume.sizeGb),
    currency: CURRENCY,
    createdAt: new Date(volume.createdAt).toISOString(),
  };
}
