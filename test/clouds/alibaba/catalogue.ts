/** What the fake rents out. Written by hand: the names are real, the prices are round, in yuan an hour. */
export interface InstanceType {
  readonly id: string;
  readonly family: string;
  readonly cpu: number;
  /** GiB. */
  readonly memory: number;
  readonly gpus: number;
  readonly gpuSpec: string;
  /** GiB of one GPU. */
  readonly gpuMemory: number;
  /** Pay-as-you-go, yuan an hour, without the system disk. */
  readonly onDemand: number;
  readonly hasLocalDisk: boolean;
  readonly architecture: "X86" | "ARM";
}

type Row = readonly [string, number, number, number, string, number, number];

const ROWS: readonly Row[] = [
  ["ecs.gn6i-c4g1.xlarge", 4, 15, 1, "NVIDIA T4", 16, 11.63],
  ["ecs.gn6i-c24g1.12xlarge", 48, 186, 2, "NVIDIA T4", 16, 29.6],
  ["ecs.gn6v-c8g1.2xlarge", 8, 32, 1, "NVIDIA V100", 16, 26.46],
  ["ecs.gn6v-c8g1.8xlarge", 32, 128, 4, "NVIDIA V100", 16, 105.84],
  ["ecs.gn7i-c8g1.2xlarge", 8, 30, 1, "NVIDIA A10", 24, 12.4],
  ["ecs.gn7i-c32g1.16xlarge", 64, 376, 2, "NVIDIA A10", 24, 37.5],
  ["ecs.gn7e-c16g1.4xlarge", 16, 125, 1, "NVIDIA A100", 80, 34.74],
  ["ecs.gn7e-c16g1.16xlarge", 64, 500, 4, "NVIDIA A100", 80, 138.96],
  ["ecs.ebmgn7e.32xlarge", 128, 1024, 8, "NVIDIA A100", 80, 277.93],
  ["ecs.gn8is.2xlarge", 8, 64, 1, "NVIDIA L20", 48, 16.2],
  ["ecs.gn5-c4g1.xlarge", 4, 30, 1, "NVIDIA P100", 16, 12.78],
  ["ecs.vgn6i-m4-vws.xlarge", 4, 23, 0, "NVIDIA T4", 4, 4.41],
  ["ecs.g7.large", 2, 8, 0, "", 0, 0.65],
  ["ecs.g8y.large", 2, 8, 0, "", 0, 0.44],
];

/** Families with local disks; they cannot stop without being billed. */
const LOCAL_DISK = /^ecs\.(gn5|i\d|d\d)/;

export const INSTANCE_TYPES: readonly InstanceType[] = ROWS.map(([id, cpu, memory, gpus, gpuSpec, gpuMemory, onDemand]) => ({
  id,
  family: id.split(".").slice(0, 2).join(".").replace(/-.*$/, ""),
  cpu,
  memory,
  gpus,
  gpuSpec,
  gpuMemory,
  onDemand,
  hasLocalDisk: LOCAL_DISK.test(id),
  architecture: id.startsWith("ecs.g8y") ? "ARM" : "X86",
}));

/** Whether a stop can end the charge for it: not for these families, whatever is asked for. */
export function hasEconomicalMode(type: InstanceType): boolean {
  return !type.hasLocalDisk && !/^ecs\.(re6p|ebmre6p)/.test(type.id);
}

export interface Region {
  readonly id: string;
  readonly name: string;
  readonly zones: readonly string[];
  /** What of the price list is rented out there. */
  readonly sells: (type: InstanceType, zone: string) => boolean;
}

const small = ({ id }: InstanceType) => !/ebmgn7e|gn8is|gn7e-c16g1\.16/.test(id);

export const REGIONS: readonly Region[] = [
  {
    id: "cn-hangzhou",
    name: "China (Hangzhou)",
    zones: ["cn-hangzhou-h", "cn-hangzhou-i", "cn-hangzhou-k"],
    sells: ({ id }, zone) => zone !== "cn-hangzhou-k" || /gn7i|gn8is|g7/.test(id),
  },
  {
    id: "cn-shanghai",
    name: "China (Shanghai)",
    zones: ["cn-shanghai-l", "cn-shanghai-m"],
    sells: small,
  },
  { id: "ap-southeast-1", name: "Singapore", zones: ["ap-southeast-1a", "ap-southeast-1b"], sells: small },
  { id: "eu-central-1", name: "Germany (Frankfurt)", zones: ["eu-central-1a"], sells: ({ id }) => /gn6i|gn7i|g7/.test(id) },
];

/** Zones where nobody has made a vSwitch yet. */
export const ZONES_WITHOUT_SWITCH: ReadonlySet<string> = new Set(["cn-shanghai-m"]);

export function typeNamed(id: string): InstanceType | undefined {
  return INSTANCE_TYPES.find((type) => type.id === id);
}

export interface Image {
  readonly id: string;
  readonly family: string;
  readonly osName: string;
  readonly osType: "linux" | "windows";
  readonly architecture: "x86_64" | "arm64";
  readonly owner: "system" | "marketplace" | "self";
  readonly created: string;
  /** GiB; the least that a system disk has. */
  readonly size: number;
}

const ubuntu = (version: string, day: string, architecture: "x86_64" | "arm64", size = 20): Image => ({
  id: `ubuntu_${version.replace(".", "_")}_${architecture === "arm64" ? "arm64" : "x64"}_${size}G_alibase_${day}.vhd`,
  family: `acs:ubuntu_${version.replace(".", "_")}_${architecture === "arm64" ? "arm64" : "x64"}`,
  osName: `Ubuntu  ${version} 64 bit${architecture === "arm64" ? " for ARM" : ""}`,
  osType: "linux",
  architecture,
  owner: "system",
  created: `${day.slice(0, 4)}-${day.slice(4, 6)}-${day.slice(6)}T02:00:00Z`,
  size,
});

export const IMAGES: readonly Image[] = [
  {
    id: "aliyun_3_x64_20G_alibase_20261010.vhd",
    family: "acs:alibaba_cloud_linux_3_2104_lts_x64",
    osName: "Alibaba Cloud Linux  3.2104 LTS 64 bit",
    osType: "linux",
    architecture: "x86_64",
    owner: "system",
    created: "2026-10-10T02:00:00Z",
    size: 20,
  },
  ubuntu("24.04", "20261015", "x86_64"),
  ubuntu("24.04", "20260915", "x86_64"),
  ubuntu("22.04", "20260615", "x86_64"),
  ubuntu("22.04", "20261012", "arm64"),
  ubuntu("22.04", "20260715", "x86_64"),
  ubuntu("22.04", "20260815", "x86_64"),
  ubuntu("22.04", "20261015", "x86_64"),
  ubuntu("22.04", "20260915", "x86_64"),
  ubuntu("20.04", "20260915", "x86_64"),
  {
    id: "win2022_21H2_x64_dtc_en-us_40G_alibase_20261012.vhd",
    family: "acs:windows_2022_x64",
    osName: "Windows Server  2022 Datacenter 64 bit",
    osType: "windows",
    architecture: "x86_64",
    owner: "system",
    created: "2026-10-12T02:00:00Z",
    size: 40,
  },
  ...Array.from(
    { length: 6 },
    (_, number): Image => ({ ...ubuntu("22.04", `2026102${number}`, "x86_64", 40), id: `m-market${number}`, owner: "marketplace" }),
  ),
  { ...ubuntu("22.04", "20261030", "x86_64", 60), id: "m-bp1ourownimage", family: "", owner: "self" },
];

/** Disks cost so many yuan per GiB and hour. */
export const DISK_PER_GIB_HOUR: Readonly<Record<string, number>> = {
  cloud_essd: 0.0014,
  cloud_auto: 0.0014,
  cloud_essd_entry: 0.0007,
  cloud_ssd: 0.0014,
  cloud_efficiency: 0.0005,
  cloud: 0.0004,
};

/** The least GiB of an ESSD by its performance level. */
export const LEAST_ESSD: Readonly<Record<string, number>> = { PL0: 1, PL1: 20, PL2: 461, PL3: 1_261 };
export const LARGEST_DISK = 65_536;

/** What one yuan is worth to the international site's price list. */
export const DOLLARS_PER_YUAN = 0.14;
