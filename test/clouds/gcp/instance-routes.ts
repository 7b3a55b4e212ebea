import { vmJson } from "./answers.ts";
import { setLabels, setMetadata, setScheduling, setTags } from "./changes.ts";
import { attachDisk, detachDisk, setDiskAutoDelete } from "./disks.ts";
import { instanceOrder } from "./instance-order.ts";
import { about, deleteInstance, insertInstance, startInstance, stopInstance } from "./lifecycle.ts";
import { aggregated, list, type Placed } from "./lists.ts";
import { resumeInstance, simulateMaintenanceEvent, suspendInstance } from "./preemption.ts";
import { badRequest, invalid, notFound } from "./refusal.ts";
import { AGGREGATED, type Call, change, inScope, LIST, type Route, read, zoneNamed } from "./route.ts";
import { SET_LABELS } from "./shapes.ts";
import { fullName, liveVm, type Operation, type Site, type Vm, vmPath } from "./site.ts";

/** @throws Refusal for a machine that is not there. */
function vmNamed(site: Site, zone: string, name: string): Vm {
  const vm = liveVm(site, zoneNamed(zone), name);
  if (vm === undefined) throw notFound(fullName(vmPath({ zone, name })));
  return vm;
}

function listedVms(site: Site, isBeta: boolean): readonly Placed[] {
  return [...site.vms.values()]
    .filter((vm) => !vm.gone && vm.createdAt + site.delays.listedMs <= site.time())
    .map((vm) => ({ scope: `zones/${vm.zone}`, name: vm.name, row: () => vmJson(site, vm, isBeta) }));
}

function required(query: URLSearchParams, name: string): string {
  const value = query.get(name);
  if (value === null) throw badRequest(`Required field '${name}' not specified`);
  return value;
}

const INSTANCE = "zones/{z}/instances/{i}";

const vmChange = (verb: string, handle: (call: Call, vm: Vm) => Operation, query: readonly string[] = []): Route =>
  change("POST", `${INSTANCE}/${verb}`, (call, zone = "", name = "") => handle(call, vmNamed(call.site, zone, name)), query);

export const INSTANCES: readonly Route[] = [
  read(
    "aggregated/instances",
    ({ site, query, isBeta }) =>
      aggregated(site, query, { kind: "compute#instanceAggregatedList", key: "instances", name: "instances" }, listedVms(site, isBeta)),
    AGGREGATED,
  ),
  read(
    "zones/{z}/instances",
    ({ site, query, isBeta }, zone = "") =>
      list(site, query, "compute#instanceList", `zones/${zoneNamed(zone)}/instances`, inScope(listedVms(site, isBeta), `zones/${zone}`)),
    LIST,
  ),
  read(INSTANCE, ({ site, isBeta }, zone = "", name = "") => vmJson(site, vmNamed(site, zone, name), isBeta)),
  change(
    "POST",
    "zones/{z}/instances",
    ({ site, body, isBeta, query }, zone = "") => {
      for (const unknown of ["sourceInstanceTemplate", "sourceMachineImage"])
        if (query.has(unknown)) throw invalid(`the fake has no ${unknown}`);
      return insertInstance(site, instanceOrder(site, zoneNamed(zone), body, isBeta));
    },
    ["sourceInstanceTemplate", "sourceMachineImage"],
  ),
  change("DELETE", INSTANCE, ({ site }, zone = "", name = "") => deleteInstance(site, vmNamed(site, zone, name))),
  vmChange("stop", ({ site }, vm) => stopInstance(site, vm), ["discardLocalSsd"]),
  vmChange("start", ({ site }, vm) => startInstance(site, vm)),
  vmChange("suspend", ({ site }, vm) => suspendInstance(site, vm), ["discardLocalSsd"]),
  vmChange("resume", ({ site }, vm) => resumeInstance(site, vm)),
  vmChange("simulateMaintenanceEvent", ({ site }, vm) => simulateMaintenanceEvent(site, vm), ["withExtendedNotifications"]),
  vmChange("setLabels", ({ site, body }, vm) => setLabels(site, vm, about(vm), SET_LABELS, body)),
  vmChange("setMetadata", ({ site, body }, vm) => setMetadata(site, vm, body)),
  vmChange("setTags", ({ site, body }, vm) => setTags(site, vm, body)),
  vmChange("setScheduling", ({ site, body }, vm) => setScheduling(site, vm, body)),
  vmChange("attachDisk", ({ site, body }, vm) => attachDisk(site, vm, body), ["forceAttach"]),
  vmChange("detachDisk", ({ site, query }, vm) => detachDisk(site, vm, required(query, "deviceName")), ["deviceName"]),
  vmChange(
    "setDiskAutoDelete",
    ({ site, query }, vm) => setDiskAutoDelete(site, vm, required(query, "deviceName"), required(query, "autoDelete")),
    ["deviceName", "autoDelete"],
  ),
];
