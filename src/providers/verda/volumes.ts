import { isFault, ProviderError } from "../errors.ts";
import type { CallContext, ProviderVolume, VolumeOperations, VolumeSpec } from "../provider.ts";
import { taggedName } from "../tagged-name.ts";
import { isSuccess, madeId, type VerdaClient } from "./client.ts";
import { NAME_TAG, nameIn, TOKEN_TAG, tokenIn } from "./instances.ts";
import { priceOf } from "./offers.ts";
import { NAME_LENGTH, volumeList, volumeSchema, type WireVolume } from "./wire.ts";

/** Network storage that is attached to one machine at a time. */
const TYPE = "NVMe";
const OVER = ["deleted", "deleting"];

function attachedTo({ instance_id: id, instances: [first] }: WireVolume): string | null {
  return id ?? first?.id ?? null;
}

function toVolume(volume: WireVolume): ProviderVolume {
  const owner = attachedTo(volume);
  return {
    providerId: volume.id,
    name: nameIn(volume.tags, volume.name),
    token: tokenIn(volume.tags, volume.name),
    sizeGb: volume.size,
    region: volume.location,
    zone: volume.location,
    rawState: volume.status,
    attachedTo: owner,
    pricePerHour: priceOf(volume.base_hourly_cost, volume.currency),
    usedBytes: null,
    localPath: null,
    device: owner === null || volume.target === null ? null : `/dev/${volume.target.replace(/^\/dev\//, "")}`,
  };
}

/** The volume of this id; undefined when there is none, or none any more, and the list says so too. */
async function findVolume(client: VerdaClient, id: string, context: CallContext): Promise<WireVolume | undefined> {
  const alive = (volume: WireVolume | undefined) => (volume === undefined || OVER.includes(volume.status) ? undefined : volume);
  try {
    return alive(await client.read(volumeSchema, `/volumes/${encodeURIComponent(id)}`, context));
  } catch (error) {
    if (!isFault(error, "not-found")) throw error;
    return alive((await client.read(volumeList, "/volumes", context)).find((volume) => volume.id === id));
  }
}

async function liesInTrash(client: VerdaClient, id: string, context: CallContext): Promise<boolean> {
  const trash = await client.read(volumeList, "/volumes/trash", context);
  return trash.some((volume) => volume.id === id && !volume.is_permanently_deleted);
}

/** Sends a deletion. @returns whether it was answered that there is nothing to delete, which alone proves nothing. */
async function remove(
  client: VerdaClient,
  request: { readonly method: "PUT" | "DELETE"; readonly path: string; readonly query?: { readonly force: true }; readonly body: unknown },
  context: CallContext,
): Promise<boolean> {
  const answer = await client.send({ ...request, effect: "change", signal: context.signal });
  if (isSuccess(answer)) return false;
  try {
    return client.refuse(answer);
  } catch (error) {
    if (!isFault(error, "not-found")) throw error;
    return true;
  }
}

/**
 * Deletes for good. The action is known to both of the vendor's SDKs by the same word, the method DELETE by two different
 * ones; so the action comes first, and whatever lies in the trash after it is deleted there with both.
 */
export async function removePermanently(client: VerdaClient, id: string, context: CallContext): Promise<void> {
  const volume = await findVolume(client, id, context);
  if (volume !== undefined) {
    const owner = attachedTo(volume);
    if (owner !== null) throw new ProviderError("verda", { kind: "conflict" }, `volume ${id} is attached to ${owner}`);
    const isDenied = await remove(client, { method: "PUT", path: "/volumes", body: { id, action: "delete", is_permanent: true } }, context);
    if (isDenied && (await findVolume(client, id, context)) !== undefined)
      throw new ProviderError("verda", { kind: "unavailable" }, `volume ${id} was denied and is there`);
  }
  if (!(await liesInTrash(client, id, context))) return;
  if (volume === undefined) {
    // Somebody else put it there.
    await remove(client, { method: "PUT", path: "/volumes", body: { id, action: "delete", is_permanent: true } }, context);
    if (!(await liesInTrash(client, id, context))) return;
  }
  const path = `/volumes/${encodeURIComponent(id)}`;
  await remove(client, { method: "DELETE", path, query: { force: true }, body: { is_permanent: true } }, context);
  if (!(await liesInTrash(client, id, context))) return;
  throw new ProviderError(
    "verda",
    { kind: "unavailable" },
    `volume ${id} lies in Verda's trash and cannot be deleted for good; it is emptied 96 hours after the deletion, and may cost money until then`,
  );
}

async function create(client: VerdaClient, spec: VolumeSpec, context: CallContext): Promise<ProviderVolume> {
  const name = taggedName(spec.name, spec.token, NAME_LENGTH);
  const tags = [
    { key: TOKEN_TAG, value: spec.token },
    { key: NAME_TAG, value: spec.name },
  ];
  // Not told: on_spot_discontinue. Its default keeps the volume, and it is taken only where a spot instance is made with it.
  const body = { type: TYPE, name, size: spec.sizeGb, location_code: spec.region, tags };
  const answer = await client.send({ method: "POST", path: "/volumes", body, effect: "change", signal: context.signal });
  if (!isSuccess(answer)) client.refuse(answer);
  // That it cannot be looked at now does not undo it.
  const find = (id: string) => findVolume(client, id, context).catch(() => undefined);
  const id = await madeId(answer, async (said) => (await find(said)) !== undefined);
  const made = await find(id);
  if (made !== undefined) return toVolume({ ...made, tags });
  return {
    providerId: id,
    name: spec.name,
    token: spec.token,
    sizeGb: spec.sizeGb,
    region: spec.region,
    zone: spec.zone,
    rawState: "ordered",
    attachedTo: null,
    pricePerHour: null,
    usedBytes: null,
    localPath: null,
    device: null,
  };
}

export function volumeOperations(client: VerdaClient): VolumeOperations {
  return {
    create: (spec, context) => create(client, spec, context),
    async list(context) {
      const volumes = await client.read(volumeList, "/volumes", context);
      // A root volume is part of its machine; one that was kept is a volume like any other.
      return volumes
        .filter((volume) => !OVER.includes(volume.status) && !(volume.is_os_volume && attachedTo(volume) !== null))
        .map(toVolume);
    },
    remove: (providerId, context) => removePermanently(client, providerId, context),
  };
}
