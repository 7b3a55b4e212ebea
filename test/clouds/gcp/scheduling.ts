import { int64 } from "./checks.ts";
import { invalid } from "./refusal.ts";
import type { Scheduling } from "./site.ts";

const SHORTEST_RUN_SECONDS = 30;
const LONGEST_RUN_SECONDS = 120 * 24 * 3600;

function isSpotOrder(given: Readonly<Record<string, unknown>>): boolean {
  const { provisioningModel: model, preemptible } = given;
  if (model === "SPOT" && preemptible === false)
    throw invalid("Invalid value for field 'resource.scheduling': ''. Spot instances must be preemptible.");
  if (model === "STANDARD" && preemptible === true)
    throw invalid(
      "Invalid value for field 'resource.scheduling': ''. Standard provisioning model is not allowed for preemptible instances.",
    );
  return model === "SPOT" || preemptible === true;
}

function checkSpot(given: Readonly<Record<string, unknown>>): void {
  if (given["automaticRestart"] === true)
    throw invalid("Invalid value for field 'resource.scheduling.automaticRestart': 'true'. Automatic restart is not allowed for Spot VMs.");
  if ((given["onHostMaintenance"] ?? "TERMINATE") !== "TERMINATE")
    throw invalid(
      "Invalid value for field 'resource.scheduling.onHostMaintenance': 'MIGRATE'. Spot VMs must be terminated on host maintenance.",
    );
}

function runTimeOf(given: Readonly<Record<string, unknown>>, now: number): Pick<Scheduling, "maxRunSeconds" | "terminationTime"> {
  const duration = given["maxRunDuration"] as Readonly<Record<string, unknown>> | undefined;
  const time = given["terminationTime"] as string | undefined;
  if (duration === undefined && time === undefined) return { maxRunSeconds: null, terminationTime: null };
  if (duration !== undefined && time !== undefined)
    throw invalid("Invalid value for field 'resource.scheduling': ''. Only one of maxRunDuration and terminationTime may be specified.");
  if (given["instanceTerminationAction"] === undefined)
    throw invalid(
      "Invalid value for field 'resource.scheduling': ''. instanceTerminationAction must be specified with a limited run time.",
    );
  if (time !== undefined) {
    const at = Date.parse(time);
    if (!/^\d{4}-\d\d-\d\dT/.test(time) || Number.isNaN(at) || at <= now)
      throw invalid(`Invalid value for field 'resource.scheduling.terminationTime': '${time}'.`);
    return { maxRunSeconds: null, terminationTime: at };
  }
  const seconds = int64(duration?.["seconds"]) ?? 0;
  if (seconds < SHORTEST_RUN_SECONDS || seconds > LONGEST_RUN_SECONDS)
    throw invalid(`Invalid value for field 'resource.scheduling.maxRunDuration.seconds': '${seconds}'. Must be between 30 and 10368000.`);
  return { maxRunSeconds: seconds, terminationTime: null };
}

function noticeOf(given: Readonly<Record<string, unknown>>, isSpot: boolean): number {
  const duration = given["preemptionNoticeDuration"] as Readonly<Record<string, unknown>> | undefined;
  if (duration === undefined) return 0;
  const seconds = int64(duration["seconds"]) ?? 0;
  if (!isSpot)
    throw invalid("Invalid value for field 'resource.scheduling.preemptionNoticeDuration': ''. Only Spot VMs have a preemption notice.");
  if (seconds !== 0 && seconds !== 120)
    throw invalid(`Invalid value for field 'resource.scheduling.preemptionNoticeDuration.seconds': '${seconds}'. Must be 0 or 120.`);
  return seconds;
}

/**
 * What is asked for, with the defaults of the cloud, by its rules for Spot and for GPUs.
 * @throws Refusal where they are broken
 */
export function checkedScheduling(input: unknown, hasGpus: boolean, now: number): Scheduling {
  const given = (input ?? {}) as Readonly<Record<string, unknown>>;
  const isSpot = isSpotOrder(given);
  if (isSpot) checkSpot(given);
  const onHostMaintenance = String(given["onHostMaintenance"] ?? (isSpot ? "TERMINATE" : "MIGRATE"));
  if (hasGpus && onHostMaintenance !== "TERMINATE") throw invalid("Instances with guest accelerators do not support live migration.");
  const runTime = runTimeOf(given, now);
  const isLimited = runTime.maxRunSeconds !== null || runTime.terminationTime !== null;
  const action = given["instanceTerminationAction"];
  if (action !== undefined && !isSpot && !isLimited)
    throw invalid(
      "Invalid value for field 'resource.scheduling.instanceTerminationAction': ''. It is allowed for Spot VMs and VMs with a limited run time only.",
    );
  return {
    ...runTime,
    isSpot,
    provisioningModel: String(given["provisioningModel"] ?? "STANDARD"),
    preemptible: isSpot,
    automaticRestart: given["automaticRestart"] === undefined ? !isSpot : given["automaticRestart"] === true,
    onHostMaintenance,
    terminationAction: action === "DELETE" ? "DELETE" : isSpot || isLimited ? "STOP" : null,
    noticeSeconds: noticeOf(given, isSpot),
  };
}
