/** A GPU's name as clouds write it, read: our short model name, and the memory where the name says it. */
export interface NamedGpu {
  /** Upper case, without maker, form factor and memory: `H100`, `RTX4090`, `RTXA6000`, `RTXPRO6000`, `L40S`. */
  readonly model: string;
  /** Per GPU, in GB; null when neither the name nor the model says. */
  readonly vramGb: number | null;
}

/** Memory per GPU in GB where it follows from the model alone (the makers' data sheets). */
const VRAM_GB: Readonly<Record<string, number>> = {
  A10: 24,
  A10G: 24,
  A16: 16,
  A2: 16,
  A30: 24,
  A40: 48,
  B200: 180,
  B300: 288,
  H20: 96,
  H200: 141,
  L4: 24,
  L40: 48,
  L40S: 48,
  MI300X: 192,
  MI325X: 256,
  RTX3090: 24,
  RTX4090: 24,
  RTX4090D: 24,
  RTX5090: 32,
  RTX6000ADA: 48,
  RTXA4000: 16,
  RTXA5000: 24,
  RTXA6000: 48,
  RTXPRO6000: 96,
  T4: 16,
};

/** Words that say who made a GPU, or that it is one. */
const MAKERS = new Set(["NVIDIA", "AMD", "GEFORCE", "TESLA", "QUADRO", "INSTINCT", "GPU"]);

/** Words that say how a GPU is built in, or how it is sold, never which one it is. */
const BUILDS = new Set(["SXM", "SXM2", "SXM3", "SXM4", "SXM5", "SXM6", "PCIE", "NVL", "NVLINK", "SPOT", "K8S"]);

/** Words that are said of one kind of GPU only, so that the model is clear without them. */
const EPITHETS = new Set([
  ...["HBM2", "HBM2E", "HBM3", "HBM3E", "GDDR6", "GDDR6X", "GDDR7"],
  ...["GENERATION", "BLACKWELL", "SE", "WS", "SERVER", "WORKSTATION", "EDITION"],
]);

/** `80G`, `80GB`, `80GiB` in gigabytes, `24576MiB` too; null for any other word. */
function memoryOf(word: string): number | null {
  const [, amount, unit] = /^(\d{1,6})(G|GB|GIB|MB|MIB)$/.exec(word) ?? [];
  if (amount === undefined || unit === undefined) return null;
  return unit.startsWith("G") ? Number(amount) : Math.round(Number(amount) / 1024);
}

interface Words {
  /** What is left when memory and makers are gone. */
  readonly kept: readonly string[];
  readonly memoryGb: number | null;
}

function wordsOf(text: string): Words {
  const words = text
    .toUpperCase()
    .replaceAll(/(\d)\s+(?=(?:G|M)I?B\b)/g, "$1")
    .replaceAll("MAX-Q", " ")
    .split(/[\s\-_/(),]+/)
    // `H100SXM5` is two words.
    .flatMap((word) => /^([A-Z]+\d+[A-Z]?)(SXM\d?|PCIE|NVL)$/.exec(word)?.slice(1) ?? [word])
    .filter((word) => word !== "" && !MAKERS.has(word));
  const memoryGb = words.map(memoryOf).find((found) => found !== null) ?? null;
  return { kept: words.filter((word) => memoryOf(word) === null), memoryGb };
}

/**
 * The same model under its one name. People and some clouds leave `RTX` away: `4090`, `A6000` (a workstation card; the
 * data centre's A cards have two or three digits).
 */
function canonical(words: readonly string[]): string {
  const model = words.join("").replaceAll(/[^A-Z0-9.]/g, "");
  if (/^[2-5]0[5-9]0(TI|SUPER|TISUPER|D)?$/.test(model)) return `RTX${model}`;
  if (/^(A[2-6][05]00|PRO[2-6][05]00|6000ADA)$/.test(model)) return `RTX${model}`;
  return model;
}

/**
 * Reads what clouds call their GPUs: `RTX 4090 24GB`, `H100-80G-PCIe-spot`, `8x H100 SXM5 80GB`, `NVIDIA RTX A6000`.
 * A name that says nothing is kept, without its spaces.
 */
export function gpuFromName(text: string): NamedGpu {
  // `8x H100`, `H100 x8`: how many there are is said elsewhere.
  const one = text.replace(/^\s*\d+\s*[x×]\s*/i, "").replace(/(?<=[0-9a-z])\s+[x×]\s*\d{1,2}\s*$/i, "");
  const { kept, memoryGb } = wordsOf(one);
  const model = canonical(kept.filter((word) => !BUILDS.has(word) && !EPITHETS.has(word))) || text.replaceAll(/\s+/g, "").toUpperCase();
  return { model, vramGb: memoryGb ?? VRAM_GB[model] ?? null };
}

/**
 * What a person asks for, in one spelling: `rtx 4090` and `4090` are `RTX4090`, `A100 80G` is `A100-80GB`. Words that no
 * offer tells apart, as `SXM`, and counts, as in `8x H100`, are kept, so that nobody is given something else than what was asked for: then no offer has
 * that name, and the nearest one is suggested.
 */
export function askedModel(text: string): string {
  const { kept, memoryGb } = wordsOf(text);
  const isPlain = kept.length > 0 && !kept.some((word) => BUILDS.has(word));
  if (!isPlain) return text.trim().toUpperCase();
  const model = canonical(kept.filter((word) => !EPITHETS.has(word)));
  if (model === "") return text.trim().toUpperCase();
  return memoryGb === null ? model : `${model}-${memoryGb}GB`;
}

/** Makers count differently: 80 GB may be 79.6 or 81. */
const SAME_MEMORY = 0.06;

type OfferedGpu = { readonly model: string; readonly vramGb: number };

/** Tells of each GPU on offer whether it is the one that was asked for, however both are spelt. Memory counts only where it was asked for. */
export function gpuMatcher(asked: string): (offered: OfferedGpu) => boolean {
  const wanted = askedModel(asked);
  const [, model = wanted, gb] = /^(.*)-(\d+)GB$/.exec(wanted) ?? [];
  // Markets have thousands of offers of a few dozen models.
  const names = new Map<string, NamedGpu>();
  const named = (name: string) => {
    const known = names.get(name) ?? gpuFromName(name);
    names.set(name, known);
    return known;
  };
  return (offered) => {
    const found = named(offered.model);
    if (found.model !== model && offered.model.toUpperCase() !== asked.toUpperCase()) return false;
    const memory = offered.vramGb > 0 ? offered.vramGb : (found.vramGb ?? 0);
    return gb === undefined || Math.abs(memory - Number(gb)) <= Number(gb) * SAME_MEMORY;
  };
}

/** `gpuMatcher` for a single look. */
export function isAskedGpu(asked: string, offered: OfferedGpu): boolean {
  return gpuMatcher(asked)(offered);
}
