import { isSameMemory, memoriesOf, memoryInName } from "../../model/gpu-names.ts";

/** Numbers from this on are MiB; smaller ones are GB, whatever their name says: one cloud writes `'SizeInMiB': 48`. */
const LEAST_MIB = 1024;
/** No GPU has more, in GB. */
const MOST_GB = 1024;
/** Clouds that write the memory of all GPUs of a machine where the others write that of one. */
const OF_ALL: ReadonlySet<string> = new Set(["vast", "primeintellect"]);

/** The name of the GPU in the column GpuInfo, which may say more than the one it is listed under; null when it has none. */
export function nameInInfo(text: string): string | null {
  return /['"]Name['"]\s*:\s*['"]([^'"]{1,60})['"]/i.exec(text)?.[1] ?? null;
}

/** A number behind a key of the column, which is a Python literal in most files, JSON in some, and all in lower case in one. */
function numberOf(text: string, key: string): number | null {
  const found = new RegExp(`['"]${key}['"]\\s*:\\s*(\\d{1,9}(?:\\.\\d{1,6})?)\\s*[,}]`, "i").exec(text)?.[1];
  return found === undefined ? null : Number(found);
}

const gigabytes = (size: number) => (size >= LEAST_MIB ? size / 1024 : size);

/** What the memory of one GPU may be by the column, the likeliest first. */
function readings(cloud: string, size: number, total: number | null, count: number): readonly number[] {
  const told = gigabytes(size);
  if (OF_ALL.has(cloud)) return [told / count, told];
  return total === size * count ? [told] : [told, told / count];
}

/**
 * The memory of one GPU in GB from the column GpuInfo; null when it does not say, or something that cannot be. Files differ: most
 * write the memory of one GPU, some that of all of them under the same key. What the GPU's name says decides, then what its
 * model is made with, then how the cloud is known to write.
 */
export function memoryPerGpu(
  cloud: string,
  text: string,
  { name, model, count }: { readonly name: string; readonly model: string; readonly count: number },
): number | null {
  const size = numberOf(text, "SizeInMiB");
  if (size === null || size <= 0) return null;
  const possible = readings(cloud, size, numberOf(text, "TotalGpuMemoryInMiB"), count);
  const named = memoryInName(name);
  const known = named === null ? memoriesOf(model) : [named];
  const memory = possible.find((gb) => known.some((made) => isSameMemory(made, gb))) ?? named ?? possible[0] ?? 0;
  return memory > 0 && memory <= MOST_GB ? Math.round(memory * 10) / 10 : null;
}
