import { gpuFromName } from "../../model/gpu-names.ts";
import type { ProviderInstance, Reach } from "../provider.ts";
import { tokenOf, untaggedName } from "../tagged-name.ts";
import { PROVIDER, stateOf } from "./codes.ts";
import { loginOf } from "./images.ts";
import { isSpot } from "./offers.ts";
import type { Prices } from "./prices.ts";
import { timeOf, type WireVm } from "./wire.ts";

/** What a machine's own record does not say. */
export interface Surroundings {
  readonly prices: Prices | undefined;
  /** Whether this process asked for the machine's end. */
  isEndedByUs(id: string): boolean;
  readonly clockOffsetMs: number;
  /** `HYPERSTACK_SSH_USER`: for images with a login of their own. */
  readonly login: string | undefined;
}

const SSH_PORT = 22;

/** Where it can be reached: `203.0.113.7`, or with a port behind it. What is no address goes to no program. */
function addressOf(vm: WireVm): { readonly host: string; readonly port: number } | null {
  const [, host, port = String(SSH_PORT)] = /^([A-Za-z0-9][A-Za-z0-9.-]*)(?::([1-9]\d{0,4}))?$/.exec(vm.floating_ip ?? "") ?? [];
  // Attached a moment after the machine runs; a cloud that does not say is taken at its address.
  const isAttached = vm.floating_ip_status === null || vm.floating_ip_status.toUpperCase() === "ATTACHED";
  return host === undefined || !isAttached || Number(port) > 65_535 ? null : { host, port: Number(port) };
}

/** Under port randomization the port is another one, and no documented field tells which. */
function reachOf(vm: WireVm, login: string | undefined): Reach | null {
  const address = addressOf(vm);
  if (vm.status !== "ACTIVE" || address === null || vm.port_randomization === true) return null;
  const user = login ?? loginOf(`${vm.os ?? ""} ${vm.image?.name ?? ""}`);
  return { kind: "ssh", ...address, user, password: null, alias: `${PROVIDER}-${vm.id}` };
}

function endpointsOf(vm: WireVm): ProviderInstance["endpoints"] {
  const address = addressOf(vm);
  if (address === null || vm.status !== "ACTIVE") return [];
  const ports = vm.security_rules.flatMap(({ direction, port_range_min: first, port_range_max: last }) =>
    direction === "ingress" && first !== null && first === last && first !== SSH_PORT ? [first] : [],
  );
  return [...new Set(ports)].map((port) => ({ port, address: `${address.host}:${port}` }));
}

/** The newer flavors say it in `features`, the older ones in `labels`; those with a large root say neither and cannot. */
export function canHibernate(flavor: WireVm["flavor"]): boolean {
  if (flavor === null) return true;
  const { features, labels, name } = flavor;
  const says = features["no_hibernation"];
  return says !== true && says !== "true" && !labels.includes("no-hibernation") && !/bigroot/i.test(name);
}

/** The volumes of its owner that it holds: not its root disk, and not those that it is letting go. */
export function dataVolumes(vm: WireVm): readonly { readonly id: string; readonly status: string; readonly device: string | null }[] {
  return vm.volume_attachments.flatMap(({ volume, status, device }) =>
    volume === null || volume.bootable === true || status === "DETACHED" ? [] : [{ id: volume.id, status: status ?? "", device }],
  );
}

function tokenIn(vm: WireVm): string | null {
  return (
    tokenOf(vm.name) ?? vm.labels.map((label) => (label.startsWith("t-") ? tokenOf(label) : null)).find((token) => token !== null) ?? null
  );
}

/** Nobody is told of a reclaim: the machine just goes away. What we did not ask for is the cloud's doing. */
function endOf(vm: WireVm, isOurs: boolean): Pick<ProviderInstance, "reason" | "endedBy"> {
  const state = stateOf(vm.status);
  if (state === "failed") return { reason: "the cloud reports ERROR", endedBy: null };
  if (!["terminating", "gone"].includes(state) || isOurs || !isSpot(vm.flavor?.name ?? "")) return { reason: null, endedBy: null };
  return { reason: "deleted without our asking", endedBy: "provider" };
}

export function toInstance(vm: WireVm, around: Surroundings): ProviderInstance {
  const { flavor } = vm;
  const region = vm.environment?.region ?? "";
  const count = flavor?.gpu_count ?? 0;
  const { vramGb, ...named } = gpuFromName(flavor?.gpu ?? "");
  const createdAt = timeOf(vm.created_at);
  return {
    providerId: vm.id,
    name: untaggedName(vm.name),
    token: tokenIn(vm),
    state: stateOf(vm.status),
    rawState: vm.status ?? "",
    region,
    zone: region,
    type: flavor?.name ?? "",
    gpu: { ...named, count, vramGb: vramGb ?? 0 },
    billing: isSpot(flavor?.name ?? "") ? "spot" : "on-demand",
    price: around.prices?.of(flavor?.gpu ?? null, count) ?? null,
    createdAt: createdAt === null ? null : createdAt - around.clockOffsetMs,
    protectedUntil: null,
    notice: null,
    reach: reachOf(vm, around.login),
    volumeIds: dataVolumes(vm)
      .filter(({ status }) => status !== "DETACHING")
      .map(({ id }) => id),
    ...endOf(vm, around.isEndedByUs(vm.id)),
    canHibernate: canHibernate(flavor),
    dataKeptUntil: null,
    endpoints: endpointsOf(vm),
    rootVolumeId: null,
  };
}
