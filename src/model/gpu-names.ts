/** A GPU's name as clouds write it, read: our short model name, and the memory where the name says it. */
export interface NamedGpu {
  /** Upper case, without maker, form factor and memory: `H100`, `RTX4090`, `RTXA6000`, `RTXPRO6000`, `L40S`. */
  readonly model: string;
  /** Per GPU, in GB; null when the name does not say. */
  readonly vramGb: number | null;
}

/** Memory per GPU in GB where it follows from the model alone (the makers' data sheets). */
const VRAM_GB: Readonly<Record<string, number>> = {
  A10: 24,
  A10G: 24,
  A4000: 16,
  B200: 180,
  B300: 288,
  H20: 96,
  H200: 141,
  L4: 24,
  L40: 48,
  L40S: 48,
  RTX3090: 24,
  RTX4090: 24,
  RTX5090: 32,
  RTX6000ADA: 48,
  RTXA4000: 16,
  RTXA6000: 48,
  RTXPRO6000: 96,
  T4: 16,
};

/** Words that say how a GPU is built in or who made it, never which one it is. */
const NOISE = new Set([
  "NVIDIA",
  "GEFORCE",
  "TESLA",
  "QUADRO",
  "GPU",
  "SXM",
  "SXM2",
  "SXM3",
  "SXM4",
  "SXM5",
  "SXM6",
  "PCIE",
  "NVL",
  "NVLINK",
  "HBM2",
  "HBM2E",
  "HBM3",
  "HBM3E",
  "GDDR6",
  "SPOT",
  "K8S",
  "GENERATION",
  "BLACKWELL",
  "SE",
  "WS",
  "SERVER",
  "WORKSTATION",
  "EDITION",
]); // prettier-ignore

/**
 * Reads what clouds call their GPUs: `RTX 4090 24GB`, `H100-80G-PCIe-spot`, `8x H100 SXM5 80GB`, `NVIDIA RTX A6000`.
 * A name that says nothing is kept, without its spaces.
 */
export function gpuFromName(text: string): NamedGpu {
  const words = text
    .toUpperCase()
    .replaceAll(/^\s*\d+\s*[X×]\s*/g, "")
    .split(/[\s\-_/(),]+/)
    .filter((word) => word !== "");
  const memory = words.map((word) => /^(\d{1,4})GB?$/.exec(word)?.[1]).find((found) => found !== undefined);
  const kept = words.filter((word) => !NOISE.has(word) && !/^\d{1,4}GB?$/.test(word));
  const model = kept.join("").replaceAll(/[^A-Z0-9.]/g, "") || text.replaceAll(/\s+/g, "").toUpperCase();
  return { model, vramGb: memory === undefined ? (VRAM_GB[model] ?? null) : Number(memory) };
}
