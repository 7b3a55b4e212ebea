/** What this imitation rents: a part of the real catalogue, with its real shapes. Prices are made up near the real ones. */

export interface Region {
  readonly name: string;
  readonly zones: readonly string[];
  /** As descriptions of SKUs call it; regions of one place share their SKUs. */
  readonly place: string;
  /** Against the first region. */
  readonly priceFactor: number;
}

export const REGIONS: readonly Region[] = [
  { name: "us-central1", zones: ["a", "b", "c", "f"], place: "Americas", priceFactor: 1 },
  { name: "us-east1", zones: ["b", "c", "d"], place: "Americas", priceFactor: 1 },
  { name: "us-west1", zones: ["a", "b", "c"], place: "Americas", priceFactor: 1 },
  { name: "europe-west4", zones: ["a", "b", "c"], place: "Netherlands", priceFactor: 1.1 },
  { name: "asia-southeast1", zones: ["a", "b", "c"], place: "Singapore", priceFactor: 1.25 },
];

export const ZONES: readonly string[] = REGIONS.flatMap(({ name, zones }) => zones.map((zone) => `${name}-${zone}`));

export const regionOf = (zone: string): string => zone.slice(0, zone.lastIndexOf("-"));

export interface Accelerator {
  /** As `acceleratorTypes` and `machineTypes.accelerators` call it. */
  readonly name: string;
  readonly description: string;
  readonly mostPerMachine: number;
  /** Which metrics count it: on demand, and for Spot. Null: the enum of quota metrics has none. */
  readonly metric: string | null;
  readonly spotMetric: string | null;
  readonly zones: readonly string[];
}

function inZones(...places: readonly (readonly [string, string])[]): readonly string[] {
  return places.flatMap(([region, letters]) => [...letters].map((letter) => `${region}-${letter}`));
}

const gpu = (
  name: string,
  description: string,
  most: number,
  metric: string,
  zones: readonly string[],
  noOnDemand = false,
): Accelerator => ({
  name,
  description,
  mostPerMachine: most,
  metric: metric === "" || noOnDemand ? null : `NVIDIA_${metric}_GPUS`,
  spotMetric: metric === "" ? null : `PREEMPTIBLE_NVIDIA_${metric}_GPUS`,
  zones,
});

const L4_ZONES = inZones(
  ["us-central1", "abc"],
  ["us-east1", "bcd"],
  ["us-west1", "abc"],
  ["europe-west4", "abc"],
  ["asia-southeast1", "abc"],
);
const A100_ZONES = inZones(["us-central1", "abcf"], ["us-west1", "b"], ["europe-west4", "ab"], ["asia-southeast1", "bc"]);
const A100_80_ZONES = inZones(["us-central1", "ac"], ["europe-west4", "a"], ["asia-southeast1", "c"]);
const H100_ZONES = inZones(["us-central1", "ac"], ["us-west1", "ab"], ["europe-west4", "bc"], ["asia-southeast1", "bc"]);
const MEGA_ZONES = inZones(["us-central1", "a"], ["us-west1", "b"], ["europe-west4", "b"]);
const B200_ZONES = inZones(["us-central1", "b"], ["europe-west4", "b"]);
const T4_ZONES = inZones(
  ["us-central1", "abcf"],
  ["us-east1", "cd"],
  ["us-west1", "ab"],
  ["europe-west4", "abc"],
  ["asia-southeast1", "abc"],
);
const V100_ZONES = inZones(["us-central1", "abcf"], ["us-west1", "ab"], ["europe-west4", "abc"]);
const P100_ZONES = inZones(["us-central1", "cf"], ["us-east1", "bc"], ["us-west1", "ab"], ["europe-west4", "a"]);
const P4_ZONES = inZones(["us-central1", "ac"], ["europe-west4", "bc"], ["asia-southeast1", "bc"]);

export const ACCELERATORS: readonly Accelerator[] = [
  gpu("nvidia-l4", "NVIDIA L4", 8, "L4", L4_ZONES),
  gpu("nvidia-l4-vws", "NVIDIA L4 Virtual Workstation", 8, "L4", L4_ZONES),
  gpu("nvidia-tesla-a100", "NVIDIA A100 40GB", 16, "A100", A100_ZONES),
  gpu("nvidia-a100-80gb", "NVIDIA A100 80GB", 8, "A100_80GB", A100_80_ZONES),
  gpu("nvidia-h100-80gb", "NVIDIA H100 80GB", 8, "H100", H100_ZONES, true),
  gpu("nvidia-h100-mega-80gb", "NVIDIA H100 80GB MEGA", 8, "", MEGA_ZONES),
  gpu("nvidia-b200", "NVIDIA B200", 8, "", B200_ZONES),
  gpu("nvidia-tesla-t4", "NVIDIA T4", 4, "T4", T4_ZONES),
  gpu("nvidia-tesla-t4-vws", "NVIDIA Tesla T4 Virtual Workstation", 4, "T4_VWS", T4_ZONES),
  gpu("nvidia-tesla-v100", "NVIDIA V100", 8, "V100", V100_ZONES),
  gpu("nvidia-tesla-p100", "NVIDIA Tesla P100", 4, "P100", P100_ZONES),
  gpu("nvidia-tesla-p4", "NVIDIA Tesla P4", 4, "P4", P4_ZONES),
  // Not a GPU; the same list names it.
  { name: "ct5lp", description: "ct5lp", mostPerMachine: 8, metric: null, spotMetric: null, zones: inZones(["us-central1", "a"]) },
];

export interface MachineType {
  readonly name: string;
  readonly family: string;
  readonly vcpus: number;
  readonly memoryMb: number;
  readonly accelerator: { readonly type: string; readonly count: number } | null;
  readonly zones: readonly string[];
}

function typesOf(
  family: string,
  accelerator: string,
  zones: readonly string[],
  shapes: readonly (readonly [name: string, vcpus: number, memoryGb: number, gpus: number])[],
): readonly MachineType[] {
  return shapes.map(([name, vcpus, memoryGb, count]) => ({
    name,
    family,
    vcpus,
    memoryMb: memoryGb * 1024,
    accelerator: accelerator === "" ? null : { type: accelerator, count },
    zones,
  }));
}

const N1_SIZES = [1, 2, 4, 8, 16, 32, 64, 96] as const;

export const MACHINE_TYPES: readonly MachineType[] = [
  ...typesOf("g2", "nvidia-l4", L4_ZONES, [
    ["g2-standard-4", 4, 16, 1],
    ["g2-standard-8", 8, 32, 1],
    ["g2-standard-12", 12, 48, 1],
    ["g2-standard-16", 16, 64, 1],
    ["g2-standard-24", 24, 96, 2],
    ["g2-standard-32", 32, 128, 1],
    ["g2-standard-48", 48, 192, 4],
    ["g2-standard-96", 96, 384, 8],
  ]),
  ...typesOf("a2", "nvidia-tesla-a100", A100_ZONES, [
    ["a2-highgpu-1g", 12, 85, 1],
    ["a2-highgpu-2g", 24, 170, 2],
    ["a2-highgpu-4g", 48, 340, 4],
    ["a2-highgpu-8g", 96, 680, 8],
    ["a2-megagpu-16g", 96, 1360, 16],
  ]),
  ...typesOf("a2", "nvidia-a100-80gb", A100_80_ZONES, [
    ["a2-ultragpu-1g", 12, 170, 1],
    ["a2-ultragpu-2g", 24, 340, 2],
    ["a2-ultragpu-4g", 48, 680, 4],
    ["a2-ultragpu-8g", 96, 1360, 8],
  ]),
  ...typesOf("a3", "nvidia-h100-80gb", H100_ZONES, [
    ["a3-highgpu-1g", 26, 234, 1],
    ["a3-highgpu-2g", 52, 468, 2],
    ["a3-highgpu-4g", 104, 936, 4],
    ["a3-highgpu-8g", 208, 1872, 8],
  ]),
  ...typesOf("a3plus", "nvidia-h100-mega-80gb", MEGA_ZONES, [["a3-megagpu-8g", 208, 1872, 8]]),
  ...typesOf("a4", "nvidia-b200", B200_ZONES, [["a4-highgpu-8g", 224, 3968, 8]]),
  ...typesOf(
    "n1",
    "",
    ZONES,
    N1_SIZES.map((size) => [`n1-standard-${size}`, size, size * 3.75, 0] as const),
  ),
  ...typesOf(
    "n1",
    "",
    ZONES,
    N1_SIZES.slice(1).map((size) => [`n1-highmem-${size}`, size, size * 6.5, 0] as const),
  ),
  ...typesOf("e2", "", ZONES, [
    ["e2-standard-2", 2, 8, 0],
    ["e2-standard-4", 4, 16, 0],
  ]),
];

export function machineType(zone: string, name: string): MachineType | undefined {
  return MACHINE_TYPES.find((one) => one.name === name && one.zones.includes(zone));
}

export interface Image {
  readonly project: string;
  readonly family: string;
  readonly name: string;
  readonly diskGb: number;
}

const image = (project: string, family: string, version: string, diskGb: number): Image => ({
  project,
  family,
  name: `${family}-${version}`,
  diskGb,
});

export const IMAGES: readonly Image[] = [
  image("deeplearning-platform-release", "common-cu128-ubuntu-2204-nvidia-570", "v20260901", 50),
  image("deeplearning-platform-release", "common-cu129-ubuntu-2204-nvidia-580", "v20261015", 50),
  image("deeplearning-platform-release", "common-cu129-ubuntu-2404-nvidia-580", "v20261015", 50),
  image("deeplearning-platform-release", "pytorch-2-7-cu128-ubuntu-2204-nvidia-570", "v20260901", 50),
  image("debian-cloud", "debian-12", "v20261014", 10),
  image("ubuntu-os-cloud", "ubuntu-2204-lts", "v20261007", 10),
  image("ubuntu-os-cloud", "ubuntu-2404-lts-amd64", "v20261007", 10),
];

/** Dollars per GiB and month. */
export const DISK_TYPES: Readonly<Record<string, number>> = {
  "pd-standard": 0.04,
  "pd-balanced": 0.1,
  "pd-ssd": 0.17,
  "hyperdisk-balanced": 0.08,
};
export const HOURS_IN_A_MONTH = 730;
export const SNAPSHOT_PER_GIB_MONTH = 0.05;
