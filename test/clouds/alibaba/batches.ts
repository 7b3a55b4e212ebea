import { checkDelete, checkStart, checkStop, instanceNamed, release, start, stop } from "./instances.ts";
import { oneOf, type Parameters } from "./parameters.ts";
import { regionNamed } from "./places.ts";
import { invalid, notFound, Refusal } from "./refusal.ts";
import type { Instance, Site } from "./site.ts";

const MOST = 100;
const STOPPED_MODES = ["StopCharging", "KeepCharging"] as const;

const dryRunSuccess = () => new Refusal(400, "DRYRUN.SUCCESS", "All the permission and precondition checks have passed.");

function several(site: Site, found: Parameters): readonly Instance[] {
  const region = regionNamed(found);
  const ids = found.list("InstanceId");
  if (ids.length > MOST) throw invalid("InstanceId");
  return ids.map((id) => {
    const instance = instanceNamed(site, id);
    if (instance.region !== region) throw notFound("InstanceId", "InstanceId");
    return instance;
  });
}

type Work = (instance: Instance) => void;

/** One batch of starts or stops: all or none of them, or (`SuccessFirst`) each by itself, with its own code in a 200. */
function batch(site: Site, found: Parameters, check: Work, work: Work): unknown {
  const instances = several(site, found);
  const mode = oneOf(found, "BatchOptimization", ["AllTogether", "SuccessFirst"]) ?? "AllTogether";
  // With SuccessFirst nothing is looked at.
  if (found.flag("DryRun") === true && mode === "SuccessFirst") throw dryRunSuccess();
  if (mode === "AllTogether") for (const instance of instances) check(instance);
  if (found.flag("DryRun") === true) throw dryRunSuccess();
  const InstanceResponse = instances.map((instance) => {
    const PreviousStatus = instance.status;
    const said = (Code: string, Message: string) => ({
      ...{ InstanceId: instance.id, PreviousStatus, CurrentStatus: instance.status, Code, Message },
    });
    try {
      check(instance);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      return said(error.code, error.message);
    }
    work(instance);
    return said("200", "success");
  });
  return { InstanceResponses: { InstanceResponse } };
}

export function startInstances(site: Site, found: Parameters): unknown {
  return batch(
    site,
    found,
    (one) => checkStart(site, one),
    (one) => start(site, one),
  );
}

export function stopInstances(site: Site, found: Parameters): unknown {
  const mode = oneOf(found, "StoppedMode", STOPPED_MODES);
  return batch(
    site,
    found,
    (one) => checkStop(one),
    (one) => stop(site, one, mode),
  );
}

export function startInstance(site: Site, found: Parameters): unknown {
  const instance = instanceNamed(site, found.text("InstanceId"));
  checkStart(site, instance);
  if (found.flag("DryRun") === true) throw dryRunSuccess();
  start(site, instance);
  return {};
}

export function stopInstance(site: Site, found: Parameters): unknown {
  const instance = instanceNamed(site, found.text("InstanceId"));
  const mode = oneOf(found, "StoppedMode", STOPPED_MODES);
  checkStop(instance);
  if (found.flag("Hibernate") === true)
    throw new Refusal(403, "InvalidParameter.Hibernate", "The instance was not configured for hibernation.");
  if (found.flag("DryRun") === true) throw dryRunSuccess();
  stop(site, instance, mode);
  return {};
}

export function deleteInstances(site: Site, found: Parameters): unknown {
  const instances = several(site, found);
  for (const instance of instances) checkDelete(site, instance, found.flag("Force") === true);
  if (found.flag("DryRun") === true) throw dryRunSuccess();
  for (const instance of instances) release(site, instance, "user");
  return {};
}

export function deleteInstance(site: Site, found: Parameters): unknown {
  const instance = instanceNamed(site, found.text("InstanceId"));
  checkDelete(site, instance, found.flag("Force") === true);
  if (found.flag("DryRun") === true) throw dryRunSuccess();
  release(site, instance, "user");
  return {};
}
