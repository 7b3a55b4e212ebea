import type { FakeAnswer } from "../fake-server.ts";
import { beginBill, endBill, snapshotPrice } from "./ledger.ts";
import type { MotoAnswer } from "./moto.ts";
import { filtered, indices, listOf, pageOf, required } from "./query.ts";
import { answer, orRefuse, Refusal } from "./refusal.ts";
import { type AwsState, type Call, type FakeSnapshot, tagsOfItem, timeText } from "./state.ts";
import { type Content, type Element, parseXml, put, textAt } from "./xml.ts";

const SNAPSHOT_SIGHT = {
  "snapshot-id": ({ id }: FakeSnapshot) => [id],
  "volume-id": ({ volumeId }: FakeSnapshot) => [volumeId],
};

export function snapshotNamed({ state, region }: Call, id: string): FakeSnapshot {
  const found = state.snapshots.get(id);
  const notFound = () => new Refusal(400, "InvalidSnapshot.NotFound", `The snapshot '${id}' does not exist.`);
  if (found === undefined || found.region !== region) throw notFound();
  if (found.unseen > 0) {
    found.unseen -= 1;
    throw notFound();
  }
  return found;
}

function progress({ clock, delays }: AwsState, { createdAt }: FakeSnapshot): number {
  if (delays.snapshot <= 0) return 100;
  return Math.min(100, Math.floor((100 * (clock.now() - createdAt)) / delays.snapshot));
}

export const isReady = (state: AwsState, snapshot: FakeSnapshot) => progress(state, snapshot) === 100;

function wireSnapshot(state: AwsState, snapshot: FakeSnapshot): Element {
  const item: Element = { name: "item", text: "", children: [...snapshot.item.children] };
  put(item, "snapshotId", snapshot.id);
  put(item, "volumeId", snapshot.volumeId);
  put(item, "volumeSize", snapshot.sizeGb);
  put(item, "status", isReady(state, snapshot) ? "completed" : "pending");
  put(item, "progress", `${progress(state, snapshot)}%`);
  put(item, "startTime", timeText(state, snapshot.createdAt));
  put(item, "ownerId", state.account.id);
  return item;
}

export async function createSnapshot(call: Call, forward: () => Promise<MotoAnswer>): Promise<FakeAnswer> {
  const { state, region, parameters, action } = call;
  const volume = state.volumes.get(required(parameters, "VolumeId"));
  if (volume === undefined || volume.region !== region || volume.state === "deleted")
    throw new Refusal(400, "InvalidVolume.NotFound", `The volume '${parameters.get("VolumeId")}' does not exist.`);
  if (volume.state === "creating") throw new Refusal(400, "IncorrectState", `Volume '${volume.id}' is in the 'creating' state.`);
  const made = parseXml(orRefuse(await forward()).text);
  const snapshot: FakeSnapshot = {
    seq: state.nextSeq(),
    id: textAt(made, "snapshotId"),
    region,
    volumeId: volume.id,
    sizeGb: volume.sizeGb,
    createdAt: state.clock.now(),
    item: { name: "item", text: "", children: made.children.filter(({ name }) => name !== "requestId") },
    unseen: state.switches.notFoundFirst,
  };
  state.snapshots.set(snapshot.id, snapshot);
  beginBill(state, { resourceId: snapshot.id, kind: "snapshot", pricePerHour: snapshotPrice(snapshot.sizeGb) }, snapshot.createdAt);
  return answer(action, Object.fromEntries(wireSnapshot(state, snapshot).children.map((child) => [child.name, child])));
}

/** Without `Owner.1=self` EC2 gives everything that is public as well; so does the proxy, with one of Amazon's. */
export function describeSnapshots(call: Call): FakeAnswer {
  const { state, region, parameters, action } = call;
  const ids = listOf(parameters, "SnapshotId");
  const all =
    ids.length > 0 ? ids.map((id) => snapshotNamed(call, id)) : [...state.snapshots.values()].filter((one) => one.region === region);
  const sight = {
    ...SNAPSHOT_SIGHT,
    status: (one: FakeSnapshot) => [isReady(state, one) ? "completed" : "pending"],
  };
  const rows = filtered(parameters, all, sight, ({ item }) => tagsOfItem(item));
  const page = pageOf(parameters, rows, state.switches, "SnapshotId");
  const publicOnes = ids.length === 0 && indices(parameters, "Owner").length === 0 ? [PUBLIC_SNAPSHOT] : [];
  return answer(action, { snapshotSet: [...page.rows.map((row) => wireSnapshot(state, row)), ...publicOnes], nextToken: page.nextToken });
}

const PUBLIC_SNAPSHOT: Content = {
  snapshotId: "snap-0fedcba9876543210",
  volumeId: "vol-ffffffff",
  status: "completed",
  startTime: "2020-01-01T00:00:00.000Z",
  progress: "100%",
  ownerId: "898082745236",
  volumeSize: 30,
  description: "somebody else's",
};

export async function deleteSnapshot(call: Call, forward: () => Promise<MotoAnswer>): Promise<FakeAnswer> {
  const snapshot = snapshotNamed(call, required(call.parameters, "SnapshotId"));
  orRefuse(await forward());
  call.state.snapshots.delete(snapshot.id);
  endBill(call.state, snapshot.id, call.state.clock.now());
  return answer(call.action, { return: true });
}
