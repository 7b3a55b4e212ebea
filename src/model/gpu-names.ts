import type { GpuForm } from "./gpu.ts";

/** A GPU's name as clouds write it, read: our short model name, and what else the name says. */
export interface NamedGpu {
  /** Upper case, without maker, form factor and memory: `H100`, `RTX4090`, `RTXA6000`, `RTXPRO6000`, `L40S`. */
  readonly model: string;
  /** Per GPU, in GB; null when neither the name nor the model says. */
  readonly vramGb: number | null;
  /** Not there when the name does not say, or the model is made in one form only. */
  readonly form?: GpuForm;
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

/** The memories that models are made with in GB, smallest first, where there are several (the makers' data sheets). */
const MEMORIES_GB: Readonly<Record<string, readonly number[]>> = {
  A100: [40, 80],
  A800: [40, 80],
  GH200: [96, 144],
  H100: [64, 80, 94],
  H20: [96, 141],
  H800: [80],
  K80: [12, 24],
  P100: [12, 16],
  RTX2080TI: [11, 22],
  RTX3060: [8, 12],
  RTX3080: [10, 12, 20],
  RTX4060TI: [8, 16],
  V100: [16, 32],
};

/** Words that say who made a GPU, or that it is one. `Q RTX 6000` is a Quadro. */
const MAKERS = new Set(["NVIDIA", "AMD", "GEFORCE", "TESLA", "QUADRO", "Q", "RADEON", "INSTINCT", "GPU"]);

/**
 * Models that are made in several forms, which differ in power, links and often in memory: they are several products at
 * several prices (the maker's data sheets). All others come in one.
 */
const IN_FORMS = new Set(["P100", "V100", "A100", "A800", "H100", "H200", "H800"]);

/** Whether a model is made in several forms. */
export function isInForms(model: string): boolean {
  return IN_FORMS.has(model);
}

/** What a word says about how a GPU is built in. */
function formIn(word: string): GpuForm | undefined {
  if (/^SXM\d?$/.test(word)) return "SXM";
  if (word === "PCIE") return "PCIe";
  return word === "NVL" ? "NVL" : undefined;
}

/** Words that say how a GPU is linked, or how it is sold, never which one it is. */
const BESIDE = new Set(["NVLINK", "SPOT", "K8S", "MEGA", "BAREMETAL", "HIGH", "PERF", "LOW", "RAM"]);

/** Words that are said of one kind of GPU only, so that the model is clear without them. */
const EPITHETS = new Set([
  ...["HBM2", "HBM2E", "HBM3", "HBM3E", "GDDR6", "GDDR6X", "GDDR7"],
  ...["GENERATION", "BLACKWELL", "SE", "WS", "WK", "SERVER", "WORKSTATION", "EDITION"],
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

/** The driver's name of the H100 with HBM3 and 80 GB says no form: it is the SXM one; the PCIe one has HBM2e, the NVL one 94 GB. */
function formOf(model: string, words: readonly string[], memoryGb: number | null): { readonly form?: GpuForm } {
  const said = words.map(formIn).find((form) => form !== undefined);
  const form = said ?? (model === "H100" && words.includes("HBM3") && memoryGb === 80 ? "SXM" : undefined);
  return form === undefined || !IN_FORMS.has(model) ? {} : { form };
}

/**
 * The same model under its one name. People and some clouds leave `RTX` away: `4090`, `A6000` (a workstation card; the
 * data centre's A cards have two or three digits).
 */
function canonical(words: readonly string[]): string {
  const model = words.join("").replaceAll(/[^A-Z0-9.]/g, "");
  // Some write SUPER as one letter: `4070S Ti`.
  const [, card, letter, rest = ""] = /^(GTX16[56]0|(?:RTX)?[2-5]0[5-9]0)(S?)(TI|SUPER|TISUPER|D)?$/.exec(model) ?? [];
  if (card !== undefined) return `${card.replace(/^(?=\d)/, "RTX")}${rest}${letter === "S" ? "SUPER" : ""}`;
  if (/^(A[2-6][05]00|PRO[2-6][05]00|6000ADA)$/.test(model)) return `RTX${model}`;
  // One cloud's short forms of "server" and "workstation", as of the epithets above.
  if (/^RTXPRO6000(S|WS|WK)$/.test(model)) return "RTXPRO6000";
  return model;
}

/** The words that name the model. */
function modelWords(words: readonly string[]): readonly string[] {
  return words.filter((word) => formIn(word) === undefined && !BESIDE.has(word) && !EPITHETS.has(word));
}

/**
 * Reads what clouds call their GPUs: `RTX 4090 24GB`, `H100-80G-PCIe-spot`, `8x H100 SXM5 80GB`, `NVIDIA RTX A6000`.
 * A name that says nothing is kept, without its spaces.
 */
export function gpuFromName(text: string): NamedGpu {
  // `8x H100`, `H100 x8`: how many there are is said elsewhere.
  const one = text.replace(/^\s*\d+\s*[x×]\s*/i, "").replace(/(?<=[0-9a-z])\s+[x×]\s*\d{1,2}\s*$/i, "");
  const { kept, memoryGb } = wordsOf(one);
  const model = canonical(modelWords(kept)) || text.replaceAll(/\s+/g, "").toUpperCase();
  return { model, vramGb: memoryGb ?? VRAM_GB[model] ?? null, ...formOf(model, kept, memoryGb) };
}

/** The memory of one GPU in GB that a name says by itself: `A100-80GB`; null where it does not. */
export function memoryInName(text: string): number | null {
  return wordsOf(text).memoryGb;
}

/**
 * What a person asks for, in one spelling: `rtx 4090` and `4090` are `RTX4090`, `A100 80G` is `A100-80GB`, `H100 sxm5` is
 * `H100-SXM`. Words that no offer tells apart, and counts, as in `8x H100`, are kept, so that nobody is given something else
 * than what was asked for: then no offer has that name, and the nearest one is suggested.
 */
export function askedModel(text: string): string {
  const { kept, memoryGb } = wordsOf(text);
  const model = canonical(modelWords(kept));
  const { form } = formOf(model, kept, memoryGb);
  const isPlain = kept.every((word) => !BESIDE.has(word) && (formIn(word) === undefined || form !== undefined));
  if (model === "" || !isPlain) return text.trim().toUpperCase();
  return [model, ...(form === undefined ? [] : [form.toUpperCase()]), ...(memoryGb === null ? [] : [`${memoryGb}GB`])].join("-");
}

/** Makers count differently: 80 GB may be 79.6 or 81. */
const SAME_MEMORY = 0.06;

type OfferedGpu = { readonly model: string; readonly vramGb: number; readonly form?: GpuForm };

/**
 * Tells of each GPU on offer whether it is the one that was asked for, however both are spelt. Memory and form count only where
 * they were asked for; then an offer that does not say its form is not the one.
 */
export function gpuMatcher(asked: string): (offered: OfferedGpu) => boolean {
  const wanted = askedModel(asked);
  const [, model = wanted, formWord, gb] = /^(.*?)(?:-(SXM|PCIE|NVL))?(?:-(\d+)GB)?$/.exec(wanted) ?? [];
  const form = formIn(formWord ?? "");
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
    if (form !== undefined && (offered.form ?? found.form) !== form) return false;
    const memory = offered.vramGb > 0 ? offered.vramGb : (found.vramGb ?? 0);
    return gb === undefined || Math.abs(memory - Number(gb)) <= Number(gb) * SAME_MEMORY;
  };
}

/** Makers' GB and the GiB that drivers report, with or without what error correction takes: 141 and 134, 288 and 262. */
const REPORTED_SHARE = 0.12;

/** Whether two figures in GB are the same memory, counted as makers or as drivers do. */
export function isSameMemory(made: number, told: number): boolean {
  return Math.abs(made - told) <= made * REPORTED_SHARE;
}

/** The memories in GB that a model is made with; none where nobody has told us. */
export function memoriesOf(model: string): readonly number[] {
  const known = VRAM_GB[model];
  return MEMORIES_GB[model] ?? (known === undefined ? [] : [known]);
}

/** What stands behind a model's name in a product's: the memory where the model has several, or not the one it is made with. */
function memoryPart(model: string, vramGb: number): string {
  const made = memoriesOf(model);
  // Of a model that nobody has told us the memory of, any memory is as usual.
  if (vramGb <= 0 || made.length === 0) return "";
  const nearest = made.reduce((best, size) => (Math.abs(size - vramGb) < Math.abs(best - vramGb) ? size : best));
  const isMade = isSameMemory(nearest, vramGb);
  return isMade && made.length === 1 ? "" : `-${isMade ? nearest : Math.round(vramGb)}GB`;
}

/**
 * The one name of a product: `H100-80GB SXM`, `A100-40GB PCIe`, `RTX4090`, and `RTX4090-48GB` for one with other memory than
 * it is made with. Two GPUs are the same product exactly when these are equal.
 */
export function productName({ model, vramGb, form }: OfferedGpu): string {
  const name = `${model.toUpperCase()}${memoryPart(model.toUpperCase(), vramGb)}`;
  return form === undefined ? name : `${name} ${form}`;
}

/** `gpuMatcher` for a single look. */
export function isAskedGpu(asked: string, offered: OfferedGpu): boolean {
  return gpuMatcher(asked)(offered);
}
