import { ready } from "./disks.ts";
import { about, become, halt, interrupt, vanish, windDown } from "./lifecycle.ts";
import { begin, finish, systemEvent } from "./operations.ts";
import { Refusal } from "./refusal.ts";
import type { Operation, Site, Vm } from "./site.ts";
import { vmKey } from "./site.ts";

const CAN_BE_PREEMPTED = ["PROVISIONING", "STAGING", "RUNNING"];

/**
 * Takes a Spot VM back: the flag inside turns, after the notice that was asked for comes the soft-off, and the best effort of
 * `shutdownMs` later it is off. During the notice the API goes on saying RUNNING.
 */
export function preempt(site: Site, vm: Vm, noticeSeconds = vm.scheduling.noticeSeconds): void {
  if (!vm.scheduling.isSpot || !CAN_BE_PREEMPTED.includes(vm.status)) throw new Error(`${vm.zone}/${vm.name} cannot be preempted`);
  if (vm.isBeingPreempted) return;
  vm.isBeingPreempted = true;
  vm.preempted = !site.switches.silentPreemptions;
  if (noticeSeconds > 0 && vm.status === "RUNNING") site.later(vm, noticeSeconds * 1_000, () => softOff(site, vm));
  else softOff(site, vm);
}

function softOff(site: Site, vm: Vm): void {
  interrupt(site, vm, "Instance was preempted during creation.");
  if (!site.switches.forgetsPreemptions) {
    const { scope, target, targetId } = about(vm);
    systemEvent(site, "compute.instances.preempted", scope, target, targetId, "Instance was preempted.");
  }
  // One that never came to run leaves its disks as any other does.
  for (const { diskName } of vm.attachments) {
    const disk = site.disks.get(vmKey(vm.zone, diskName));
    if (disk !== undefined) ready(site, disk);
  }
  site.ledger.endPreempted(vmKey(vm.zone, vm.name), site.time());
  windDown(site, vm, site.delays.shutdownMs, () => {
    if (vm.scheduling.terminationAction === "DELETE") vanish(site, vm);
    else halt(site, vm);
  });
}

/** The guest's own shutdown: nobody else ended it. */
export function guestTerminate(site: Site, vm: Vm): void {
  const { scope, target, targetId } = about(vm);
  systemEvent(site, "compute.instances.guestTerminate", scope, target, targetId, "Instance terminated by guest OS shutdown.");
  windDown(site, vm, site.delays.stopMs, () => halt(site, vm));
}

/** The host breaks. A machine with automatic restart comes back, a Spot VM does not. */
export function hostError(site: Site, vm: Vm): void {
  const { scope, target, targetId } = about(vm);
  systemEvent(site, "compute.instances.hostError", scope, target, targetId, "Instance terminated by Compute Engine.");
  site.cancel(vm);
  if (!vm.scheduling.automaticRestart) {
    halt(site, vm);
    return;
  }
  become(site, vm, "REPAIRING");
  site.later(vm, site.delays.stagingMs, () => {
    systemEvent(site, "compute.instances.automaticRestart", scope, target, targetId, "Instance automatically restarted by Compute Engine.");
    become(site, vm, "RUNNING");
  });
}

/** On a Spot VM the simulation is the real thing. */
export function simulateMaintenanceEvent(site: Site, vm: Vm): Operation {
  if (vm.status !== "RUNNING") throw new Refusal(400, "resourceNotReady", "The instance is not running.");
  const operation = begin(site, { ...about(vm), operationType: "simulateMaintenanceEvent" });
  site.later(operation, site.delays.pendingMs, () => {
    finish(site, operation);
    if (vm.scheduling.isSpot) preempt(site, vm);
  });
  return operation;
}

/** @throws Refusal for a machine that is not RUNNING. */
export function suspendInstance(site: Site, vm: Vm): Operation {
  const operation = begin(site, { ...about(vm), operationType: "suspend" });
  const message =
    vm.status !== "RUNNING"
      ? `An instance in ${vm.status} cannot be suspended.`
      : vm.accelerator !== null
        ? "Suspending an instance with guest accelerators is not supported."
        : null;
  if (message !== null) {
    site.later(operation, site.delays.pendingMs, () =>
      finish(site, operation, { code: "UNSUPPORTED_OPERATION", httpStatus: 400, message }),
    );
    return operation;
  }
  site.cancel(vm);
  become(site, vm, "SUSPENDING");
  site.later(vm, site.delays.suspendMs, () => {
    vm.lastSuspended = site.time();
    vm.natIp = null;
    become(site, vm, "SUSPENDED");
    finish(site, operation);
  });
  return operation;
}

export function resumeInstance(site: Site, vm: Vm): Operation {
  const operation = begin(site, { ...about(vm), operationType: "resume" });
  const isSuspended = vm.status === "SUSPENDED";
  site.later(operation, site.delays.pendingMs + site.delays.suspendMs, () => {
    if (isSuspended) become(site, vm, "RUNNING");
    const message = `An instance in ${vm.status} cannot be resumed.`;
    finish(site, operation, isSuspended ? undefined : { code: "UNSUPPORTED_OPERATION", httpStatus: 400, message });
  });
  return operation;
}
