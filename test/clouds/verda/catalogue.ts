/** A row of `/instance-types`. The prices are of the usual order of magnitude, and invented. */
export interface CatalogueType {
  readonly type: string;
  readonly gpu: string;
  readonly gpus: number;
  /** Over all GPUs. */
  readonly gpuMemoryGb: number;
  readonly cores: number;
  readonly memoryGb: number;
  readonly price: string;
  readonly spotPrice: string;
}

const row = (
  type: string,
  gpu: string,
  gpus: number,
  gpuMemoryGb: number,
  cores: number,
  memoryGb: number,
  price: string,
  spotPrice: string,
): CatalogueType => ({ type, gpu, gpus, gpuMemoryGb, cores, memoryGb, price, spotPrice });

export const CATALOGUE: readonly CatalogueType[] = [
  row("1V100.6V", "1x Tesla V100 16GB", 1, 16, 6, 23, "0.1381", "0.0413"),
  row("1A100.22V", "1x A100 SXM4 80GB", 1, 80, 22, 120, "1.2890", "0.6445"),
  row("8A100.176V", "8x A100 SXM4 80GB", 8, 640, 176, 960, "10.3120", "5.1560"),
  row("1H100.80S.30V", "1x H100 SXM5 80GB", 1, 80, 30, 120, "2.2900", "0.8015"),
  row("8H100.80S.176V", "8x H100 SXM5 80GB", 8, 640, 176, 1480, "18.3200", "6.4120"),
  row("1H200.141S.44V", "1x H200 SXM5 141GB", 1, 141, 44, 185, "2.9900", "1.0465"),
  row("1L40S.20V", "1x L40S 48GB", 1, 48, 20, 60, "0.9143", "0.3200"),
  row("1RTXPRO6000.30V", "1x RTX PRO 6000 96GB", 1, 96, 30, 90, "1.3900", "0.4865"),
  // Sold by long-term contract only: it has no price to pay as one goes, and no spot price.
  row("8B300.240V", "8x B300 SXM6 262GB", 8, 2096, 240, 2200, "0", "0"),
  row("CPU.4V.16G", "", 0, 0, 4, 16, "0.0279", "0.0100"),
];

export const LOCATIONS = [
  { code: "FIN-01", name: "Finland 1", country_code: "FI" },
  { code: "FIN-02", name: "Finland 2", country_code: "FI" },
  { code: "FIN-03", name: "Finland 3", country_code: "FI" },
  { code: "ICE-01", name: "Iceland 1", country_code: "IS" },
] as const;

export const IMAGES = [
  {
    id: "77777777-4f48-4249-82b3-f199fb9b701a",
    image_type: "ubuntu-24.04-cuda-12.8-cluster",
    name: "Cluster",
    is_default: false,
    is_cluster: true,
  },
  { id: "77777777-4f48-4249-82b3-f199fb9b701b", image_type: "ubuntu-22.04", name: "Ubuntu 22.04", is_default: false, is_cluster: false },
  {
    id: "77777777-4f48-4249-82b3-f199fb9b701c",
    image_type: "ubuntu-24.04-cuda-12.8-open-docker",
    name: "Ubuntu 24.04 + CUDA 12.8 Open + Docker",
    is_default: true,
    is_cluster: false,
  },
] as const;

/** Per GB and month. */
export const VOLUME_TYPES: Readonly<Record<string, string>> = { NVMe: "0.2", HDD: "0.05", NVMe_Shared: "0.3", HDD_Shared: "0.1" };
