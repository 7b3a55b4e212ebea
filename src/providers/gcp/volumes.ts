import { isFault, ProviderError } from "../errors.ts";
import type { CallContext, ProviderVolume, VolumeOperations, VolumeSpec } from "../provider.ts";
import type { Api } from "./api.ts";
import { PROVIDER } from "./codes.ts";
import { findDisk, listDisks, toVolume } from "./disks.ts";
import { preparing } from "./firewall.ts";
import { tokenIn } from "./instances.ts";
import type { Market } from "./market.ts";
import { labelsOf, lastOf, placed, placedIn, requestId, resourceName } from "./names.ts";
import { settled } from "./operations.ts";
import { deletionId, thisMinute } from "./repeatable.ts";
import { snapshotOperations } from "./snapshots.ts";
import type { WireDisk } from "./wire.ts";

/** GB. Whoever asks for less gets this, and reads so in the answer. */
const leastGb = (diskType: string) => (diskType === "hyperdisk-balanced" ? 4 : 10);

export function volumeOperations(api: Api, market: Market): VolumeOperations {
  const shown = async (disk: WireDisk): Promise<ProviderVolume> => {
    const volume = toVolume(disk, null);
    const prices = (await market.known())?.prices;
    return { ...volume, pricePerHour: prices?.ofDisk(lastOf(disk.type), disk.sizeGb, volume.region) ?? null };
  };
  async function create(spec: VolumeSpec, context: CallContext): Promise<ProviderVolume> {
    const { zone } = spec;
    const project = await api.project(context);
    const name = resourceName(spec.name, spec.token);
    const type = `projects/${project}/zones/${zone}/diskTypes/${api.settings.diskType}`;
    const sizeGb = Math.max(spec.sizeGb, leastGb(api.settings.diskType));
    const labels = labelsOf(spec.name, spec.token);
    const snapshot =
      spec.fromSnapshotId === undefined ? {} : { sourceSnapshot: `projects/${project}/global/snapshots/${lastOf(spec.fromSnapshotId)}` };
    const body = { name, sizeGb: String(sizeGb), type, labels, ...snapshot };
    const made = { name, zone, status: "CREATING", sizeGb, type, labels, users: [], sourceImage: null };
    try {
      const request = {
        method: "POST",
        path: `zones/${zone}/disks`,
        query: { requestId: requestId("disk", spec.token, thisMinute(api)) },
        body,
      } as const;
      await settled(api, `zones/${zone}`, await api.change(request, context), `disk ${spec.name} in ${zone}`, context);
      return await shown(made);
    } catch (error) {
      if (!isFault(error, "conflict")) throw error;
      // The name carries our token: whatever has it is ours.
      const ours = await preparing(() => findDisk(api, `${zone}/${name}`, context));
      if (ours === undefined || tokenIn(ours.labels) !== spec.token) throw error;
      return shown(ours);
    }
  }
  async function remove(providerId: string, context: CallContext): Promise<void> {
    const at = placed(providerId);
    const disk = at === null ? undefined : await findDisk(api, providerId, context);
    if (at === null || disk === undefined) return;
    const [user] = disk.users;
    if (user !== undefined)
      throw new ProviderError(PROVIDER, { kind: "conflict" }, `disk ${providerId} is attached to ${placedIn(user) ?? lastOf(user)}`);
    const path = `zones/${at.zone}/disks/${at.name}`;
    try {
      const operation = await api.change({ method: "DELETE", path, query: { requestId: deletionId(api, path) } }, context);
      await settled(api, `zones/${at.zone}`, operation, `disk ${providerId}`, context);
    } catch (error) {
      if (!isFault(error, "not-found")) throw error;
      if ((await preparing(() => findDisk(api, providerId, context))) === undefined) return;
      throw new ProviderError(PROVIDER, { kind: "unavailable" }, `disk ${providerId} was denied and is there`, error.rawCode, error);
    }
  }
  return {
    create,
    remove,
    list: async (context) => Promise.all((await listDisks(api, context)).map(shown)),
    snapshots: snapshotOperations(api),
  };
}
