/** What the fake rents out. Written by hand from the price page and the catalogue facts of 2026-08. */
export interface Flavor {
  readonly id: number;
  readonly name: string;
  readonly region: string;
  readonly cpu: number;
  readonly ram: number;
  readonly disk: number;
  readonly ephemeral: number;
  /** Empty for a flavor without a GPU. */
  readonly gpu: string;
  readonly gpuCount: number;
  /** The newer form: booleans; null where this flavor has the older labels only. */
  readonly features: Readonly<Record<string, boolean>> | null;
  readonly labels: readonly string[];
}

export const REGIONS = ["CANADA-1", "NORWAY-1", "US-1"] as const;

const H100 = { cpu: 28, ram: 180, disk: 100, ephemeral: 750 };
const A6000 = { cpu: 28, ram: 58.5, disk: 100, ephemeral: 425 };
const HIBERNATES = { network_optimised: false, no_hibernation: false, no_snapshot: false };
const NEVER_HIBERNATES = { network_optimised: true, no_hibernation: true, no_snapshot: true };

const KINDS: readonly (Omit<Flavor, "id" | "region"> & { readonly regions: readonly string[] })[] = [
  {
    name: "n3-H100x1-spot",
    ...H100,
    gpu: "H100-80G-PCIe-spot",
    gpuCount: 1,
    features: HIBERNATES,
    labels: [],
    regions: ["CANADA-1", "NORWAY-1"],
  },
  {
    name: "n3-H100x2-spot",
    ...H100,
    cpu: 60,
    ram: 360,
    gpu: "H100-80G-PCIe-spot",
    gpuCount: 2,
    features: HIBERNATES,
    labels: [],
    regions: ["CANADA-1"],
  },
  { name: "n3-H100x1", ...H100, gpu: "H100-80G-PCIe", gpuCount: 1, features: HIBERNATES, labels: [], regions: ["CANADA-1", "NORWAY-1"] },
  { name: "n3-A100x1-spot", ...H100, gpu: "A100-80G-PCIe-spot", gpuCount: 1, features: null, labels: [], regions: ["NORWAY-1"] },
  {
    name: "n3-RTX-A6000x1-spot",
    ...A6000,
    gpu: "RTX-A6000-spot",
    gpuCount: 1,
    features: HIBERNATES,
    labels: [],
    regions: ["CANADA-1", "NORWAY-1"],
  },
  { name: "n3-RTX-A6000x1", ...A6000, gpu: "RTX-A6000", gpuCount: 1, features: HIBERNATES, labels: [], regions: ["CANADA-1", "NORWAY-1"] },
  // The two ways in which a flavor says that it cannot be hibernated.
  {
    name: "n3-H100-SXM5x8-spot",
    ...H100,
    cpu: 192,
    ram: 1800,
    gpu: "H100-80G-SXM5-spot",
    gpuCount: 8,
    features: NEVER_HIBERNATES,
    labels: [],
    regions: ["US-1"],
  },
  {
    name: "n1-RTX-A4000x1-spot",
    ...A6000,
    gpu: "RTX-A4000-spot",
    gpuCount: 1,
    features: null,
    labels: ["no-hibernation", "no-snapshot"],
    regions: ["NORWAY-1"],
  },
  // Its price reads "0E-9", so it must never be an offer.
  { name: "n3-L40x1-spot", ...A6000, gpu: "L40-spot", gpuCount: 1, features: HIBERNATES, labels: [], regions: ["CANADA-1"] },
  {
    name: "n1-cpu-small",
    cpu: 4,
    ram: 4,
    disk: 100,
    ephemeral: 0,
    gpu: "",
    gpuCount: 0,
    features: NEVER_HIBERNATES,
    labels: [],
    regions: ["CANADA-1"],
  },
]; // prettier-ignore

export const FLAVORS: readonly Flavor[] = KINDS.flatMap(({ regions, ...kind }, index) =>
  regions.map((region, offset) => ({ ...kind, id: 100 + index * 10 + offset, region })),
);

/** Per GPU-hour, as text; over before it began for one row, and of no worth for another. */
export const PRICEBOOK: readonly {
  readonly name: string;
  readonly value: string;
  readonly from: string | null;
  readonly to: string | null;
}[] = [
  { name: "H100-80G-PCIe", value: "2.500000000", from: "2026-01-01T00:00:00", to: null },
  { name: "H100-80G-PCIe-spot", value: "2.000000000", from: "2024-01-01T00:00:00Z", to: null },
  { name: "H100-80G-PCIe-spot", value: "1.100000000", from: "2023-01-01T00:00:00Z", to: "2024-01-01T00:00:00+00:00" },
  { name: "A100-80G-PCIe", value: "1.350000000", from: null, to: null },
  { name: "A100-80G-PCIe-spot", value: "1.080000000", from: null, to: null },
  { name: "RTX-A6000", value: "0.500000000", from: null, to: null },
  { name: "RTX-A6000-spot", value: "0.400000000", from: null, to: null },
  { name: "H100-80G-SXM5-spot", value: "2.56", from: null, to: null },
  // Dearer than it would be: what is cheapest shall be able to hibernate.
  { name: "RTX-A4000-spot", value: "0.420000000", from: null, to: null },
  { name: "L40-spot", value: "0E-9", from: null, to: null },
  { name: "Cloud-SSD", value: "0.000096774", from: null, to: null },
  { name: "Public IP", value: "0.006720430", from: null, to: null },
];

const IMAGE_NAMES: readonly { readonly name: string; readonly type: string; readonly version: string; readonly isPublic: boolean }[] = [
  { name: "Ubuntu Server 20.04 LTS R470 CUDA 11.4", type: "Ubuntu", version: "20.04 LTS R470 CUDA 11.4", isPublic: true },
  { name: "Ubuntu Server 22.04 LTS R535 CUDA 12.2", type: "Ubuntu", version: "22.04 LTS R535 CUDA 12.2", isPublic: true },
  {
    name: "Ubuntu Server 22.04 LTS R570 CUDA 12.8 with Docker",
    type: "Ubuntu",
    version: "22.04 LTS R570 CUDA 12.8 with Docker",
    isPublic: true,
  },
  { name: "Ubuntu Server 24.04 LTS R570 CUDA 12.8", type: "Ubuntu", version: "24.04 LTS R570 CUDA 12.8", isPublic: true },
  {
    name: "Ubuntu Server 24.04 LTS R570 CUDA 12.8 with Docker",
    type: "Ubuntu",
    version: "24.04 LTS R570 CUDA 12.8 with Docker",
    isPublic: true,
  },
  { name: "Ubuntu Server 25.04 LTS CUDA 13.0 of a colleague", type: "Ubuntu", version: "", isPublic: false },
  { name: "Ubuntu Server 26.04 LTS", type: "Ubuntu", version: "26.04 LTS", isPublic: true },
  { name: "Debian 12 R570 CUDA 12.8", type: "Debian", version: "12", isPublic: true },
  { name: "Windows Server 2022", type: "Windows", version: "2022", isPublic: true },
];

export const IMAGES = REGIONS.flatMap((region, index) =>
  IMAGE_NAMES.map((image, offset) => ({ ...image, id: 1000 + index * 100 + offset, region })),
);

export const SSD_PER_GB_HOUR = 0.000096774;
export const ADDRESS_PER_HOUR = 0.00672043;

/** The price of a GPU-hour that holds now; 0 where the book has none. */
export function priceOf(gpu: string): number {
  const row = PRICEBOOK.find(({ name, to }) => name === gpu && to === null);
  return row === undefined ? 0 : Number(row.value);
}
