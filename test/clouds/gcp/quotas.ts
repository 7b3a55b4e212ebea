import { ACCELERATORS, regionOf } from "./catalogue.ts";
import type { Failure } from "./operations.ts";
import type { Site, Vm } from "./site.ts";

export interface Quota {
  readonly metric: string;
  readonly limit: number;
  readonly usage: number;
  readonly owner?: string;
}

const USUAL_LIMIT = 10_000;
/** Machines in these hold their quota. */
const HOLDING = new Set(["PROVISIONING", "STAGING", "RUNNING", "STOPPING", "REPAIRING", "SUSPENDING"]);

type Accelerated = Pick<Vm, "zone" | "accelerator"> & { readonly scheduling: { readonly isSpot: boolean } };

function limitOf(site: Site, region: string | null, metric: string): number {
  return (region === null ? undefined : site.quotas.get(`${region}/${metric}`)) ?? site.quotas.get(metric) ?? USUAL_LIMIT;
}

/** The metric that a machine's GPUs are counted by; null when the enum has none for them. Without quota for Spot it is the usual one. */
function metricOf(site: Site, { zone, accelerator, scheduling }: Accelerated): string | null {
  const kind = ACCELERATORS.find(({ name }) => name === accelerator?.type);
  if (kind === undefined) return null;
  if (!scheduling.isSpot) return kind.metric;
  const spot = kind.spotMetric;
  return spot !== null && kind.metric !== null && limitOf(site, regionOf(zone), spot) === 0 ? kind.metric : spot;
}

function used(site: Site, region: string | null, metric: string | null): number {
  return [...site.vms.values()]
    .filter((vm) => !vm.gone && HOLDING.has(vm.status) && (region === null || regionOf(vm.zone) === region))
    .filter((vm) => metric === null || metricOf(site, vm) === metric)
    .reduce((sum, { accelerator }) => sum + (accelerator?.count ?? 0), 0);
}

export function regionQuotas(site: Site, region: string): readonly Quota[] {
  const metrics = new Set(ACCELERATORS.flatMap(({ metric, spotMetric }) => [metric, spotMetric]).filter((metric) => metric !== null));
  const rows = [...metrics].map((metric) => ({ metric, limit: limitOf(site, region, metric), usage: used(site, region, metric) }));
  return [
    { metric: "CPUS", limit: limitOf(site, region, "CPUS"), usage: 0 },
    { metric: "PREEMPTIBLE_CPUS", limit: site.quotas.get("PREEMPTIBLE_CPUS") ?? 0, usage: 0 },
    { metric: "PREEMPTIBLE_LOCAL_SSD_GB", limit: 0, usage: 0 },
    ...rows,
  ];
}

export function projectQuotas(site: Site): readonly Quota[] {
  return [
    { metric: "GPUS_ALL_REGIONS", limit: limitOf(site, null, "GPUS_ALL_REGIONS"), usage: used(site, null, null) },
    { metric: "NETWORKS", limit: 15, usage: 1 },
  ];
}

function exceeded(metric: string, limit: number, region: string | null): Failure {
  const lower = metric.toLowerCase();
  return {
    code: "QUOTA_EXCEEDED",
    httpStatus: 403,
    message:
      region === null
        ? `Quota '${metric}' exceeded.  Limit: ${limit.toFixed(1)} globally.`
        : `Quota '${metric}' exceeded.  Limit: ${limit.toFixed(1)} in region ${region}.`,
    errorDetails: [
      {
        quotaInfo: {
          metricName: `compute.googleapis.com/${lower}`,
          limitName: `${metric.replaceAll("_", "-")}-per-project${region === null ? "" : "-region"}`,
          dimensions: region === null ? { global: "global" } : { region },
          limit,
        },
      },
    ],
  };
}

/** What exceeds a quota when this machine comes; the machine itself is not counted yet. */
export function quotaFailure(site: Site, vm: Accelerated): Failure | null {
  if (vm.accelerator === null) return null;
  const region = regionOf(vm.zone);
  const { count } = vm.accelerator;
  const everywhere = limitOf(site, null, "GPUS_ALL_REGIONS");
  if (used(site, null, null) + count > everywhere) return exceeded("GPUS_ALL_REGIONS", everywhere, null);
  const metric = metricOf(site, vm);
  if (metric === null) return null;
  const limit = limitOf(site, region, metric);
  return used(site, region, metric) + count > limit ? exceeded(metric, limit, region) : null;
}
