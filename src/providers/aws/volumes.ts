import {
  AttachVolumeCommand,
  CreateVolumeCommand,
  DeleteVolumeCommand,
  DescribeVolumesCommand,
  type DescribeVolumesCommandInput,
  type Volume,
} from "@aws-sdk/client-ec2";
import { isFault, ProviderError } from "../errors.ts";
import type { CallContext, ProviderVolume, SnapshotOperations, VolumeOperations } from "../provider.ts";
import type { Api } from "./api.ts";
import { PROVIDER } from "./codes.ts";
import { type Placed, placed, placedId } from "./ids.ts";
import type { Machines } from "./machines.ts";
import { everyPage, present } from "./pages.ts";
import type { Regions } from "./regions.ts";
import { nameIn, tagsOf, tokenIn } from "./tags.ts";

const PER_PAGE = 500;
const LOOK_AGAIN_AFTER_MS = 1_000;
const VOLUME_TYPE = "gp3";
/** The names that EC2 keeps for disks that are attached later; which one it is says nothing inside of the machine. */
const DEVICES = [..."fghijklmnop"].map((letter) => `/dev/sd${letter}`);

const fault = (kind: "conflict" | "not-found" | "invalid-request", message: string) => new ProviderError(PROVIDER, { kind }, message);

type Attachment = NonNullable<Volume["Attachments"]>[number];

function attachmentOf(volume: Volume): Attachment | undefined {
  return volume.Attachments?.find(({ State, InstanceId }) => State !== "detached" && InstanceId !== undefined);
}

/** A disk that goes with its machine, or is going: nothing of anybody's is on it. */
function isTransient(volume: Volume): boolean {
  return isGoing(volume) || attachmentOf(volume)?.DeleteOnTermination === true;
}

export function toVolume(region: string, volume: Volume): ProviderVolume {
  const id = volume.VolumeId ?? "";
  const attachment = attachmentOf(volume);
  return {
    providerId: placedId({ region, id }),
    name: nameIn(volume.Tags),
    token: tokenIn(volume.Tags),
    sizeGb: volume.Size ?? 0,
    region,
    zone: volume.AvailabilityZone ?? "",
    rawState: volume.State ?? "",
    attachedTo: attachment?.InstanceId === undefined ? null : placedId({ region, id: attachment.InstanceId }),
    pricePerHour: null,
    usedBytes: null,
    localPath: null,
    // On Nitro types the kernel numbers NVMe disks as they come; their serial number is the id, without its dash.
    device: attachment?.State === "attached" ? `serial:${id.replace("-", "")}` : null,
  };
}

async function described(api: Api, region: string, input: DescribeVolumesCommandInput, context: CallContext): Promise<readonly Volume[]> {
  return everyPage(
    "volumes",
    (token) => api.ask(region, context, (ec2, options) => ec2.send(new DescribeVolumesCommand({ ...input, ...token }), options)),
    (page) => page.Volumes,
  );
}

const isGoing = ({ State }: Volume) => State === "deleting" || State === "deleted";

/** By a filter: a volume that is not there is an empty list, and one that was just made is not yet in it. */
async function findAny(api: Api, { region, id }: Placed, context: CallContext): Promise<Volume | undefined> {
  const found = await described(api, region, { Filters: [{ Name: "volume-id", Values: [id] }] }, context);
  return found.find(({ VolumeId }) => VolumeId === id);
}

async function find(api: Api, id: Placed, context: CallContext): Promise<Volume | undefined> {
  const found = await findAny(api, id, context);
  return found === undefined || isGoing(found) ? undefined : found;
}

/** @throws ProviderError `conflict` while another machine holds it or it is not ready, `not-found`, `invalid-request` in another zone. */
export async function freeVolume(
  api: Api,
  providerId: string,
  where: { readonly region: string; readonly zone: string },
  context: CallContext,
): Promise<void> {
  const id = placed(providerId, "vol");
  let volume = id === undefined ? undefined : await find(api, id, context);
  if (id !== undefined && volume === undefined) {
    // It may have been made a moment ago.
    await api.sleep(LOOK_AGAIN_AFTER_MS, context);
    volume = await find(api, id, context);
  }
  if (id === undefined || volume === undefined) throw fault("not-found", `there is no volume ${providerId}`);
  const holder = attachmentOf(volume)?.InstanceId;
  if (holder !== undefined) throw fault("conflict", `volume ${providerId} is ${volume.State} and belongs to ${holder}`);
  if (id.region !== where.region || (volume.AvailabilityZone ?? where.zone) !== where.zone)
    throw fault("invalid-request", `volume ${providerId} lies in ${volume.AvailabilityZone}, and only machines there can have it`);
  if (volume.State === "error") throw fault("conflict", `volume ${providerId} is in error and cannot be attached`);
}

async function attach(api: Api, machines: Machines, volumeId: string, instanceId: string, context: CallContext): Promise<void> {
  const [machine, volume] = [placed(instanceId, "i"), placed(volumeId, "vol")];
  const instance = machine === undefined ? undefined : await machines.get(machine, context);
  if (machine === undefined || instance === undefined) throw fault("not-found", `there is no machine ${instanceId}`);
  const held = (instance.BlockDeviceMappings ?? []).find(({ Ebs }) => Ebs?.VolumeId === volume?.id);
  if (held?.Ebs?.Status === "attached" || held?.Ebs?.Status === "attaching") return;
  const state = instance.State?.Name;
  if (state !== "running" && state !== "stopped") throw fault("conflict", `machine ${instanceId} is ${state} and takes no volumes now`);
  await freeVolume(api, volumeId, { region: machine.region, zone: instance.Placement?.AvailabilityZone ?? "" }, context);
  const used = new Set((instance.BlockDeviceMappings ?? []).map(({ DeviceName }) => DeviceName));
  const Device = DEVICES.find((name) => !used.has(name));
  if (volume === undefined || Device === undefined) throw fault("conflict", `machine ${instanceId} has no place for another volume`);
  const command = new AttachVolumeCommand({ Device, InstanceId: machine.id, VolumeId: volume.id });
  try {
    await api.ask(machine.region, context, (ec2, options) => ec2.send(command, options));
  } catch (error) {
    // The machine's record does not show yet what was attached a moment ago.
    if (!isFault(error, "invalid-request") || !/already in use/i.test(error.message)) throw error;
    throw new ProviderError(PROVIDER, { kind: "conflict" }, error.message, error.rawCode, error);
  }
}

/** A volume that was made a moment ago may be in no list yet, and be denied once: it is believed the second time. */
async function remove(api: Api, providerId: string, context: CallContext): Promise<void> {
  const id = placed(providerId, "vol");
  if (id === undefined) return;
  const deleteIt = async (): Promise<boolean> => {
    const command = new DeleteVolumeCommand({ VolumeId: id.id });
    try {
      await api.ask(id.region, context, (ec2, options) => ec2.send(command, options));
      return true;
    } catch (error) {
      if (isFault(error, "not-found")) return false;
      throw error;
    }
  };
  const volume = await findAny(api, id, context);
  if (volume !== undefined && isGoing(volume)) return;
  const holder = volume === undefined ? undefined : attachmentOf(volume)?.InstanceId;
  if (holder !== undefined) throw fault("conflict", `volume ${providerId} is ${volume?.State} and belongs to ${holder}`);
  if (await deleteIt()) return;
  await api.sleep(LOOK_AGAIN_AFTER_MS, context);
  if ((await deleteIt()) || (await find(api, id, context)) === undefined) return;
  throw new ProviderError(PROVIDER, { kind: "unavailable" }, `volume ${providerId} was denied and is there`);
}

/** Disks of type gp3, found by our tag. They are attached after a launch, so nothing deletes them with a machine. */
export function volumesOf(api: Api, regions: Regions, machines: Machines, snapshots: SnapshotOperations): VolumeOperations {
  return {
    async create(spec, context) {
      const from = spec.fromSnapshotId === undefined ? undefined : placed(spec.fromSnapshotId, "snap");
      if (spec.fromSnapshotId !== undefined && from?.region !== spec.region)
        throw fault("invalid-request", `snapshot ${spec.fromSnapshotId} is not in ${spec.region}`);
      const command = new CreateVolumeCommand({
        AvailabilityZone: spec.zone,
        Size: spec.sizeGb,
        VolumeType: VOLUME_TYPE,
        ...(from === undefined ? {} : { SnapshotId: from.id }),
        ClientToken: spec.token,
        TagSpecifications: [{ ResourceType: "volume", Tags: tagsOf(spec) }],
      });
      const made = await api.ask(spec.region, context, (ec2, options) => ec2.send(command, options));
      present("the volume that was made", made.VolumeId);
      const { token, sizeGb, zone } = spec;
      return { ...toVolume(spec.region, made), token, sizeGb: made.Size ?? sizeGb, zone: made.AvailabilityZone ?? zone };
    },
    async list(context) {
      const found = await regions.each(context, async (region) =>
        (await described(api, region, { MaxResults: PER_PAGE }, context))
          .filter((volume) => !isTransient(volume))
          .map((volume) => toVolume(region, volume)),
      );
      return [...new Map(found.flat().map((volume) => [volume.providerId, volume])).values()];
    },
    remove: (providerId, context) => remove(api, providerId, context),
    attach: (volumeId, instanceId, context) => attach(api, machines, volumeId, instanceId, context),
    snapshots,
  };
}
