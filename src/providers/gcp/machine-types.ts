import * as v from "valibot";
import type { Gpu } from "../../model/gpu.ts";
import { gpuFromName } from "../../model/gpu-names.ts";
import { formOfType } from "../../model/gpu-of-type.ts";
import type { Kept, KeptAnswers } from "../kept-answers.ts";
import type { CallContext } from "../provider.ts";
import type { Api } from "./api.ts";
import { lastOf } from "./names.ts";
import { aggregatedList, selected } from "./pages.ts";
import { acceleratorTypeAggregate, machineTypeAggregate } from "./wire.ts";

/** A size that can be rented in a zone, GPUs included. */
const sizeSchema = v.object({
  zone: v.string(),
  /** `g2-standard-4`, or with its GPUs `n1-standard-8+1xnvidia-tesla-t4`. */
  type: v.string(),
  machineType: v.string(),
  vcpus: v.number(),
  memoryMb: v.number(),
  accelerator: v.string(),
  count: v.number(),
});
export type Size = v.InferOutput<typeof sizeSchema>;

const A_DAY_MS = 24 * 3_600_000;
const AGE = { maxAgeMs: A_DAY_MS, staleMs: 30 * A_DAY_MS };
/** Of the hundreds of types in each zone only those that have a GPU, or can be given one. */
const TYPES = 'name eq "(a|g)[0-9]+[a-z]*-.*|n1-standard-(4|8|16|32|64)"';
const PAGE_FIELDS = "kind,nextPageToken,unreachables,items/*/warning/code";
const TYPE_FIELDS = `${PAGE_FIELDS},items/*/machineTypes(name,guestCpus,memoryMb,deprecated/state,architecture,accelerators)`;
const ACCELERATOR_FIELDS = `${PAGE_FIELDS},items/*/acceleratorTypes(name,maximumCardsPerInstance,deprecated/state)`;

/**
 * GPUs that are attached to N1 machines, and to which of them we attach how many: sizes that Google's limits of cores per GPU
 * allow for certain (T4: 48 for one; V100: 12, 24, 48, 96; P100: 16, 32, 64; P4: 24, 48, 96).
 */
const ATTACHED: Readonly<Record<string, Readonly<Record<number, readonly string[]>>>> = {
  "nvidia-tesla-t4": { 1: ["n1-standard-4", "n1-standard-8"], 2: ["n1-standard-16"], 4: ["n1-standard-32"] },
  "nvidia-tesla-p4": { 1: ["n1-standard-4", "n1-standard-8"], 2: ["n1-standard-16"], 4: ["n1-standard-32"] },
  "nvidia-tesla-v100": { 1: ["n1-standard-8"], 2: ["n1-standard-16"], 4: ["n1-standard-32"], 8: ["n1-standard-64"] },
  "nvidia-tesla-p100": { 1: ["n1-standard-8"], 2: ["n1-standard-16"], 4: ["n1-standard-32"] },
};

/** What our name for a size stands for at Google. */
export function partsOf(type: string): { readonly machineType: string; readonly accelerator: string; readonly count: number } {
  const [, machineType = type, count = "0", accelerator = ""] = /^(.+)\+(\d+)x(.+)$/.exec(type) ?? [];
  return { machineType, accelerator, count: Number(count) };
}

/** Our name for a machine: its type, and for the family that brings no GPU the one it was given. */
export function typeName(machineType: string, accelerator: string, count: number): string {
  return count > 0 && machineType.startsWith("n1-") ? `${machineType}+${count}x${accelerator}` : machineType;
}

/** Memory of GPUs whose name is ambiguous at Google: an A100 without a word about memory has 40 GB. */
const VRAM_GB: Readonly<Record<string, number>> = {
  "nvidia-tesla-a100": 40,
  "nvidia-tesla-v100": 16,
  "nvidia-tesla-p100": 16,
  "nvidia-tesla-p4": 8,
  "nvidia-tesla-k80": 12,
  "nvidia-gb200": 186,
};

export function gpuOf(accelerator: string, count: number): Gpu {
  // `mega` says how the machines are networked, not which GPU it is.
  const { vramGb, ...named } = gpuFromName(accelerator.replace(/-mega\b/, ""));
  return {
    ...named,
    ...formOfType("gcp", accelerator, named.model),
    model: accelerator === "" ? "" : named.model,
    count,
    vramGb: VRAM_GB[accelerator] ?? vramGb ?? 0,
  };
}

const isCurrent = ({ deprecated }: { readonly deprecated: { readonly state: string } | null }) =>
  deprecated === null || !["OBSOLETE", "DELETED"].includes(deprecated.state);

async function askSizes(api: Api, context: CallContext): Promise<Size[]> {
  const [types, accelerators] = await Promise.all([
    selected(TYPE_FIELDS, (query) => aggregatedList(api, machineTypeAggregate, "machineTypes", context, { filter: TYPES, ...query })),
    selected(ACCELERATOR_FIELDS, (query) => aggregatedList(api, acceleratorTypeAggregate, "acceleratorTypes", context, query)),
  ]);
  const sizes: Size[] = [];
  const plain = new Map<string, Omit<Size, "type" | "accelerator" | "count">>();
  for (const [scope, row] of types) {
    const zone = lastOf(scope);
    if (!isCurrent(row)) continue;
    const machine = { zone, machineType: row.name, vcpus: row.guestCpus, memoryMb: row.memoryMb };
    const [first] = row.accelerators;
    if (first === undefined) plain.set(`${zone}/${row.name}`, machine);
    // More than one kind in one machine is nothing that a price could be summed for.
    else if (row.accelerators.length === 1 && first.guestAcceleratorCount > 0)
      sizes.push({ ...machine, type: row.name, accelerator: lastOf(first.guestAcceleratorType), count: first.guestAcceleratorCount });
  }
  for (const [scope, row] of accelerators) {
    const zone = lastOf(scope);
    for (const [many, names] of Object.entries(isCurrent(row) ? (ATTACHED[row.name] ?? {}) : {})) {
      const count = Number(many);
      if (row.maximumCardsPerInstance < count) continue;
      for (const name of names) {
        const machine = plain.get(`${zone}/${name}`);
        if (machine !== undefined) sizes.push({ ...machine, type: typeName(name, row.name, count), accelerator: row.name, count });
      }
    }
  }
  return sizes;
}

/** Every size with GPUs, in every zone. Kept for a day: thousands of types, of which a few new ones come in a year. */
export function currentSizes(api: Api, kept: KeptAnswers, context: CallContext): Promise<Kept<readonly Size[]>> {
  return kept.recent("sizes", v.array(sizeSchema), AGE, () => askSizes(api, context));
}
