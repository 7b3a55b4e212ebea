export const INSTANCE_STATES = [
  "requested",
  "provisioning",
  "running",
  "reclaiming",
  "hibernating",
  "hibernated",
  "restoring",
  "stopping",
  "stopped",
  "terminating",
  "gone",
  "failed",
  "unknown",
] as const;

export type InstanceState = (typeof INSTANCE_STATES)[number];

/** `any` offers the cheapest first, spot before on-demand at an equal price. */
export type Billing = "spot" | "on-demand" | "monthly";

const LEGAL: Readonly<Record<InstanceState, readonly InstanceState[]>> = {
  requested: ["provisioning", "running", "hibernated", "terminating", "gone", "failed", "unknown"],
  provisioning: ["running", "reclaiming", "hibernating", "hibernated", "stopping", "terminating", "gone", "failed", "requested", "unknown"],
  running: ["reclaiming", "hibernating", "hibernated", "stopping", "stopped", "terminating", "gone", "failed", "requested", "unknown"],
  reclaiming: ["running", "hibernating", "hibernated", "stopping", "stopped", "terminating", "gone", "failed", "requested", "unknown"],
  hibernating: ["hibernated", "running", "reclaiming", "terminating", "gone", "failed", "requested", "unknown"],
  // Its owner may have woken it at the provider's own console.
  hibernated: ["restoring", "running", "reclaiming", "hibernating", "requested", "terminating", "gone", "failed", "unknown"],
  restoring: ["running", "reclaiming", "hibernating", "hibernated", "terminating", "gone", "failed", "requested", "unknown"],
  stopping: ["stopped", "running", "terminating", "gone", "failed", "unknown"],
  // Its owner may have started it again at the provider's own console.
  stopped: ["restoring", "running", "reclaiming", "hibernating", "hibernated", "requested", "terminating", "gone", "failed", "unknown"],
  terminating: ["gone", "hibernated", "requested", "unknown"],
  gone: [],
  failed: ["requested", "terminating", "gone"],
  unknown: INSTANCE_STATES.filter((state) => state !== "unknown"),
};

/** Whether a record may move from one state to another. `gone` is final: the name may be used again by a new record. */
export function mayMove(from: InstanceState, to: InstanceState): boolean {
  return from === to || LEGAL[from].includes(to);
}

/** States in which the GPU is, or may be, billed. */
export function mayBillGpu(state: InstanceState): boolean {
  return !["requested", "hibernated", "gone"].includes(state);
}

/** Nothing more will happen to it, and its name is free. */
export function isOver(state: InstanceState): boolean {
  return state === "gone";
}
