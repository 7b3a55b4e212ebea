/** Where the columns of a catalogue's file stand. Their order is not the same in all files, and new ones may come. */
export interface CatalogColumns {
  readonly type: number;
  readonly accelerator: number;
  readonly count: number;
  readonly price: number;
  readonly spotPrice: number;
  readonly region: number;
  /** -1 where the file has none, as for those below. */
  readonly zone: number;
  readonly vcpus: number;
  readonly memory: number;
  readonly gpuInfo: number;
}

/** A file that is none of a catalogue's, whatever stands in its rows. */
export class CatalogDamage extends Error {}

const NEEDED = {
  type: "InstanceType",
  accelerator: "AcceleratorName",
  count: "AcceleratorCount",
  price: "Price",
  spotPrice: "SpotPrice",
  region: "Region",
} as const;
const WELCOME = { zone: "AvailabilityZone", vcpus: "vCPUs", memory: "MemoryGiB", gpuInfo: "GpuInfo" } as const;

/** @throws CatalogDamage when a column that is needed is missing, or stands there twice. */
export function columnsOf(header: readonly string[]): CatalogColumns {
  const place = (name: string) => {
    if (header.indexOf(name) !== header.lastIndexOf(name)) throw new CatalogDamage(`the column ${name} stands there twice`);
    return header.indexOf(name);
  };
  const needed = (name: string) => {
    const found = place(name);
    if (found === -1) throw new CatalogDamage(`the column ${name} is missing`);
    return found;
  };
  return {
    type: needed(NEEDED.type),
    accelerator: needed(NEEDED.accelerator),
    count: needed(NEEDED.count),
    price: needed(NEEDED.price),
    spotPrice: needed(NEEDED.spotPrice),
    region: needed(NEEDED.region),
    zone: place(WELCOME.zone),
    vcpus: place(WELCOME.vcpus),
    memory: place(WELCOME.memory),
    gpuInfo: place(WELCOME.gpuInfo),
  };
}
