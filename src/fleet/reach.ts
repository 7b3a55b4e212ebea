import { EXIT } from "../model/exit-codes.ts";
import { Problem } from "../model/problem.ts";
import type { Reach } from "../providers/provider.ts";
import type { InstanceRecord } from "../state/records.ts";
import { call, type Fleet } from "./fleet.ts";

/**
 * The way into a record's machine.
 * @throws Problem when it has none now, with the state it is in.
 */
export async function reachOf(fleet: Fleet, record: InstanceRecord, signal: AbortSignal): Promise<Reach> {
  const { providerId } = record;
  const provider = providerId === null ? null : await fleet.provider(record.provider);
  const instance =
    provider === null || providerId === null ? undefined : await call(signal, (context) => provider.get(providerId, context));
  if (instance?.reach != null) return instance.reach;
  throw new Problem({
    code: "SPOT_E_UNREACHABLE",
    message: `${record.name} cannot be reached: it is ${instance === undefined || instance.state === record.state ? record.state : `${instance.state} (our record says ${record.state})`}`,
    exit: EXIT.failed,
    next:
      record.state === "hibernated"
        ? [`spot restore ${record.name}`]
        : [`spot wait ${record.name} --for running`, `spot show ${record.name} --refresh`],
  });
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
