import { parsed } from "../cloud-http.ts";
import { isFault, ProviderError } from "../errors.ts";
import type { CallContext, ProviderVolume, VolumeOperations } from "../provider.ts";
import { taggedName, tokenOf, untaggedName } from "../tagged-name.ts";
import { type PpioApi, preparing } from "./api.ts";
import { saysNothing, stateOf } from "./codes.ts";
import { everyRow, type FirstPage } from "./pages.ts";
import { storageCreated, storagePage, type WireStorage } from "./wire.ts";

/** Not documented; the console's own names are shorter, and ours with its token is 59 at most. */
const LONGEST_NAME = 255;
const PAGE_SIZE = 100;
/** The vendor's own MCP server asks for no less. */
const LEAST_GB = 10;

function volumeOf(storage: WireStorage, attachedTo: string | null): ProviderVolume {
  return {
    providerId: storage.storageId,
    name: untaggedName(storage.storageName),
    token: tokenOf(storage.storageName),
    sizeGb: storage.storageSize ?? 0,
    region: storage.clusterId,
    zone: storage.clusterId,
    rawState: "",
    attachedTo,
    // The list has a `price`, and no document says of what and in which unit.
    pricePerHour: null,
    usedBytes: null,
    localPath: null,
    device: null,
  };
}

/** The network storages of one cloud: they outlive instances, and lie in one cluster for good. */
export function ppioVolumes(api: PpioApi): VolumeOperations {
  const first: FirstPage = { page: 1, isSure: false };
  const storages = (context: CallContext) =>
    everyRow<WireStorage>({
      provider: api.vendor.id,
      first,
      idOf: ({ storageId }) => storageId,
      async fetch(pageNo) {
        // `pageNo`, where the list of instances has `pageNum`.
        const page = await api.read(storagePage, "/networkstorages/list", { pageSize: PAGE_SIZE, pageNo }, context);
        return { rows: page.data, total: page.total };
      },
    });
  return {
    async create({ name, token, sizeGb, region }, context) {
      const storageName = taggedName(name, token, LONGEST_NAME);
      const storageSize = Math.max(LEAST_GB, Math.ceil(sizeGb));
      const answer = await api.change("/networkstorage/create", { clusterId: region, storageName, storageSize }, context);
      try {
        const storageId = parsed(api.vendor.id, storageCreated, answer);
        return volumeOf({ storageId, storageName, storageSize, clusterId: region }, null);
      } catch (error) {
        if (!isFault(error, "protocol")) throw error;
        throw new ProviderError(api.vendor.id, { kind: "ambiguous" }, `${answer.asked} was answered without an id`, error.rawCode, error);
      }
    },
    async list(context) {
      // Which instance mounts a storage is told by the instances alone.
      const [all, instances] = await Promise.all([storages(context), api.instances(null, context)]);
      const holders = new Map(
        instances
          .filter(({ status }) => stateOf(status) !== "gone")
          .flatMap((instance) => instance.volumeMounts.map(({ id }) => [id, instance.id] as const)),
      );
      return all.map((storage) => volumeOf(storage, holders.get(storage.storageId) ?? null));
    },
    async remove(storageId, context) {
      try {
        await api.change("/networkstorage/delete", { storageId }, context);
      } catch (error) {
        if (!isFault(error, "not-found") && !saysNothing(error)) throw error;
        // Perhaps it was a gateway that did not find the way.
        if (!(await preparing(api.vendor.id, () => storages(context))).some((storage) => storage.storageId === storageId)) return;
        if (!isFault(error, "not-found")) throw error;
        throw new ProviderError(
          api.vendor.id,
          { kind: "unavailable" },
          `volume ${storageId} was denied and is there: ${error.message}`,
          error.rawCode,
          error,
        );
      }
    },
  };
}
