import { instanceEnv } from "./machine-room.ts";
import { CURRENCY, machineType } from "./market.ts";
import type { CloudInstance } from "./records.ts";
import { instancePaths, type Site } from "./site.ts";

function iso(at: number | null): string | null {
  return at === null ? null : new Date(at).toISOString();
}

/** An instance as the API shows it: no boot script, no metadata token. */
export function instanceView(site: Site, instance: CloudInstance): Readonly<Record<string, unknown>> {
  const paths = instancePaths(site, instance.id);
  const { notice } = instance;
  return {
    id: instance.id,
    name: instance.name,
    clientToken: instance.clientToken,
    state: instance.state,
    reason: instance.reason,
    region: instance.region,
    zone: instance.zone,
    type: instance.type,
    gpu: machineType(instance.type)?.gpu ?? { model: "unknown", count: 0, vramGb: 0 },
    billing: instance.billing,
    price: instance.price,
    currency: CURRENCY,
    createdAt: iso(instance.createdAt),
    startedAt: iso(instance.startedAt),
    endedAt: iso(instance.endedAt),
    protectedUntil: iso(instance.protectedUntil),
    notice: notice === null ? null : { kind: notice.kind, at: iso(notice.at), deadline: iso(notice.deadline) },
    address: instance.address,
    volumes: instance.volumes,
    tags: instance.tags,
    rootDir: paths.root,
    env: instanceEnv(site, instance),
    consoleLog: paths.consoleLog,
    exitCode: instance.exitCode,
  };
}
