/** Numbers from this on are MiB; smaller ones are GB, whatever their name says: one cloud writes `'SizeInMiB': 48`. */
const LEAST_MIB = 1024;
/** No GPU has more, in GB. */
const MOST_GB = 1024;

/** The name of the GPU in the column GpuInfo, which may say more than the one it is listed under; null when it has none. */
export function nameInInfo(text: string): string | null {
  return /['"]Name['"]\s*:\s*['"]([^'"]{1,60})['"]/.exec(text)?.[1] ?? null;
}

/** A number behind a key of the column, which is a Python literal in most files and JSON in one. */
function numberOf(text: string, key: string): number | null {
  const found = new RegExp(`['"]${key}['"]\\s*:\\s*(\\d{1,9}(?:\\.\\d{1,6})?)\\s*[,}]`).exec(text)?.[1];
  return found === undefined ? null : Number(found);
}

const gigabytes = (size: number) => (size >= LEAST_MIB ? size / 1024 : size);

/**
 * The memory of one GPU in GB from the column GpuInfo; null when it does not say, or something that cannot be. Files differ:
 * most write the memory of one GPU, one that of all of them under the same key (then it equals the total).
 */
export function memoryPerGpu(text: string, count: number): number | null {
  const size = numberOf(text, "SizeInMiB");
  if (size === null || size <= 0) return null;
  const total = numberOf(text, "TotalGpuMemoryInMiB");
  const isOfAll = count > 1 && total !== null && total === size;
  const memory = gigabytes(size) / (isOfAll ? count : 1);
  return memory > 0 && memory <= MOST_GB ? Math.round(memory * 10) / 10 : null;
}
