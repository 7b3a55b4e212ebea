import type { Instance, SpotInstanceRequest } from "@aws-sdk/client-ec2";
import type { Gpu } from "../../model/gpu.ts";
import type { Money } from "../../model/money.ts";
import type { Notice } from "../../model/notice.ts";
import type { ProviderInstance, Reach } from "../provider.ts";
import type { Api } from "./api.ts";
import { endedBy, PROVIDER, stateOf } from "./codes.ts";
import { portsOf } from "./groups.ts";
import { placedId } from "./ids.ts";
import { isOpen, isPersistentRequest } from "./requests.ts";
import { isPersistent, nameIn, tokenIn } from "./tags.ts";

/** What a machine's own record does not say. */
export interface Surroundings {
  readonly gpu: Gpu;
  readonly price: Money | null;
  readonly pricedAt?: number | undefined;
  readonly notice: Notice | null;
  /** Its spot request, where it was asked for. */
  readonly request: SpotInstanceRequest | undefined;
}

const SSH_PORT = 22;
const USUAL_LOGIN = "ubuntu";

/** `203.0.113.7`, or with a port behind it. What is no address goes to no program. */
function addressOf(instance: Instance): { readonly host: string; readonly port: number } | null {
  const told = instance.PublicIpAddress || instance.PublicDnsName || "";
  const [, host, port = String(SSH_PORT)] = /^([A-Za-z0-9][A-Za-z0-9.-]*)(?::([1-9]\d{0,4}))?$/.exec(told) ?? [];
  return host === undefined || Number(port) > 65_535 ? null : { host, port: Number(port) };
}

function reachOf(instance: Instance, alias: string, login: string | undefined): Reach | null {
  const address = addressOf(instance);
  if (instance.State?.Name !== "running" || address === null) return null;
  return { kind: "ssh", ...address, user: login || USUAL_LOGIN, password: null, alias };
}

function endpointsOf(instance: Instance): ProviderInstance["endpoints"] {
  const address = addressOf(instance);
  if (address === null || instance.State?.Name !== "running") return [];
  const ports = (instance.SecurityGroups ?? []).flatMap(({ GroupName }) => portsOf(GroupName ?? ""));
  return [...new Set(ports)].map((port) => ({ port, address: `${address.host}:${port}` }));
}

/** Volumes that do not go with the machine: not its root disk, and nothing that its image brought along. */
export function dataVolumes(instance: Instance): readonly string[] {
  return (instance.BlockDeviceMappings ?? []).flatMap(({ DeviceName, Ebs }) => {
    const stays = DeviceName !== instance.RootDeviceName && Ebs?.DeleteOnTermination !== true;
    const isOn = Ebs?.Status === "attached" || Ebs?.Status === "attaching";
    return stays && isOn && Ebs?.VolumeId !== undefined ? [Ebs.VolumeId] : [];
  });
}

const ENDING: readonly (string | undefined)[] = ["shutting-down", "terminated", "stopping", "stopped"];

/** The reason stays in the record after a restart, so it counts only while the machine is over or stopped. */
function endOf({ State, StateReason, StateTransitionReason }: Instance): Pick<ProviderInstance, "reason" | "endedBy"> {
  if (!ENDING.includes(State?.Name)) return { reason: null, endedBy: null };
  const code = StateReason?.Code || StateTransitionReason || undefined;
  const said = [code, StateReason?.Message].filter((text) => text !== undefined && text !== "");
  const by = endedBy(code) ?? (/^User initiated/i.test(StateTransitionReason ?? "") ? "user" : null);
  return { reason: said.length === 0 ? null : [...new Set(said)].join(": "), endedBy: by };
}

/**
 * A machine that is over, while the request that it came from is not, comes back as another one: it is not gone before the
 * request is cancelled.
 */
function mayComeBack(instance: Instance, request: SpotInstanceRequest | undefined): boolean {
  return instance.State?.Name === "terminated" && request !== undefined && isPersistentRequest(request) && isOpen(request);
}

/** Whether it says by itself that its request is a persistent one. */
export function isFromPersistent(instance: Instance): boolean {
  return isPersistent(instance.Tags);
}

export function toInstance(api: Api, region: string, instance: Instance, around: Surroundings): ProviderInstance {
  const { request } = around;
  const state = stateOf(instance.State?.Name);
  const id = instance.InstanceId ?? "";
  const providerId = placedId({ region, id });
  const over = state === "gone" || state === "stopped";
  return {
    providerId,
    name: nameIn(instance.Tags) || nameIn(request?.Tags),
    // One that EC2 made anew for a request of ours may bear no tags.
    token: tokenIn(instance.Tags) ?? tokenIn(request?.Tags),
    state: mayComeBack(instance, request) ? "stopped" : state,
    rawState: instance.State?.Name ?? "",
    region,
    zone: instance.Placement?.AvailabilityZone ?? "",
    type: instance.InstanceType ?? "",
    gpu: around.gpu,
    billing: instance.InstanceLifecycle === "spot" ? "spot" : "on-demand",
    price: around.price,
    pricedAt: around.pricedAt,
    createdAt: api.ours(instance.LaunchTime),
    protectedUntil: null,
    notice: over ? null : around.notice,
    reach: reachOf(instance, `${PROVIDER}-${region}-${id}`, api.env["AWS_SSH_USER"]?.trim()),
    volumeIds: dataVolumes(instance).map((volume) => placedId({ region, id: volume })),
    ...endOf(instance),
    canHibernate: false,
    dataKeptUntil: null,
    endpoints: endpointsOf(instance),
    rootVolumeId: null,
  };
}

/** A request of ours that waits for capacity and has no machine that anybody could name: nothing is paid, but it may come. */
export function toWaiting(api: Api, region: string, request: SpotInstanceRequest, gpu: Gpu): ProviderInstance {
  return {
    providerId: placedId({ region, id: request.SpotInstanceRequestId ?? "" }),
    name: nameIn(request.Tags),
    token: tokenIn(request.Tags),
    state: "provisioning",
    rawState: request.Status?.Code ?? request.State ?? "",
    region,
    zone: request.LaunchedAvailabilityZone ?? request.LaunchSpecification?.Placement?.AvailabilityZone ?? "",
    type: request.LaunchSpecification?.InstanceType ?? "",
    gpu,
    billing: "spot",
    price: null,
    createdAt: api.ours(request.CreateTime),
    protectedUntil: null,
    notice: null,
    reach: null,
    volumeIds: [],
    reason: request.Status?.Message ?? null,
    endedBy: null,
    canHibernate: false,
    dataKeptUntil: null,
    endpoints: [],
    rootVolumeId: null,
  };
}
