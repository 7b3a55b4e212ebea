import type { Clock } from "../../../src/platform/clock.ts";
import type { Instances } from "./instances.ts";
import type { Market } from "./market.ts";
import { invalid, Refusal } from "./refusals.ts";

export interface Storage {
  readonly storageId: string;
  readonly storageName: string;
  readonly storageSize: number;
  readonly clusterId: string;
  readonly createdAt: number;
}

export interface Storages {
  all(): readonly Storage[];
  /** @throws Refusal NETWORK_STORAGE_NOT_FOUND */
  find(id: string): Storage;
  create(body: Readonly<Record<string, unknown>>): Storage;
  remove(body: Readonly<Record<string, unknown>>): Storage;
}

/** The cloud's network storages. Several instances may mount one at the same time; one that is mounted cannot be deleted. */
export function storages({
  clock,
  market,
  instances,
}: {
  readonly clock: Clock;
  readonly market: Market;
  readonly instances: Instances;
}): Storages {
  const kept = new Map<string, Storage>();
  let made = 0;
  const find = (id: string) => {
    const found = kept.get(id);
    if (found === undefined) throw new Refusal(400, "NETWORK_STORAGE_NOT_FOUND");
    return found;
  };
  return {
    all: () => [...kept.values()],
    find,
    create({ clusterId, storageName, storageSize, ...more }) {
      if (Object.keys(more).length > 0) throw invalid(`unknown: ${Object.keys(more).join(", ")}`);
      if (typeof storageName !== "string" || !/^[A-Za-z0-9-]{1,255}$/.test(storageName)) throw invalid("storageName");
      if (typeof storageSize !== "number" || !Number.isInteger(storageSize) || storageSize < 10) throw invalid("storageSize");
      const cluster = market.clusters.find(({ id }) => id === clusterId);
      if (cluster === undefined) throw invalid("clusterId");
      if (!cluster.supportNetworkStorage) throw new Refusal(400, "CUR_CLUSTER_NETWORK_STORAGE_NOT_SUPPORT");
      const storage = { storageId: `ns-${++made}`, storageName, storageSize, clusterId: cluster.id, createdAt: clock.now() };
      kept.set(storage.storageId, storage);
      return storage;
    },
    remove({ storageId }) {
      if (typeof storageId !== "string") throw invalid("storageId");
      const storage = find(storageId);
      const isMounted = instances
        .all()
        .some(({ order, status }) => status !== "removed" && order.storages.some(({ id }) => id === storageId));
      if (isMounted) throw new Refusal(400, "NETWORK_STORAGE_IN_USE");
      kept.delete(storageId);
      return storage;
    },
  };
}
