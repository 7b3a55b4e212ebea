import type { ProviderInstance, Reach } from "../provider.ts";
import { untaggedName } from "../tagged-name.ts";
import { PROVIDER, stateOf } from "./codes.ts";
import { gpuOf, typeName } from "./machine-types.ts";
import type { MarketData } from "./market.ts";
import { lastOf, NAME_LABEL, placedIn, regionOf, TOKEN_LABEL } from "./names.ts";
import type { Ending } from "./operations.ts";
import type { WireInstance } from "./wire.ts";

/** What a machine's own record does not say. */
export interface Surroundings {
  readonly market: MarketData | undefined;
  readonly clockOffsetMs: number;
  readonly login: string;
  /** Who stopped it, for one that stands still. */
  readonly ending: Ending | undefined;
  /** Whether this process asked for its end: until then STOPPING is on its way to being stopped. */
  readonly isEndedByUs: boolean;
}

const SSH_PORT = 22;
/** By which network tag a firewall rule of ours finds the machines whose port it opens. */
export const portTag = (port: number): string => `spot-fleet-${port}`;

/** Where it can be reached: `203.0.113.7`, or with a port behind it. What is no address goes to no program. */
function addressOf({ status, networkInterfaces }: WireInstance): { readonly host: string; readonly port: number } | null {
  const natIp = networkInterfaces.flatMap(({ accessConfigs }) => accessConfigs.map(({ natIP }) => natIP)).find((ip) => ip !== null) ?? "";
  const [, host, port = String(SSH_PORT)] = /^([A-Za-z0-9][A-Za-z0-9.-]*)(?::([1-9]\d{0,4}))?$/.exec(natIp) ?? [];
  return status !== "RUNNING" || host === undefined || Number(port) > 65_535 ? null : { host, port: Number(port) };
}

function reachOf(vm: WireInstance, id: string, login: string): Reach | null {
  const address = addressOf(vm);
  return address === null ? null : { kind: "ssh", ...address, user: login, password: null, alias: `${PROVIDER}-${id.replace("/", "-")}` };
}

function endpointsOf(vm: WireInstance): ProviderInstance["endpoints"] {
  const address = addressOf(vm);
  if (address === null) return [];
  const ports = vm.tags.items.flatMap((tag) => /^spot-fleet-(\d{1,5})$/.exec(tag)?.[1] ?? []).map(Number);
  return [...new Set(ports)].map((port) => ({ port, address: `${address.host}:${port}` }));
}

/** Its GPUs: told by itself, or else by its size. */
function gpusOf(vm: WireInstance, machineType: string, market: MarketData | undefined) {
  const [own] = vm.guestAccelerators;
  if (own !== undefined && own.acceleratorCount > 0) return { accelerator: lastOf(own.acceleratorType), count: own.acceleratorCount };
  const size = market?.sizeOf(machineType);
  return { accelerator: size?.accelerator ?? "", count: size?.count ?? 0 };
}

export const instanceId = (vm: Pick<WireInstance, "zone" | "name">): string => `${lastOf(vm.zone)}/${vm.name}`;

export function tokenIn(labels: Readonly<Record<string, string>>): string | null {
  return labels[TOKEN_LABEL] || null;
}

export function nameIn(labels: Readonly<Record<string, string>>, visible: string): string {
  return labels[NAME_LABEL] || untaggedName(visible);
}

const isSpot = ({ scheduling }: WireInstance) => scheduling.provisioningModel === "SPOT" || scheduling.preemptible;

/** A GPU is lent to a machine until its time limit; what stands still after that has ended itself. */
function overItsTime({ scheduling, lastStartTimestamp, lastStopTimestamp }: WireInstance): Ending | undefined {
  const seconds = scheduling.maxRunDuration?.seconds;
  if (seconds === undefined || lastStartTimestamp === null || lastStopTimestamp === null) return undefined;
  return lastStopTimestamp - lastStartTimestamp >= seconds * 1000 ? { endedBy: "guest", reason: "its time limit was over" } : undefined;
}

/** A machine of the wire in our words. */
export function toInstance(vm: WireInstance, around: Surroundings): ProviderInstance {
  const zone = lastOf(vm.zone);
  const machineType = lastOf(vm.machineType);
  const { accelerator, count } = gpusOf(vm, machineType, around.market);
  const type = typeName(machineType, accelerator, count);
  const state = around.isEndedByUs && ["stopping", "stopped"].includes(stateOf(vm.status)) ? "terminating" : stateOf(vm.status);
  const billing = isSpot(vm) ? "spot" : "on-demand";
  const { market } = around;
  const size = market?.sizeOf(type);
  const ending = state === "stopped" ? (around.ending ?? overItsTime(vm)) : undefined;
  const id = instanceId(vm);
  return {
    providerId: id,
    name: nameIn(vm.labels, vm.name),
    token: tokenIn(vm.labels),
    state,
    rawState: vm.status,
    region: regionOf(zone),
    zone,
    type,
    gpu: gpuOf(accelerator, count),
    billing,
    price: size === undefined ? null : (market?.prices.of(size, regionOf(zone), billing) ?? null),
    pricedAt: market?.prices.observedAt,
    createdAt: vm.creationTimestamp === null ? null : vm.creationTimestamp - around.clockOffsetMs,
    protectedUntil: null,
    // Neither the 0 s notice nor the one of 120 s is in the API: it goes on saying RUNNING. The agent inside hears it.
    notice: null,
    reach: reachOf(vm, id, around.login),
    volumeIds: vm.disks.flatMap(({ boot, source }) => (boot ? [] : (placedIn(source) ?? []))),
    reason: ending?.reason ?? null,
    // What Google starts again by itself is no remains of a reclaim.
    endedBy: ending?.endedBy === "provider" && vm.scheduling.automaticRestart ? null : (ending?.endedBy ?? null),
    canHibernate: false,
    dataKeptUntil: null,
    endpoints: endpointsOf(vm),
    rootVolumeId: null,
  };
}
