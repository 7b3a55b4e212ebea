import type { FakeAnswer } from "../fake-server.ts";
import { remember, replayed } from "./launch.ts";
import { beginBill, endBill, volumePrice } from "./ledger.ts";
import { adminCall, type MotoAnswer } from "./moto.ts";
import { zonesOf } from "./prices.ts";
import { countOf, filtered, listOf, pageOf, required } from "./query.ts";
import { answer, orRefuse, Refusal } from "./refusal.ts";
import { isReady, snapshotNamed } from "./snapshots.ts";
import { type AwsState, type Call, type FakeVolume, tagsOfItem, timeText } from "./state.ts";
import { type Content, type Element, itemsAt, parseXml, put, textAt } from "./xml.ts";

const SMALLEST_GP3 = 1;
const MOST_GB = 16_384;

const VOLUME_SIGHT = {
  "volume-id": ({ id }: FakeVolume) => [id],
  status: ({ state }: FakeVolume) => [state],
  "availability-zone": ({ zone }: FakeVolume) => [zone],
  "attachment.instance-id": ({ attachment }: FakeVolume) => (attachment === null ? [] : [attachment.instanceId]),
  "attachment.status": ({ attachment }: FakeVolume) => (attachment === null ? [] : [attachment.state]),
  "attachment.delete-on-termination": ({ attachment }: FakeVolume) => (attachment === null ? [] : [String(attachment.deleteOnTermination)]),
  size: ({ sizeGb }: FakeVolume) => [String(sizeGb)],
};

const volumeNotFound = (id: string) => new Refusal(400, "InvalidVolume.NotFound", `The volume '${id}' does not exist.`);

function volumeNamed({ state, region }: Call, id: string): FakeVolume {
  if (!/^vol-[0-9a-f]{8,17}$/.test(id))
    throw new Refusal(400, "InvalidParameterValue", `Value (${id}) for parameter volumeId is invalid. Expected: 'vol-...'.`);
  const found = state.volumes.get(id);
  if (found === undefined || found.region !== region || found.state === "deleted") throw volumeNotFound(id);
  if (found.unseen > 0) {
    found.unseen -= 1;
    throw volumeNotFound(id);
  }
  return found;
}

function wireAttachment(state: AwsState, { id, attachment }: FakeVolume): Content {
  if (attachment === null) return [];
  return [
    {
      volumeId: id,
      instanceId: attachment.instanceId,
      device: attachment.device,
      status: attachment.state,
      attachTime: timeText(state, attachment.since),
      deleteOnTermination: attachment.deleteOnTermination,
    },
  ];
}

function wireVolume(state: AwsState, volume: FakeVolume): Element {
  const item: Element = { name: "item", text: "", children: [...(volume.item?.children ?? [])] };
  put(item, "volumeId", volume.id);
  put(item, "size", volume.sizeGb);
  put(item, "availabilityZone", volume.zone);
  put(item, "status", volume.state);
  put(item, "createTime", timeText(state, volume.createdAt));
  put(item, "volumeType", "gp3");
  put(item, "attachmentSet", wireAttachment(state, volume));
  return item;
}

/** What moto says of volumes that a launch made, tags above all; asked for once. */
async function lookAtRoots({ state, region }: Call, volumes: readonly FakeVolume[]): Promise<void> {
  const unknown = volumes.filter(({ item }) => item === null);
  if (unknown.length === 0) return;
  const ids = Object.fromEntries(unknown.map(({ id }, index) => [`VolumeId.${index + 1}`, id]));
  const given = orRefuse(
    await adminCall(state.account, state.host, { region }, { Action: "DescribeVolumes", Version: "2016-11-15", ...ids }),
  );
  for (const item of itemsAt(parseXml(given.text), "volumeSet")) {
    const volume = state.volumes.get(textAt(item, "volumeId"));
    if (volume !== undefined) volume.item = item;
  }
}

export async function describeVolumes(call: Call): Promise<FakeAnswer> {
  const { state, region, parameters, action } = call;
  const ids = listOf(parameters, "VolumeId");
  const listedSince = state.clock.now() - state.switches.listedAfterMs;
  const all =
    ids.length > 0
      ? ids.map((id) => volumeNamed(call, id))
      : [...state.volumes.values()].filter((one) => one.region === region && one.state !== "deleted" && one.createdAt <= listedSince);
  await lookAtRoots(call, all);
  const rows = filtered(parameters, all, VOLUME_SIGHT, ({ item }) => tagsOfItem(item));
  const page = pageOf(parameters, rows, state.switches, "VolumeId");
  return answer(action, { volumeSet: page.rows.map((row) => wireVolume(state, row)), nextToken: page.nextToken });
}

function volumeAnswer({ state, action }: Call, id: string): FakeAnswer {
  const volume = state.volumes.get(id);
  if (volume === undefined) throw volumeNotFound(id);
  return answer(action, Object.fromEntries(wireVolume(state, volume).children.map((child) => [child.name, child])));
}

/** CreateVolume; moto does not know its `ClientToken`. */
export async function createVolume(call: Call, forward: () => Promise<MotoAnswer>): Promise<FakeAnswer> {
  const { state, region, parameters } = call;
  const [before] = replayed(call) ?? [];
  if (before !== undefined) return volumeAnswer(call, before);
  const zone = required(parameters, "AvailabilityZone");
  if (!zonesOf(region).includes(zone)) throw new Refusal(400, "InvalidZone.NotFound", `The zone '${zone}' does not exist.`);
  const snapshotId = parameters.get("SnapshotId");
  const snapshot = snapshotId === null ? undefined : snapshotNamed(call, snapshotId);
  if (snapshot !== undefined && !isReady(state, snapshot))
    throw new Refusal(400, "IncorrectState", `Snapshot is in invalid state - pending: ${snapshot.id}`);
  const size = countOf(parameters, "Size") ?? snapshot?.sizeGb;
  if (size === undefined) throw new Refusal(400, "MissingParameter", "The request must contain the parameter size/snapshotId");
  if (size < SMALLEST_GP3 || size > MOST_GB)
    throw new Refusal(400, "InvalidParameterValue", `Volume of ${size}GiB is invalid; must be between 1GiB and 16384GiB.`);
  if (snapshot !== undefined && size < snapshot.sizeGb)
    throw new Refusal(
      400,
      "InvalidParameterValue",
      `Volume of ${size}GiB is smaller than snapshot '${snapshot.id}', expect size>= ${snapshot.sizeGb}GiB`,
    );
  const made = parseXml(orRefuse(await forward()).text);
  const id = textAt(made, "volumeId");
  const at = state.clock.now();
  state.volumes.set(id, {
    seq: state.nextSeq(),
    id,
    region,
    zone,
    sizeGb: size,
    createdAt: at,
    isRoot: false,
    item: { name: "item", text: "", children: made.children.filter(({ name }) => name !== "requestId") },
    state: "creating",
    since: at,
    attachment: null,
    unseen: state.switches.notFoundFirst,
  });
  beginBill(state, { resourceId: id, kind: "volume", pricePerHour: volumePrice(size) }, at);
  remember(call, [id]);
  return volumeAnswer(call, id);
}

export async function deleteVolume(call: Call, forward: () => Promise<MotoAnswer>): Promise<FakeAnswer> {
  const volume = volumeNamed(call, required(call.parameters, "VolumeId"));
  if (volume.attachment !== null)
    throw new Refusal(400, "VolumeInUse", `Volume ${volume.id} is currently attached to ${volume.attachment.instanceId}`);
  orRefuse(await forward());
  volume.state = "deleted";
  endBill(call.state, volume.id, call.state.clock.now());
  return answer(call.action, { return: true });
}

/** moto attaches whatever it is given, to whatever: the rules of state and zone are the proxy's. */
export async function attachVolume(call: Call, forward: () => Promise<MotoAnswer>): Promise<FakeAnswer> {
  const { state, parameters } = call;
  const device = required(parameters, "Device");
  const volume = volumeNamed(call, required(parameters, "VolumeId"));
  const instanceId = required(parameters, "InstanceId");
  const instance = state.instances.get(instanceId);
  if (instance === undefined || instance.region !== volume.region)
    throw new Refusal(400, "InvalidInstanceID.NotFound", `The instance ID '${instanceId}' does not exist`);
  if (volume.attachment !== null) throw new Refusal(400, "VolumeInUse", `${volume.id} is already attached to an instance`);
  if (volume.state !== "available") throw new Refusal(400, "IncorrectState", `${volume.id} is not 'available'.`);
  if (instance.state !== "running" && instance.state !== "stopped")
    throw new Refusal(400, "IncorrectState", `Instance '${instanceId}' is not 'running' or 'stopped'.`);
  if (instance.zone !== volume.zone)
    throw new Refusal(
      400,
      "InvalidVolume.ZoneMismatch",
      `The volume '${volume.id}' is not in the same availability zone as instance '${instanceId}'`,
    );
  const there = [...state.volumes.values()].filter((one) => one.attachment?.instanceId === instanceId);
  if (there.some((one) => one.attachment?.device === device))
    throw new Refusal(
      400,
      "InvalidParameterValue",
      `Invalid value '${device}' for unixDevice. Attachment point ${device} is already in use`,
    );
  if (!/^\/dev\/(sd[f-p]|xvd[b-z])\d?$/.test(device))
    throw new Refusal(
      400,
      "InvalidParameterValue",
      `Value (${device}) for parameter device is invalid. ${device} is not a valid EBS device name.`,
    );
  orRefuse(await forward());
  const at = state.clock.now();
  volume.attachment = { instanceId, device, deleteOnTermination: false, state: "attaching", since: at };
  volume.state = "in-use";
  return answer(call.action, { volumeId: volume.id, instanceId, device, status: "attaching", attachTime: timeText(state, at) });
}

/** Without `InstanceId` moto breaks down, so the proxy says it in its own name. */
export async function detachVolume(call: Call): Promise<FakeAnswer> {
  const { state, parameters, region } = call;
  const volume = volumeNamed(call, required(parameters, "VolumeId"));
  const { attachment } = volume;
  if (attachment === null) throw new Refusal(400, "IncorrectState", `Volume '${volume.id}' is in the 'available' state.`);
  const from = parameters.get("InstanceId");
  if (from !== null && from !== attachment.instanceId)
    throw new Refusal(400, "InvalidAttachment.NotFound", `Volume '${volume.id}' is not attached to instance '${from}'.`);
  orRefuse(
    await adminCall(
      state.account,
      state.host,
      { region },
      { Action: "DetachVolume", Version: "2016-11-15", VolumeId: volume.id, InstanceId: attachment.instanceId },
    ),
  );
  attachment.state = "detaching";
  attachment.since = state.clock.now();
  const { instanceId, device, since } = attachment;
  return answer(call.action, { volumeId: volume.id, instanceId, device, status: "detaching", attachTime: timeText(state, since) });
}
