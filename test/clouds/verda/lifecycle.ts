import { CATALOGUE } from "./catalogue.ts";
import { beginBill, endBill } from "./ledger.ts";
import { type FakeInstance, type FakeVolume, type Policy, stockKey, type VerdaState } from "./state.ts";

interface Step {
  readonly afterMs: number;
  readonly to: string;
}

/** What comes next for an instance by itself, and how long after its present status began. */
function nextStep({ delays, switches }: VerdaState, instance: FakeInstance): Step | null {
  if (instance.held === instance.status) return null;
  switch (instance.status) {
    case "ordered":
      if (!instance.comesToNothing) return { afterMs: delays.ordered, to: "provisioning" };
      return { afterMs: delays.ordered, to: switches.noCapacityLater === "after-pending" ? "pending" : "no_capacity" };
    case "pending":
      return { afterMs: delays.pending, to: "no_capacity" };
    case "provisioning":
      return { afterMs: delays.provisioning, to: "validating" };
    case "validating":
      return { afterMs: delays.validating, to: "running" };
    case "stopping":
      return { afterMs: delays.shutdown, to: "offline" };
    case "starting":
      return { afterMs: delays.ordered, to: "running" };
    case "deleting":
      return { afterMs: delays.deleting, to: "discontinued" };
    default:
      return null;
  }
}

export function volumesOf(state: VerdaState, instance: FakeInstance): readonly FakeVolume[] {
  return [...state.volumes.values()].filter(({ instanceId }) => instanceId === instance.id);
}

function detach(volume: FakeVolume): void {
  volume.instanceId = null;
  volume.target = null;
  volume.status = "detached";
}

export function deleteVolume(state: VerdaState, volume: FakeVolume, at: number, permanently: boolean): void {
  detach(volume);
  volume.status = "deleted";
  volume.deletedAt = volume.deletedAt ?? at;
  if (!permanently) return;
  volume.permanentlyDeleted = true;
  endBill(state, volume.id, at);
}

/** An instance is over: its volumes meet their fate, and its place is free. */
function end(state: VerdaState, instance: FakeInstance, at: number, fateOf: (volume: FakeVolume) => Policy): void {
  for (const volume of volumesOf(state, instance)) {
    const fate = fateOf(volume);
    if (fate === "keep_detached") detach(volume);
    else deleteVolume(state, volume, at, fate === "delete_permanently");
  }
  endBill(state, instance.id, at);
  const place = stockKey(instance.type, instance.location, instance.isSpot);
  state.stock.set(place, (state.stock.get(place) ?? 0) + 1);
}

function enter(state: VerdaState, instance: FakeInstance, to: string, at: number): void {
  instance.status = to;
  instance.since = at;
  if (to === "provisioning") {
    const { isSpot, type } = instance;
    const row = CATALOGUE.find((one) => one.type === type);
    beginBill(state, { resourceId: instance.id, kind: "instance", pricePerHour: (isSpot ? row?.spotPrice : row?.price) ?? "0" }, at);
  }
  if (to === "validating") {
    instance.ip = `10.${[...state.instances.keys()].indexOf(instance.id) % 250}.0.7`;
    let letter = "b".charCodeAt(0);
    for (const volume of volumesOf(state, instance)) {
      volume.status = "attached";
      volume.target = volume.isOs ? "vda" : `vd${String.fromCharCode(letter++)}`;
      if (volume.isOs && !state.bill.some(({ resourceId }) => resourceId === volume.id)) throw new Error("an OS volume without a bill");
    }
  }
  if (to === "no_capacity")
    end(state, instance, at, (volume) => (volume.isOs && volume.createdAt === instance.createdAt ? "delete_permanently" : "keep_detached"));
  if (to === "discontinued") {
    const { doomed, permanently } = instance.fate;
    end(state, instance, at, (volume) => {
      const isDoomed = doomed === null ? volume.isOs : doomed.includes(volume.id);
      return isDoomed ? (permanently ? "delete_permanently" : "move_to_trash") : "keep_detached";
    });
  }
}

/** Without a word: discontinued, and every volume handled as its own policy says. */
export function reclaim(state: VerdaState, instance: FakeInstance): void {
  const at = state.clock.now();
  instance.status = "discontinued";
  instance.since = at;
  end(state, instance, at, ({ policy }) => policy);
}

/** Everything that time has done since somebody last looked. */
export function advance(state: VerdaState): void {
  const now = state.clock.now();
  for (const instance of state.instances.values()) {
    for (let step = nextStep(state, instance); step !== null; step = nextStep(state, instance)) {
      const at = instance.since + step.afterMs;
      if (at > now) break;
      enter(state, instance, step.to, at);
    }
    if (instance.status === "discontinued" && now > instance.since + state.delays.remembered) state.instances.delete(instance.id);
  }
  for (const volume of state.volumes.values()) {
    if (volume.deletedAt === null || volume.permanentlyDeleted || now < volume.deletedAt + state.delays.trash) continue;
    volume.permanentlyDeleted = true;
    endBill(state, volume.id, volume.deletedAt + state.delays.trash);
  }
}
