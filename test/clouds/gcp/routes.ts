import {
  acceleratorTypeJson,
  diskJson,
  firewallJson,
  imageJson,
  machineTypeJson,
  networkOfProjectJson,
  operationJson,
  projectJson,
  regionJson,
  snapshotJson,
  vmJson,
  zoneJson,
} from "./answers.ts";
import { ACCELERATORS, IMAGES, MACHINE_TYPES, machineType, REGIONS, ZONES } from "./catalogue.ts";
import { deleteFirewall, insertFirewall, setLabels, setMetadata, setScheduling, setTags } from "./changes.ts";
import { about as aboutDisk, attachDisk, deleteDisk, detachDisk, diskOf, insertDisk, setDiskAutoDelete } from "./disks.ts";
import { instanceOrder } from "./instance-order.ts";
import { about, deleteInstance, insertInstance, startInstance, stopInstance } from "./lifecycle.ts";
import { aggregated, list, type Placed } from "./lists.ts";
import { knownOperations, operationOf } from "./operations.ts";
import { resumeInstance, simulateMaintenanceEvent, suspendInstance } from "./preemption.ts";
import { projectQuotas } from "./quotas.ts";
import { badRequest, invalid, notFound } from "./refusal.ts";
import { SET_DISK_LABELS, SET_GLOBAL_LABELS, SET_LABELS } from "./shapes.ts";
import { fullName, liveVm, type Operation, PROJECT, type Site, type Vm, vmPath } from "./site.ts";
import { createSnapshot, deleteSnapshot, insertSnapshot, snapshotNamed } from "./snapshots.ts";

export interface Call {
  readonly site: Site;
  readonly query: URLSearchParams;
  readonly body: unknown;
  readonly isBeta: boolean;
  /** What the groups of the route's pattern have caught. */
  readonly parts: readonly string[];
}

/** What a route answers: JSON, an operation that it began, or one to be waited for. */
export type Outcome = { readonly json: unknown } | { readonly began: Operation } | { readonly waitFor: Operation };

export interface Route {
  readonly method: "GET" | "POST" | "DELETE";
  /** Below `projects/{p}/`. */
  readonly path: RegExp;
  /** Query parameters of its own, beside those that every method has. */
  readonly query: readonly string[];
  handle(call: Call): Outcome;
}

const LIST = ["filter", "maxResults", "orderBy", "pageToken", "returnPartialSuccess"];
const AGGREGATED = [...LIST, "includeAllScopes", "serviceProjectNumber"];
const REQUEST = ["requestId"];

function pattern(path: string): RegExp {
  return new RegExp(`^${path.replace(/\{\w+\}/g, "([^/]+)")}$`);
}

type Handler = (call: Call, ...parts: string[]) => unknown;

function read(path: string, handle: Handler, query: readonly string[] = []): Route {
  return { method: "GET", path: pattern(path), query, handle: (call) => ({ json: handle(call, ...call.parts) }) };
}

function change(
  method: "POST" | "DELETE",
  path: string,
  handle: (call: Call, ...parts: string[]) => Operation,
  query: readonly string[] = [],
): Route {
  return { method, path: pattern(path), query: [...REQUEST, ...query], handle: (call) => ({ began: handle(call, ...call.parts) }) };
}

function zoneNamed(name: string): string {
  if (!ZONES.includes(name)) throw notFound(fullName(`zones/${name}`));
  return name;
}

/** @throws Refusal for a machine that is not there. */
function vmNamed(site: Site, zone: string, name: string): Vm {
  const vm = liveVm(site, zoneNamed(zone), name);
  if (vm === undefined) throw notFound(fullName(vmPath({ zone, name })));
  return vm;
}

function listedVms(site: Site, isBeta: boolean): readonly Placed[] {
  return [...site.vms.values()]
    .filter((vm) => !vm.gone && vm.createdAt + site.delays.listedMs <= site.time())
    .map((vm) => ({ scope: `zones/${vm.zone}`, row: vmJson(site, vm, isBeta) }));
}

function listedDisks(site: Site): readonly Placed[] {
  return [...site.disks.values()].map((disk) => ({ scope: `zones/${disk.zone}`, row: diskJson(site, disk) }));
}

function inScope(rows: readonly Placed[], scope: string): readonly Placed["row"][] {
  return rows.filter((one) => one.scope === scope).map(({ row }) => row);
}

function required(query: URLSearchParams, name: string): string {
  const value = query.get(name);
  if (value === null) throw badRequest(`Required field '${name}' not specified`);
  return value;
}

const INSTANCE = "zones/{z}/instances/{i}";

const vmChange = (verb: string, handle: (call: Call, vm: Vm) => Operation, query: readonly string[] = []): Route =>
  change("POST", `${INSTANCE}/${verb}`, (call, zone = "", name = "") => handle(call, vmNamed(call.site, zone, name)), query);

const INSTANCES: readonly Route[] = [
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

const DISK = "zones/{z}/disks/{d}";

const STORAGE: readonly Route[] = [
  read(
    "aggregated/disks",
    ({ site, query }) => aggregated(site, query, { kind: "compute#diskAggregatedList", key: "disks", name: "disks" }, listedDisks(site)),
    AGGREGATED,
  ),
  read(
    "zones/{z}/disks",
    ({ site, query }, zone = "") =>
      list(site, query, "compute#diskList", `zones/${zoneNamed(zone)}/disks`, inScope(listedDisks(site), `zones/${zone}`)),
    LIST,
  ),
  read(DISK, ({ site }, zone = "", name = "") => diskJson(site, diskOf(site, zoneNamed(zone), name))),
  change("POST", "zones/{z}/disks", ({ site, body, query }, zone = "") => insertDisk(site, zoneNamed(zone), body, query), ["sourceImage"]),
  change("DELETE", DISK, ({ site }, zone = "", name = "") => deleteDisk(site, diskOf(site, zoneNamed(zone), name))),
  change(
    "POST",
    `${DISK}/createSnapshot`,
    ({ site, body }, zone = "", name = "") => createSnapshot(site, diskOf(site, zoneNamed(zone), name), body),
    ["guestFlush"],
  ),
  change("POST", `${DISK}/setLabels`, ({ site, body }, zone = "", name = "") => {
    const disk = diskOf(site, zoneNamed(zone), name);
    return setLabels(site, disk, aboutDisk(disk), SET_DISK_LABELS, body);
  }),
  read(
    "global/snapshots",
    ({ site, query }) =>
      list(
        site,
        query,
        "compute#snapshotList",
        "global/snapshots",
        [...site.snapshots.values()].map((one) => snapshotJson(site, one)),
      ),
    LIST,
  ),
  read("global/snapshots/{s}", ({ site }, name = "") => snapshotJson(site, snapshotNamed(site, name))),
  change("POST", "global/snapshots", ({ site, body }) => insertSnapshot(site, body)),
  change("DELETE", "global/snapshots/{s}", ({ site }, name = "") => deleteSnapshot(site, snapshotNamed(site, name))),
  {
    ...change("POST", "global/snapshots/{s}/setLabels", ({ site, body }, name = "") => {
      const snapshot = snapshotNamed(site, name);
      const target = { scope: "global", target: `global/snapshots/${name}`, targetId: snapshot.id };
      return setLabels(site, snapshot, target, SET_GLOBAL_LABELS, body);
    }),
    query: [],
  },
];

const placedByZone = <Kind extends { readonly zones: readonly string[] }>(
  kinds: readonly Kind[],
  show: (zone: string, kind: Kind) => Placed["row"],
): readonly Placed[] => kinds.flatMap((kind) => kind.zones.map((zone) => ({ scope: `zones/${zone}`, row: show(zone, kind) })));

const machineTypes = (site: Site) => placedByZone(MACHINE_TYPES, (zone, type) => machineTypeJson(site, zone, type));
const acceleratorTypes = (site: Site) => placedByZone(ACCELERATORS, (zone, kind) => acceleratorTypeJson(site, zone, kind));

const CATALOGUE: readonly Route[] = [
  read(
    "aggregated/machineTypes",
    ({ site, query }) =>
      aggregated(site, query, { kind: "compute#machineTypeAggregatedList", key: "machineTypes", name: "machineTypes" }, machineTypes(site)),
    AGGREGATED,
  ),
  read(
    "zones/{z}/machineTypes",
    ({ site, query }, zone = "") =>
      list(site, query, "compute#machineTypeList", `zones/${zoneNamed(zone)}/machineTypes`, inScope(machineTypes(site), `zones/${zone}`)),
    LIST,
  ),
  read("zones/{z}/machineTypes/{t}", ({ site }, zone = "", name = "") => {
    const type = machineType(zoneNamed(zone), name);
    if (type === undefined) throw notFound(fullName(`zones/${zone}/machineTypes/${name}`));
    return machineTypeJson(site, zone, type);
  }),
  read(
    "aggregated/acceleratorTypes",
    ({ site, query }) =>
      aggregated(
        site,
        query,
        { kind: "compute#acceleratorTypeAggregatedList", key: "acceleratorTypes", name: "acceleratorTypes" },
        acceleratorTypes(site),
      ),
    AGGREGATED,
  ),
  read(
    "zones/{z}/acceleratorTypes",
    ({ site, query }, zone = "") =>
      list(
        site,
        query,
        "compute#acceleratorTypeList",
        `zones/${zoneNamed(zone)}/acceleratorTypes`,
        inScope(acceleratorTypes(site), `zones/${zone}`),
      ),
    LIST,
  ),
  read(
    "zones",
    ({ site, query }) =>
      list(
        site,
        query,
        "compute#zoneList",
        "zones",
        ZONES.map((zone) => zoneJson(site, zone)),
      ),
    LIST,
  ),
  read("zones/{z}", ({ site }, zone = "") => zoneJson(site, zoneNamed(zone))),
  read(
    "regions",
    ({ site, query }) =>
      list(
        site,
        query,
        "compute#regionList",
        "regions",
        REGIONS.map(({ name }) => regionJson(site, name)),
      ),
    LIST,
  ),
  read("regions/{r}", ({ site }, name = "") => {
    if (!REGIONS.some((region) => region.name === name)) throw notFound(fullName(`regions/${name}`));
    return regionJson(site, name);
  }),
  read("", ({ site }) => projectJson(site, projectQuotas(site))),
  read("global/networks/{n}", ({ site }, name = "") => {
    if (name !== "default") throw notFound(fullName(`global/networks/${name}`));
    return networkOfProjectJson(site);
  }),
  read(
    "global/networks",
    ({ site, query }) => list(site, query, "compute#networkList", "global/networks", [networkOfProjectJson(site)]),
    LIST,
  ),
];

const FIREWALLS: readonly Route[] = [
  read(
    "global/firewalls",
    ({ site, query }) =>
      list(
        site,
        query,
        "compute#firewallList",
        "global/firewalls",
        [...site.firewalls.values()].map((one) => firewallJson(site, one)),
      ),
    LIST,
  ),
  read("global/firewalls/{f}", ({ site }, name = "") => {
    const firewall = site.firewalls.get(name);
    if (firewall === undefined) throw notFound(fullName(`global/firewalls/${name}`));
    return firewallJson(site, firewall);
  }),
  change("POST", "global/firewalls", ({ site, body }) => insertFirewall(site, body)),
  change("DELETE", "global/firewalls/{f}", ({ site }, name = "") => deleteFirewall(site, name)),
];

const scopedOperations = (site: Site): readonly Placed[] =>
  knownOperations(site).map((operation) => ({ scope: operation.scope, row: operationJson(site, operation) }));

const OPERATIONS: readonly Route[] = [
  read(
    "aggregated/operations",
    ({ site, query }) =>
      aggregated(site, query, { kind: "compute#operationAggregatedList", key: "operations", name: "operations" }, scopedOperations(site)),
    AGGREGATED,
  ),
  ...["zones/[^/]+", "regions/[^/]+", "global"].flatMap((scope): readonly Route[] => [
    {
      method: "GET",
      path: new RegExp(`^(${scope})/operations$`),
      query: LIST,
      handle: ({ site, query, parts: [place = ""] }) => ({
        json: list(site, query, "compute#operationList", `${place}/operations`, inScope(scopedOperations(site), place)),
      }),
    },
    {
      method: "GET",
      path: new RegExp(`^(${scope})/operations/([^/]+)$`),
      query: [],
      handle: ({ site, parts: [place = "", name = ""] }) => ({ json: operationJson(site, operationOf(site, place, name)) }),
    },
    {
      method: "POST",
      path: new RegExp(`^(${scope})/operations/([^/]+)/wait$`),
      query: [],
      handle: ({ site, parts: [place = "", name = ""] }) => ({ waitFor: operationOf(site, place, name) }),
    },
  ]),
];

export const ROUTES: readonly Route[] = [...INSTANCES, ...STORAGE, ...CATALOGUE, ...FIREWALLS, ...OPERATIONS];

/** Images of anybody's project, which everybody may read. */
export function imageRead(site: Site, project: string, path: string): unknown {
  const family = /^global\/images\/family\/([^/]+)$/.exec(path)?.[1];
  const name = /^global\/images\/([^/]+)$/.exec(path)?.[1];
  const image = IMAGES.find((one) => one.project === project && (family === undefined ? one.name === name : one.family === family));
  if (image === undefined || project === PROJECT) throw notFound(`projects/${project}/${path}`);
  return imageJson(site, image);
}
