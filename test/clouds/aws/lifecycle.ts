import { fulfil } from "./launch.ts";
import { beginBill, endBill } from "./ledger.ts";
import { adminCall } from "./moto.ts";
import { pointAt, typeNamed } from "./prices.ts";
import { orRefuse } from "./refusal.ts";
import { canBeFulfilled, instanceEnded, requestOf, setStatus } from "./spot-requests.ts";
import { type AwsState, type FakeInstance, holdStock, type InstanceStateName, stockOf } from "./state.ts";

interface Step {
  readonly afterMs: number;
  readonly to: InstanceStateName;
}

function nextStep({ delays }: AwsState, instance: FakeInstance): Step | null {
  switch (instance.state) {
    case "pending":
      if (instance.comesToNothing) return { afterMs: delays.pending, to: "terminated" };
      return instance.held ? null : { afterMs: delays.pending, to: "running" };
    case "stopping":
      return { afterMs: delays.stopping, to: "stopped" };
    case "shutting-down":
      return { afterMs: delays.shuttingDown, to: "terminated" };
    default:
      return null;
  }
}

const REASONS = {
  interrupted: { code: "Server.SpotInstanceTermination", message: "Server.SpotInstanceTermination: Spot instance termination" },
  interruptedByStop: { code: "Server.SpotInstanceShutdown", message: "Server.SpotInstanceShutdown: Spot instance shutdown" },
  noCapacity: {
    code: "Server.InsufficientInstanceCapacity",
    message: "Server.InsufficientInstanceCapacity: Insufficient capacity to launch the instance",
  },
  user: { code: "Client.UserInitiatedShutdown", message: "Client.UserInitiatedShutdown: User initiated shutdown" },
  guest: { code: "Client.InstanceInitiatedShutdown", message: "Client.InstanceInitiatedShutdown: Instance initiated shutdown" },
} as const;
export type EndReason = keyof typeof REASONS;

/** moto ends it at once; what the proxy shows takes its time. */
export async function tellMoto(state: AwsState, { id, region }: Pick<FakeInstance, "id" | "region">, action: string): Promise<void> {
  orRefuse(await adminCall(state.account, state.host, { region }, { Action: action, Version: "2016-11-15", "InstanceId.1": id }));
}

/** On the way to an end. Nothing of the machine is billed from here on. */
export function beginEnd(state: AwsState, instance: FakeInstance, to: "stopping" | "shutting-down", why: EndReason, at: number): void {
  const isEc2 = why === "interrupted" || why === "interruptedByStop";
  if (instance.state === "pending" || instance.state === "running") endBill(state, instance.id, at, isEc2);
  instance.state = to;
  instance.since = at;
  instance.doom = null;
  instance.noticeAt = null;
  instance.restartAt = null;
  instance.reason = REASONS[why];
  const day = new Date(at).toISOString().slice(0, 19).replace("T", " ");
  instance.transition = isEc2 ? REASONS[why].message : `User initiated (${day} GMT)`;
  instance.interruptedByEc2 = isEc2;
}

function freeVolumes(state: AwsState, instance: FakeInstance, at: number): void {
  for (const volume of state.volumes.values()) {
    if (volume.attachment?.instanceId !== instance.id) continue;
    const doomed = volume.attachment.deleteOnTermination;
    volume.attachment = null;
    volume.state = doomed ? "deleted" : "available";
    volume.since = at;
    if (doomed) endBill(state, volume.id, at);
  }
}

async function enter(state: AwsState, instance: FakeInstance, to: InstanceStateName, at: number): Promise<void> {
  const wasPending = instance.state === "pending";
  if (to === "terminated" && wasPending) {
    instance.reason = REASONS.noCapacity;
    instance.transition = REASONS.noCapacity.message;
    await tellMoto(state, instance, "TerminateInstances");
  }
  instance.state = to;
  instance.since = at;
  if (to === "running") {
    const type = typeNamed(instance.type);
    const price = instance.isSpot && type !== undefined ? pointAt(type, instance.zone, at).price : (type?.onDemand ?? "0");
    const pool = instance.isSpot ? { type: instance.type, zone: instance.zone } : null;
    beginBill(state, { resourceId: instance.id, kind: "compute", pricePerHour: price, pool }, at);
    instance.address = `54.${200 + (instance.seq % 50)}.${instance.seq % 250}.7`;
  } else {
    instance.address = null;
    // What EC2 has taken away is with somebody else.
    if (to === "stopped" && instance.interruptedByEc2) instance.holdsStock = false;
    else holdStock(state, instance, false);
  }
  if (to === "stopped" && instance.interruptedByEc2) instance.restartAt = at + state.delays.restart;
  if (to !== "terminated") return;
  freeVolumes(state, instance, at);
  const by = instance.reason?.code === REASONS.noCapacity.code ? "capacity" : instance.interruptedByEc2 ? "ec2" : "user";
  instanceEnded(state, instance, by, at);
}

/** The moment of a reclaim: the machine goes down, and its request says why. */
async function reclaimNow(state: AwsState, instance: FakeInstance, at: number): Promise<void> {
  const { doom } = instance;
  if (doom === null || doom.at > state.clock.now()) return;
  const request = requestOf(state, instance);
  if (doom.action === "stop") {
    await tellMoto(state, instance, "StopInstances");
    beginEnd(state, instance, "stopping", "interruptedByStop", at);
    if (request !== undefined && request.state !== "cancelled") setStatus(request, "disabled", "instance-stopped-no-capacity", at);
    return;
  }
  await tellMoto(state, instance, "TerminateInstances");
  beginEnd(state, instance, "shutting-down", "interrupted", at);
}

/** EC2 alone starts again what it has stopped: same zone, same type, when there is capacity. */
async function restart(state: AwsState, instance: FakeInstance, now: number): Promise<void> {
  if (instance.restartAt === null || instance.restartAt > now || instance.state !== "stopped") return;
  const request = requestOf(state, instance);
  if (request?.state !== "disabled" || stockOf(state, instance.type, instance.zone) < 1) return;
  await tellMoto(state, instance, "StartInstances");
  holdStock(state, instance, true);
  instance.restartAt = null;
  instance.reason = null;
  instance.transition = "";
  instance.interruptedByEc2 = false;
  instance.state = "pending";
  instance.since = now;
  setStatus(request, "active", "fulfilled", now);
}

async function advanceInstance(state: AwsState, instance: FakeInstance, now: number): Promise<void> {
  for (;;) {
    const step = nextStep(state, instance);
    if (step !== null && instance.since + step.afterMs <= now) {
      await enter(state, instance, step.to, instance.since + step.afterMs);
      continue;
    }
    const { doom } = instance;
    if (doom === null || doom.at > now || !["pending", "running"].includes(instance.state)) break;
    await reclaimNow(state, instance, Math.max(doom.at, instance.since));
  }
  await restart(state, instance, now);
  if (instance.state === "terminated" && now > instance.since + state.delays.remembered) state.instances.delete(instance.id);
}

function advanceVolumes(state: AwsState, now: number): void {
  const { delays } = state;
  for (const volume of state.volumes.values()) {
    if (volume.state === "creating" && volume.since + delays.volumeCreating <= now) volume.state = "available";
    const { attachment } = volume;
    if (attachment?.state === "attaching" && attachment.since + delays.attaching <= now) attachment.state = "attached";
    if (attachment?.state === "detaching" && attachment.since + delays.detaching <= now) {
      volume.attachment = null;
      volume.state = "available";
    }
  }
}

/** Everything that time has done since somebody last looked. */
export async function advance(state: AwsState): Promise<void> {
  const now = state.clock.now();
  for (const instance of [...state.instances.values()]) await advanceInstance(state, instance, now);
  advanceVolumes(state, now);
  for (const request of [...state.spotRequests.values()]) if (canBeFulfilled(state, request, now)) await fulfil(state, request);
}
