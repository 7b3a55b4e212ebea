import { machineType } from "./catalogue.ts";
import { dropDisk, letGo, makeDisk, ready } from "./disks.ts";
import type { InstanceOrder } from "./instance-order.ts";
import { begin, type Failure, finish } from "./operations.ts";
import { quotaFailure } from "./quotas.ts";
import { notReady, Refusal } from "./refusal.ts";
import { type Disk, fullName, type Operation, type Site, type Vm, vmKey, vmPath } from "./site.ts";
import { hourlyPrice } from "./skus.ts";
import { givePlace, stockOf, stockOut, takePlace } from "./stock.ts";

export const about = (vm: Vm) => ({ scope: `zones/${vm.zone}`, target: vmPath(vm), targetId: vm.id });

/** Moves a machine to a status, and its bill with it: only RUNNING costs. */
export function become(site: Site, vm: Vm, status: string): void {
  vm.status = status;
  const type = machineType(vm.zone, vm.type);
  const price = type === undefined ? 0 : hourlyPrice(vm.zone, type, vm.accelerator, vm.scheduling.isSpot);
  site.ledger.set(vmKey(vm.zone, vm.name), "machine", status === "RUNNING" ? price : 0, site.time());
}

const throwAsHttp = (failure: Failure, reason = failure.code): never => {
  throw new Refusal(failure.httpStatus, reason, failure.message);
};

/** A machine in PROVISIONING, with the disks that are made for it. */
function admit(site: Site, order: InstanceOrder): { readonly vm: Vm; readonly created: readonly Disk[] } {
  const { zone, name } = order;
  const created = order.newDisks.map((disk) => makeDisk(site, zone, disk));
  const vm: Vm = {
    ...order.vm,
    id: site.nextId(),
    name,
    zone,
    type: order.type.name,
    createdAt: site.time(),
    attachments: [...order.attachments],
    status: "PROVISIONING",
    natIp: null,
    lastStart: null,
    lastStop: null,
    lastSuspended: null,
    endsAt: null,
    preempted: false,
    isBeingPreempted: false,
    coming: null,
    held: null,
    isBeingDeleted: false,
    gone: false,
    hasPlace: false,
    machine: null,
  };
  // Another machine's disk is not ours for having asked.
  if (order.diskFailure !== null) vm.attachments = vm.attachments.filter(({ diskName }) => created.some((disk) => disk.name === diskName));
  site.vms.set(vmKey(zone, name), vm);
  return { vm, created };
}

/** A machine that runs, and takes nobody's place. */
export function runAtOnce(site: Site, order: InstanceOrder): Vm {
  const { vm, created } = admit(site, order);
  for (const disk of created) ready(site, disk);
  run(site, vm, null);
  return vm;
}

export function insertInstance(site: Site, order: InstanceOrder): Operation {
  const { zone } = order;
  const quota = quotaFailure(site, { zone, ...order.vm });
  const { quotaBy, diskInUseBy, stockOutBy } = site.switches;
  if (quota !== null && quotaBy === "http") throwAsHttp(quota, "quotaExceeded");
  if (order.diskFailure !== null && diskInUseBy === "http") throwAsHttp(order.diskFailure, "resourceInUseByAnotherResource");
  if (stockOutBy === "http" && stockOf(site, { zone, type: order.type.name, accelerator: order.vm.accelerator }) < 1)
    throwAsHttp(stockOut(site, zone));
  const { vm, created } = admit(site, order);
  const failure = quota ?? order.diskFailure ?? named(site);
  const operation = begin(site, { ...about(vm), operationType: "insert" });
  arrive(site, vm, operation, failure, {
    fail() {
      for (const disk of created) dropDisk(site, disk);
      vm.attachments = [];
      vm.gone = true;
    },
    succeed() {
      for (const disk of created) ready(site, disk);
    },
    mayHold: true,
  });
  return operation;
}

function named(site: Site): Failure | null {
  const code = site.switches.launchErrorCode;
  return code === null ? null : { code, httpStatus: 400, message: `The operation failed with ${code}.` };
}

interface Arrival {
  fail(): void;
  succeed(): void;
  readonly mayHold: boolean;
}

/** PROVISIONING, then a place or none, STAGING, RUNNING. */
function arrive(site: Site, vm: Vm, operation: Operation, failure: Failure | null, { fail, succeed, mayHold }: Arrival): void {
  vm.coming = operation;
  become(site, vm, "PROVISIONING");
  if (mayHold && site.switches.holdAt === "provisioning")
    vm.held = () => arrive(site, vm, operation, failure, { fail, succeed, mayHold: false });
  else place(site, vm, operation, failure, { fail, succeed, mayHold });
}

function place(site: Site, vm: Vm, operation: Operation, failure: Failure | null, { fail, succeed, mayHold }: Arrival): void {
  site.later(vm, site.delays.pendingMs + site.delays.provisioningMs, () => {
    const why = failure ?? (stockOf(site, vm) < 1 ? stockOut(site, vm.zone) : null);
    if (why !== null) {
      vm.coming = null;
      finish(site, operation, why);
      return fail();
    }
    takePlace(site, vm);
    succeed();
    become(site, vm, "STAGING");
    if (mayHold && site.switches.holdAt === "staging") {
      vm.coming = null;
      vm.held = () => run(site, vm, null);
      return finish(site, operation);
    }
    site.later(vm, site.delays.stagingMs, () => run(site, vm, operation));
  });
}

/** A machine that was held goes on. */
export function release(site: Site, vm: Vm): void {
  const go = vm.held;
  vm.held = null;
  if (go !== null && !vm.gone) site.later(vm, 0, go);
}

function run(site: Site, vm: Vm, operation: Operation | null): void {
  vm.coming = null;
  vm.preempted = false;
  vm.isBeingPreempted = false;
  vm.lastStart = site.time();
  const number = Number((BigInt(vm.id) / 7_919n) % 65_536n);
  vm.natIp = vm.hasExternalAddress ? `34.133.${number >> 8}.${number % 256}` : null;
  become(site, vm, "RUNNING");
  if (operation !== null) finish(site, operation);
  const { maxRunSeconds, terminationTime } = vm.scheduling;
  vm.endsAt = maxRunSeconds === null ? terminationTime : site.time() + maxRunSeconds * 1_000;
  if (vm.endsAt !== null) site.later(vm, Math.max(0, vm.endsAt - site.time()), () => endRun(site, vm));
}

/** The time limit: what `instanceTerminationAction` says. */
function endRun(site: Site, vm: Vm): void {
  if (vm.scheduling.terminationAction === "DELETE") {
    const operation = begin(site, { ...about(vm), operationType: "delete" });
    remove(site, vm, operation);
    return;
  }
  windDown(site, vm, site.delays.stopMs, () => halt(site, vm));
}

/** STOPPING for so long; whatever else was planned for the machine is off. */
export function windDown(site: Site, vm: Vm, ms: number, then: () => void): void {
  site.cancel(vm);
  vm.held = null;
  become(site, vm, "STOPPING");
  site.later(vm, ms, then);
}

/** TERMINATED: stopped, its disks as they were. */
export function halt(site: Site, vm: Vm): void {
  givePlace(site, vm);
  vm.natIp = null;
  vm.endsAt = null;
  vm.lastStop = site.time();
  become(site, vm, "TERMINATED");
}

/** The end: disks with autoDelete go too, the others are free. */
export function vanish(site: Site, vm: Vm): void {
  givePlace(site, vm);
  vm.lastStop = site.time();
  become(site, vm, "TERMINATED");
  vm.gone = true;
  const { attachments } = vm;
  letGo(site, vm, () => true);
  for (const { diskName, autoDelete } of attachments) {
    const disk = site.disks.get(vmKey(vm.zone, diskName));
    if (autoDelete && disk !== undefined) dropDisk(site, disk);
  }
}

function remove(site: Site, vm: Vm, operation: Operation): void {
  interrupt(site, vm, "The instance was deleted while it was being created.");
  vm.isBeingDeleted = true;
  windDown(site, vm, site.delays.pendingMs + site.delays.deleteMs, () => {
    vanish(site, vm);
    finish(site, operation);
  });
}

/** The operation that was making or starting the machine ends without it. */
export function interrupt(site: Site, vm: Vm, message: string): void {
  if (vm.coming !== null) finish(site, vm.coming, { code: "UNSUPPORTED_OPERATION", httpStatus: 400, message });
  vm.coming = null;
}

export function deleteInstance(site: Site, vm: Vm): Operation {
  if (vm.deletionProtection)
    throw new Refusal(
      400,
      "invalidResourceUsage",
      "Invalid resource usage: 'Resource cannot be deleted if it's protected against deletion.'.",
    );
  if (vm.isBeingDeleted) {
    if (site.switches.deleteTwice === "not-ready") throw notReady(fullName(vmPath(vm)));
    const first = site.operations.find((one) => one.operationType === "delete" && one.targetId === vm.id);
    if (first !== undefined) return first;
  }
  const operation = begin(site, { ...about(vm), operationType: "delete" });
  remove(site, vm, operation);
  return operation;
}

const STOPPABLE = ["RUNNING", "STAGING", "PROVISIONING", "REPAIRING"];

export function stopInstance(site: Site, vm: Vm): Operation {
  if (vm.status === "STOPPING") throw notReady(fullName(vmPath(vm)));
  const operation = begin(site, { ...about(vm), operationType: "stop" });
  if (!STOPPABLE.includes(vm.status)) site.later(operation, site.delays.pendingMs, () => finish(site, operation));
  else {
    interrupt(site, vm, "The instance was stopped while it was being created.");
    windDown(site, vm, site.delays.pendingMs + site.delays.stopMs, () => {
      halt(site, vm);
      finish(site, operation);
    });
  }
  return operation;
}

export function startInstance(site: Site, vm: Vm): Operation {
  if (["STOPPING", "SUSPENDING"].includes(vm.status)) throw notReady(fullName(vmPath(vm)));
  const isOff = vm.status === "TERMINATED";
  if (isOff && site.switches.stockOutBy === "http" && stockOf(site, vm) < 1) throwAsHttp(stockOut(site, vm.zone));
  const operation = begin(site, { ...about(vm), operationType: "start" });
  if (!isOff) {
    const isUp = ["RUNNING", "STAGING", "PROVISIONING"].includes(vm.status);
    const failure = { code: "UNSUPPORTED_OPERATION", httpStatus: 400, message: `A machine in ${vm.status} cannot be started.` };
    site.later(operation, site.delays.pendingMs, () => finish(site, operation, isUp ? undefined : failure));
    return operation;
  }
  arrive(site, vm, operation, quotaFailure(site, vm), {
    fail: () => become(site, vm, "TERMINATED"),
    succeed: () => undefined,
    mayHold: false,
  });
  return operation;
}
