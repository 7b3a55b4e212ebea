import { parsed } from "../cloud-http.ts";
import { isFault, ProviderError } from "../errors.ts";
import type { CallContext, ProviderSnapshot, SnapshotOperations } from "../provider.ts";
import type { Api } from "./api.ts";
import { deniesResource, PROVIDER } from "./codes.ts";
import { findDisk } from "./disks.ts";
import { preparing } from "./firewall.ts";
import { nameIn, tokenIn } from "./instances.ts";
import { labelsOf, placed, placedIn, requestId, resourceName } from "./names.ts";
import { settled } from "./operations.ts";
import { plainList } from "./pages.ts";
import { deletionId } from "./repeatable.ts";
import { snapshotList, snapshotSchema, type WireSnapshot } from "./wire.ts";

/** Snapshots are global: a disk can be made of one in any zone, which is the way from zone to zone. */
const REGION = "global";

/** The enum of the discovery document; a word that is not in it is on its way. */
const STATES: Readonly<Record<string, ProviderSnapshot["state"]>> = { READY: "ready", FAILED: "failed", DELETING: "failed" };

function toSnapshot(snapshot: WireSnapshot, clockOffsetMs: number): ProviderSnapshot {
  return {
    providerId: `${REGION}/${snapshot.name}`,
    name: nameIn(snapshot.labels, snapshot.name),
    token: tokenIn(snapshot.labels),
    volumeId: snapshot.sourceDisk === null ? null : placedIn(snapshot.sourceDisk),
    sizeGb: snapshot.diskSizeGb,
    region: REGION,
    state: (Object.hasOwn(STATES, snapshot.status) ? STATES[snapshot.status] : undefined) ?? "pending",
    rawState: snapshot.status,
    createdAt: snapshot.creationTimestamp === null ? null : snapshot.creationTimestamp - clockOffsetMs,
  };
}

/** `global/name` → the name; null for what is no id of a snapshot. */
function nameOf(snapshotId: string): string | null {
  return /^global\/([a-z](?:[-a-z0-9]{0,61}[a-z0-9])?)$/.exec(snapshotId)?.[1] ?? null;
}

async function find(api: Api, name: string, context: CallContext): Promise<WireSnapshot | undefined> {
  const answer = await api.ask(`global/snapshots/${name}`, context);
  if (answer.status >= 200 && answer.status < 300) return parsed(PROVIDER, snapshotSchema, answer);
  if (answer.status !== 404) return api.refuse(answer);
  if (deniesResource(answer, `snapshots/${name}`)) return undefined;
  return (await plainList(api, snapshotList, "global/snapshots", context)).find((one) => one.name === name);
}

export function snapshotOperations(api: Api): SnapshotOperations {
  return {
    async create(volumeId, spec, context) {
      const at = placed(volumeId);
      const disk = at === null ? undefined : await preparing(() => findDisk(api, volumeId, context));
      if (at === null || disk === undefined) throw new ProviderError(PROVIDER, { kind: "not-found" }, `there is no disk ${volumeId}`);
      const name = resourceName(spec.name, spec.token);
      const labels = labelsOf(spec.name, spec.token);
      const path = `zones/${at.zone}/disks/${at.name}/createSnapshot`;
      const sourceDisk = `projects/${await api.project(context)}/zones/${at.zone}/disks/${at.name}`;
      const made = { name, status: "CREATING", sourceDisk, diskSizeGb: disk.sizeGb, labels, creationTimestamp: null };
      try {
        await api.change(
          { method: "POST", path, query: { requestId: requestId("snapshot", spec.token) }, body: { name, labels } },
          context,
        );
        return toSnapshot(made, 0);
      } catch (error) {
        if (!isFault(error, "conflict")) throw error;
        // The name carries our token: whatever has it is ours.
        const ours = await preparing(() => find(api, name, context));
        if (ours === undefined || tokenIn(ours.labels) !== spec.token) throw error;
        return toSnapshot(ours, api.clockOffsetMs());
      }
    },
    async list(context) {
      const found = await plainList(api, snapshotList, "global/snapshots", context);
      return found.filter(({ status }) => status !== "DELETING").map((one) => toSnapshot(one, api.clockOffsetMs()));
    },
    async remove(snapshotId, context) {
      const name = nameOf(snapshotId);
      if (name === null || (await find(api, name, context)) === undefined) return;
      const path = `global/snapshots/${name}`;
      try {
        const operation = await api.change({ method: "DELETE", path, query: { requestId: deletionId(api, path) } }, context);
        await settled(api, "global", operation, `snapshot ${name}`, context);
      } catch (error) {
        if (!isFault(error, "not-found")) throw error;
        if ((await preparing(() => find(api, name, context))) === undefined) return;
        throw new ProviderError(PROVIDER, { kind: "unavailable" }, `snapshot ${name} was denied and is there`, error.rawCode, error);
      }
    },
  };
}
