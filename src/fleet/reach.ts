import { EXIT } from "../model/exit-codes.ts";
import type { InstanceState } from "../model/instance.ts";
import { Problem } from "../model/problem.ts";
import type { ProviderInstance, Reach } from "../providers/provider.ts";
import type { InstanceRecord } from "../state/records.ts";
import { call, type Fleet } from "./fleet.ts";

/** States in which a machine is on its way up: it can be come into later, without anybody doing anything. */
const COMING: readonly InstanceState[] = ["requested", "provisioning", "restoring"];

const ASLEEP: readonly InstanceState[] = ["hibernated", "stopped"];

/**
 * The way into a record's machine, as its cloud says now.
 * @throws Problem when it has none now, with the state it is in and what to wait for.
 */
export async function reachOf(fleet: Fleet, record: InstanceRecord, signal: AbortSignal): Promise<Reach> {
  const { providerId } = record;
  const provider = providerId === null ? null : await fleet.provider(record.provider);
  const instance =
    provider === null || providerId === null ? undefined : await call(signal, (context) => provider.get(providerId, context));
  // The embedded cloud tells where a sleeping machine's folder is; nobody works in a machine that sleeps.
  if (instance?.reach != null && !ASLEEP.includes(instance.state)) return instance.reach;
  throw noReach(record, instance);
}

function noReach(record: InstanceRecord, instance: ProviderInstance | undefined): Problem {
  const { name } = record;
  const state = instance?.state ?? record.state;
  const unreachable = (message: string, next: readonly string[], retryable: boolean) =>
    new Problem({ code: "SPOT_E_UNREACHABLE", message, exit: EXIT.failed, next, retryable });
  if (instance === undefined && record.providerId !== null)
    return unreachable(
      `${name} cannot be reached: ${record.provider} does not know its machine any more`,
      ["spot reconcile", `spot show ${name}`],
      false,
    );
  if (COMING.includes(state))
    return unreachable(`${name} cannot be reached yet: it is ${state}`, [`spot wait ${name} --for running`], true);
  if (state === "running" || state === "reclaiming")
    return unreachable(
      `${name} cannot be reached yet: it runs, and ${record.provider} does not say yet where it is come into`,
      [`spot wait ${name} --for running`, `spot show ${name} --refresh`],
      true,
    );
  const unknown = state === record.state ? "" : ` (our record says ${record.state})`;
  const asleep = record.state === "hibernated" || record.state === "stopped";
  return unreachable(
    `${name} cannot be reached: it is ${state}${unknown}`,
    asleep ? [`spot restore ${name}`] : [`spot wait ${name} --for running`, `spot show ${name} --refresh`],
    false,
  );
}

/** What the workload's own environment says about its folders; for commands that join it. */
export function insideEnv(reach: Extract<Reach, { readonly kind: "process" }>, record: InstanceRecord): Readonly<Record<string, string>> {
  const root = reach.env["SPOT_ROOT"] ?? "";
  const [volume] = record.volumes;
  return {
    ...reach.env,
    ...record.spec.env,
    SPOT_INSTANCE: record.name,
    SPOT_CHECKPOINT_DIR: `${root}/var/lib/spot/checkpoint`,
    SPOT_NOTICE_FILE: `${root}/run/spot/notice.json`,
    ...(volume === undefined ? {} : { SPOT_VOLUME_DIR: `${root}${volume.mount}` }),
  };
}
