import type { PpioSettings } from "./settings.ts";

export interface Product {
  readonly id: string;
  readonly name: string;
  readonly cpuPerGpu: number;
  readonly memoryPerGpu: number;
  readonly diskPerGpu: number;
  readonly minRootFS: number;
  readonly maxRootFS: number;
  /** Empty means everywhere. */
  readonly regions: readonly string[];
  /** In 1/100000 of the currency's unit per GPU-hour; 0 is none. */
  readonly price: number;
  readonly spotPrice: number;
  readonly monthlyPrice: number;
}

export interface Cluster {
  readonly id: string;
  readonly name: string;
  readonly supportNetworkStorage: boolean;
}

const CLUSTERS: Readonly<Record<PpioSettings["vendor"], readonly Cluster[]>> = {
  ppio: [
    { id: "27", name: "CN-South-01", supportNetworkStorage: true },
    { id: "cn-east-2", name: "CN-East-02", supportNetworkStorage: true },
    { id: "cn-north-9", name: "CN-North-09", supportNetworkStorage: false },
  ],
  novita: [
    { id: "us-ca-06", name: "US-CA-06 (California)", supportNetworkStorage: true },
    { id: "as-sgp-2", name: "AS-SGP-02 (Singapore)", supportNetworkStorage: true },
    { id: "eu-de-09", name: "EU-DE-09", supportNetworkStorage: false },
  ],
};

/** Every product has this much free in every cluster, in GPUs, until told otherwise. */
const PLENTY = 64;

function products(first: string, second: string): readonly Product[] {
  const disk = { diskPerGpu: 60, minRootFS: 10, maxRootFS: 500 };
  return [
    {
      id: "4090.16c62g",
      name: "RTX 4090 24GB",
      cpuPerGpu: 16,
      memoryPerGpu: 62,
      ...disk,
      regions: [],
      price: 198_000,
      spotPrice: 99_000,
      monthlyPrice: 105_000_000,
    },
    {
      id: "L40S.22c125g",
      name: "L40S 48GB",
      cpuPerGpu: 22,
      memoryPerGpu: 125,
      ...disk,
      minRootFS: 80,
      regions: [first],
      price: 420_000,
      spotPrice: 210_000,
      monthlyPrice: 0,
    },
    {
      id: "H100.28c240g",
      name: "H100 SXM 80GB",
      cpuPerGpu: 28,
      memoryPerGpu: 240,
      ...disk,
      regions: [first, second],
      price: 1_050_000,
      spotPrice: 525_000,
      monthlyPrice: 600_000_000,
    },
    {
      id: "A6000.8c48g",
      name: "RTX A6000 48GB",
      cpuPerGpu: 8,
      memoryPerGpu: 48,
      ...disk,
      maxRootFS: 40,
      regions: [second],
      price: 300_000,
      spotPrice: 0,
      monthlyPrice: 0,
    },
  ];
}

/** What can be rented, where, for how much, and how many of it are free. */
export interface Market {
  readonly clusters: readonly Cluster[];
  product(id: string): Product | undefined;
  in(clusterId: string | null): readonly Product[];
  free(clusterId: string, productId: string): number;
  take(clusterId: string, productId: string, gpus: number): void;
  /** `type` is `<product>:<GPUs>`; without a cluster in all of them. */
  setStock(type: string, count: number, clusterId?: string): void;
  setPrice(productId: string, prices: Partial<Pick<Product, "price" | "spotPrice">>): void;
}

export function market(vendor: PpioSettings["vendor"]): Market {
  const clusters = CLUSTERS[vendor];
  const [first, second] = clusters.map(({ id }) => id);
  let all = products(first ?? "", second ?? "");
  const freed = new Map<string, number>();
  const free = (clusterId: string, productId: string) => freed.get(`${clusterId}/${productId}`) ?? PLENTY;
  return {
    clusters,
    product: (id) => all.find((product) => product.id === id),
    in: (clusterId) => all.filter(({ regions }) => clusterId === null || regions.length === 0 || regions.includes(clusterId)),
    free,
    take: (clusterId, productId, gpus) => freed.set(`${clusterId}/${productId}`, free(clusterId, productId) - gpus),
    setStock(type, count, clusterId) {
      const at = type.lastIndexOf(":");
      const [productId, gpus] = [type.slice(0, at), Number(type.slice(at + 1))];
      for (const { id } of clusters)
        if (clusterId === undefined || clusterId === id) freed.set(`${id}/${productId}`, count * Math.max(1, gpus));
    },
    setPrice(productId, prices) {
      all = all.map((product) => (product.id === productId ? { ...product, ...prices } : product));
    },
  };
}
