/**
 * What a cloud's list says wrongly of its sizes, or not at all, by the cloud's own documents. Azure's (in
 * learn.microsoft.com/azure/virtual-machines/sizes/gpu-accelerated) has one GPU for a part of one, 12 for the 8 of ND H100 v5,
 * and no memory of any.
 */
const GPUS: Readonly<Record<string, readonly (readonly [type: RegExp, count: number])[]>> = {
  azure: [
    [/^Standard_ND96isr?_H100_v5$/, 8],
    [/^Standard_NV4as_v4$/, 1 / 8],
    [/^Standard_NV8as_v4$/, 1 / 4],
    [/^Standard_NV16as_v4$/, 1 / 2],
    [/^Standard_NV6ads_A10_v5$/, 1 / 6],
    [/^Standard_NV12ads_A10_v5$/, 1 / 3],
    [/^Standard_NV18ads_A10_v5$/, 1 / 2],
  ],
};

const MEMORY_GB: Readonly<Record<string, readonly (readonly [type: RegExp, model: string, gb: number])[]>> = {
  azure: [
    [/^Standard_ND96/, "H100", 80],
    [/^Standard_NCC?\d/, "H100", 94],
    // What has 80 and 32 GB says so.
    [/^Standard_ND96/, "A100", 40],
    [/^Standard_NC\d/, "V100", 16],
  ],
};

/** How many GPUs a size has, of which the file says `told`. */
export function gpusOfType(cloud: string, type: string, told: number): number {
  return GPUS[cloud]?.find(([known]) => known.test(type))?.[1] ?? told;
}

/** The memory of one of a size's GPUs in GB where neither the file nor the name says it; null where nobody has told us. */
export function memoryOfType(cloud: string, type: string, model: string): number | null {
  return MEMORY_GB[cloud]?.find(([known, of]) => of === model && known.test(type))?.[2] ?? null;
}
