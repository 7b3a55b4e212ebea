import { isFault, ProviderError } from "../errors.ts";
import type { CallContext, ProviderVolume, VolumeOperations } from "../provider.ts";
import { taggedName, tokenOf, untaggedName } from "../tagged-name.ts";
import type { Api } from "./api.ts";
import { PROVIDER, takesVolumes } from "./codes.ts";
import { dataVolumes } from "./instances.ts";
import { MACHINES, type Machines } from "./machines.ts";
import { wholeList } from "./pages.ts";
import { type Places, preparing } from "./places.ts";
import type { Pricebook, Prices } from "./prices.ts";
import { isId, oneVm, oneVolume, volumeSchema, type WireVolume } from "./wire.ts";

const VOLUMES = "/core/volumes";
const LONGEST_NAME = 50;
const VOLUME_TYPE = "Cloud-SSD";

function attachmentOf(volume: WireVolume): WireVolume["attachments"][number] | undefined {
  return volume.attachments.find(({ status, instance_id }) => status !== "DETACHED" && instance_id !== null);
}

export function toVolume(volume: WireVolume, prices: Prices | undefined): ProviderVolume {
  const attachment = attachmentOf(volume);
  const region = volume.environment?.region ?? "";
  const sizeGb = volume.size ?? 0;
  return {
    providerId: volume.id,
    name: untaggedName(volume.name),
    token: tokenOf(volume.name),
    sizeGb,
    region,
    zone: region,
    rawState: volume.status ?? "",
    attachedTo: attachment?.instance_id ?? null,
    pricePerHour: prices?.of(volume.volume_type, sizeGb) ?? null,
    usedBytes: null,
    localPath: null,
    device: attachment?.status === "ATTACHED" ? attachment.device : null,
  };
}

const fault = (kind: "conflict" | "not-found", message: string) => new ProviderError(PROVIDER, { kind }, message);

/** A volume that is being deleted is as good as gone: it is not listed, and cannot be had back. */
function isLeaving({ status }: WireVolume): boolean {
  return status === "DELETING" || status === "DELETED";
}

/** @throws ProviderError `conflict` while another machine holds it or it is not ready, `not-found`. */
export async function freeVolume(api: Api, id: string, context: CallContext): Promise<WireVolume> {
  const volume = isId(id) ? (await api.find(oneVolume, `${VOLUMES}/${id}`, context))?.volume : undefined;
  if (volume === undefined || isLeaving(volume)) throw fault("not-found", `there is no volume ${id}`);
  const holder = attachmentOf(volume)?.instance_id;
  if (holder !== undefined && holder !== null) throw fault("conflict", `volume ${id} is ${volume.status} and belongs to machine ${holder}`);
  if (volume.status === "RESERVED") throw fault("conflict", `volume ${id} is RESERVED and cannot be attached`);
  return volume;
}

export function volumesOf(api: Api, machines: Machines, places: Places, book: Pricebook): VolumeOperations {
  /** The machine's own list of its volumes tells the name, should the volume's not. */
  const deviceOn = async (instanceId: string, id: string, context: CallContext) => {
    const vm = (await api.find(oneVm, `${MACHINES}/${instanceId}`, context))?.instance;
    return vm === undefined ? null : (dataVolumes(vm).find((one) => one.id === id && one.status === "ATTACHED")?.device ?? null);
  };
  const list = (context: CallContext, search?: string) =>
    wholeList(api, { path: VOLUMES, key: "volumes", row: volumeSchema, ...(search === undefined ? {} : { query: { search } }) }, context);
  /** Undefined when it is gone: the list says so too, since one 404 proves nothing here. */
  const find = async (id: string, context: CallContext): Promise<WireVolume | undefined> => {
    const told = await api.find(oneVolume, `${VOLUMES}/${id}`, context);
    const found = told === undefined ? (await list(context)).find((volume) => volume.id === id) : told.volume;
    return found === undefined || isLeaving(found) ? undefined : found;
  };
  return {
    async create(spec, context) {
      const environment_name = await places.environment(spec.region, context);
      const name = taggedName(spec.name, spec.token, LONGEST_NAME);
      const body = { name, environment_name, size: spec.sizeGb, volume_type: VOLUME_TYPE };
      try {
        const { volume } = await api.made(oneVolume, { method: "POST", path: VOLUMES, body }, context);
        return toVolume(volume, await book.recent(context));
      } catch (error) {
        if (isFault(error, "not-found")) places.forget();
        if (!isFault(error, "conflict")) throw error;
        // The name carries our token: whatever has it is ours.
        const ours = (await list(context, name)).find((volume) => volume.name === name && !isLeaving(volume));
        if (ours === undefined) throw error;
        return toVolume(ours, await book.recent(context));
      }
    },
    async list(context) {
      const found = (await list(context)).filter((volume) => !isLeaving(volume));
      const prices = await book.recent(context);
      const shown = found.map((volume) => toVolume(volume, prices));
      for (const [index, volume] of shown.entries()) {
        if (volume.device === null && volume.rawState === "ATTACHED" && volume.attachedTo !== null)
          shown[index] = { ...volume, device: await deviceOn(volume.attachedTo, volume.providerId, context) };
      }
      return shown;
    },
    async remove(id, context) {
      const volume = isId(id) ? await find(id, context) : undefined;
      if (volume === undefined) return;
      const holder = attachmentOf(volume)?.instance_id;
      if (holder !== undefined && holder !== null)
        throw fault("conflict", `volume ${id} is ${volume.status} and belongs to machine ${holder}`);
      try {
        await api.change({ method: "DELETE", path: `${VOLUMES}/${id}`, unknown400: { kind: "conflict" } }, context);
      } catch (error) {
        if (!isFault(error, "not-found")) throw error;
        if ((await preparing(() => find(id, context))) === undefined) return;
        throw new ProviderError(PROVIDER, { kind: "unavailable" }, `volume ${id} was denied and is there`, error.rawCode, error);
      }
    },
    async attach(id, instanceId, context) {
      const vm = await machines.get(instanceId, context);
      if (vm === undefined) throw fault("not-found", `there is no machine ${instanceId}`);
      if (dataVolumes(vm).some((one) => one.id === id && ["ATTACHED", "ATTACHING"].includes(one.status))) return;
      if (!takesVolumes(vm.status)) throw fault("conflict", `machine ${instanceId} is ${vm.status} and takes no volumes now`);
      await freeVolume(api, id, context);
      const body = { volume_ids: [Number(id)], protected: false };
      const path = `${MACHINES}/${instanceId}/attach-volumes`;
      await api.change({ method: "POST", path, body, unknown400: { kind: "conflict" } }, context);
    },
  };
}
