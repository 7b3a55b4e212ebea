import { ProviderError } from "../errors.ts";
import type { CallContext } from "../provider.ts";
import type { Ecs } from "./client.ts";
import { PROVIDER } from "./codes.ts";
import { wholeList } from "./pages.ts";
import { jsonList } from "./parameters.ts";
import { type Place, placedId, placeOf } from "./place.ts";
import { TOKEN_TAG } from "./tags.ts";
import { diskList, type WireDisk } from "./wire.ts";

/** A disk and the region that was asked: some answers leave theirs out. */
export interface PlacedDisk extends WireDisk {
  readonly region: string;
}

export interface Disks {
  /** Undefined when there is none of this id. */
  find(place: Place, context: CallContext): Promise<PlacedDisk | undefined>;
  /** The same, waited for while it is being made: until then it can be neither deleted nor copied. */
  findMade(place: Place, context: CallContext): Promise<PlacedDisk | undefined>;
  /** All disks of a region, system disks among them. */
  all(region: string, context: CallContext): Promise<readonly PlacedDisk[]>;
  /** The ids of the data disks on a machine. */
  on(machine: Place, context: CallContext): Promise<readonly string[]>;
  /** The same for every machine of a region that holds a disk of ours, by the machine's id. */
  ofMachines(region: string, context: CallContext): Promise<ReadonlyMap<string, readonly string[]>>;
  /**
   * Disks are attached later, and a machine that cannot have its own costs money for nothing.
   * @throws ProviderError `conflict` while one is attached, `not-found`, `invalid-request` when it lies in another zone.
   */
  requireFree(ids: readonly string[], where: { readonly region: string; readonly zone: string }, context: CallContext): Promise<void>;
}

const MOST_PER_PAGE = 500;
/** A disk is made within a second or two; looked at again after so many milliseconds. */
const LOOK_AGAIN_MS = [200, 800, 2_000];

const fault = (kind: "conflict" | "not-found" | "invalid-request", why: string) => new ProviderError(PROVIDER, { kind }, why);

/** Whose it is; null for a disk that nobody holds. */
export function holderOf({ InstanceId }: WireDisk): string | null {
  return InstanceId === null || InstanceId === "" ? null : InstanceId;
}

export function disksOf(ecs: Ecs): Disks {
  const ask = async (
    region: string,
    filter: Readonly<Record<string, string | readonly Readonly<Record<string, string>>[]>>,
    context: CallContext,
  ) => {
    const parameters = { RegionId: region, MaxResults: MOST_PER_PAGE, ...filter };
    const call = { region, action: "DescribeDisks", parameters, answer: diskList };
    const rows = await wholeList(ecs, call, { rows: (page) => page.Disks.Disk, idOf: (row) => row.DiskId }, context);
    return rows.map((row): PlacedDisk => ({ ...row, region }));
  };
  const find: Disks["find"] = async ({ region, id }, context) =>
    (await ask(region, { DiskIds: jsonList([id]) }, context)).find(({ DiskId }) => DiskId === id);
  return {
    find,
    async findMade(place, context) {
      let disk = await find(place, context);
      for (const ms of LOOK_AGAIN_MS) {
        if (disk?.Status !== "Creating") break;
        await ecs.sleep(ms, context);
        disk = await find(place, context);
      }
      return disk;
    },
    all: (region, context) => ask(region, {}, context),
    async on({ region, id }, context) {
      const rows = await ask(region, { InstanceId: id, DiskType: "data" }, context);
      return rows.filter((row) => row.Type !== "system").map(({ DiskId }) => placedId(region, DiskId));
    },
    async ofMachines(region, context) {
      const held = new Map<string, readonly string[]>();
      for (const row of await ask(region, { DiskType: "data", Tag: [{ Key: TOKEN_TAG }] }, context)) {
        const holder = holderOf(row);
        if (holder !== null && row.Type !== "system") held.set(holder, [...(held.get(holder) ?? []), placedId(region, row.DiskId)]);
      }
      return held;
    },
    async requireFree(ids, { region, zone }, context) {
      for (const placed of ids) {
        const place = placeOf(placed, "d");
        if (place === undefined) throw fault("not-found", `there is no disk ${placed}`);
        if (place.region !== region) throw fault("invalid-request", `disk ${placed} is not in ${region}`);
        const disk = await find(place, context);
        if (disk === undefined) throw fault("not-found", `there is no disk ${placed}`);
        const holder = holderOf(disk);
        if (holder !== null) throw fault("conflict", `disk ${placed} is ${disk.Status} and belongs to ${holder}`);
        if (disk.ZoneId !== zone) throw fault("invalid-request", `disk ${placed} is in ${disk.ZoneId}, not in ${zone}`);
      }
    },
  };
}
