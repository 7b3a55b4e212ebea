import type { Gpu } from "../../model/gpu.ts";
import { formOfType } from "../../model/gpu-of-type.ts";
import { addMoney, type Money } from "../../model/money.ts";
import type { CatalogRow } from "./row.ts";

/**
 * Google sells machine and GPU apart, and so they stand in the catalogue: a machine's row names no GPU, a GPU's row no machine,
 * and what can be rented costs both. Which GPUs a family brings (cloud.google.com/compute/docs/gpus):
 */
const FAMILIES: readonly (readonly [RegExp, string, number | null])[] = [
  [/^a2-(?:highgpu|megagpu)-(\d+)g$/, "A100-40GB", null],
  [/^a2-ultragpu-(\d+)g$/, "A100-80GB", null],
  [/^a3-(?:highgpu|edgegpu|megagpu)-(\d+)g$/, "H100", null],
  [/^a3-ultragpu-(\d+)g$/, "H200", null],
  [/^a4-highgpu-(\d+)g$/, "B200", null],
  [/^g2-standard-(?:4|8|12|16|32)$/, "L4", 1],
  [/^g2-standard-24$/, "L4", 2],
  [/^g2-standard-48$/, "L4", 4],
  [/^g2-standard-96$/, "L4", 8],
];

/** GPUs that are attached to N1 machines: sizes that Google's limits of cores for each GPU allow for certain. */
const ATTACHED: readonly (readonly [model: string, accelerator: string, count: number, machine: string])[] = [
  ["T4", "nvidia-tesla-t4", 1, "n1-standard-4"],
  ["T4", "nvidia-tesla-t4", 1, "n1-standard-8"],
  ["T4", "nvidia-tesla-t4", 2, "n1-standard-16"],
  ["T4", "nvidia-tesla-t4", 4, "n1-standard-32"],
  ["P4", "nvidia-tesla-p4", 1, "n1-standard-4"],
  ["P4", "nvidia-tesla-p4", 1, "n1-standard-8"],
  ["P4", "nvidia-tesla-p4", 2, "n1-standard-16"],
  ["P4", "nvidia-tesla-p4", 4, "n1-standard-32"],
  ["V100", "nvidia-tesla-v100", 1, "n1-standard-8"],
  ["V100", "nvidia-tesla-v100", 2, "n1-standard-16"],
  ["V100", "nvidia-tesla-v100", 4, "n1-standard-32"],
  ["V100", "nvidia-tesla-v100", 8, "n1-standard-64"],
  ["P100", "nvidia-tesla-p100", 1, "n1-standard-8"],
  ["P100", "nvidia-tesla-p100", 2, "n1-standard-16"],
  ["P100", "nvidia-tesla-p100", 4, "n1-standard-32"],
];

interface Host {
  /** As our adapter names the size. */
  readonly type: string;
  readonly product: string;
  readonly count: number;
}

function hostsOf(machine: string): readonly Host[] {
  for (const [family, product, fixed] of FAMILIES) {
    const match = family.exec(machine);
    if (match !== null) return [{ type: machine, product, count: fixed ?? Number(match[1]) }];
  }
  return ATTACHED.filter(([, , , host]) => host === machine).map(([product, accelerator, count]) => ({
    type: `${machine}+${count}x${accelerator}`,
    product,
    count,
  }));
}

/** The name that machines ask for a GPU by: with the memory only where one model has two, and both are sold. */
function productOf({ model, vramGb }: Gpu): string {
  return model === "A100" ? `A100-${vramGb > 60 ? 80 : 40}GB` : model;
}

const sum = (a: Money | null, b: Money | null) => (a === null || b === null ? null : addMoney(a, b));

/** Puts machines and GPUs of one zone together once the file is read. */
export function gcpParts() {
  const machines: CatalogRow[] = [];
  const gpus = new Map<string, CatalogRow>();
  const keyOf = (zone: string, product: string, count: number) => `${zone}\u0000${product}\u0000${count}`;
  return {
    /** @returns whether the row is a part of something that has a GPU. */
    take(row: CatalogRow): boolean {
      if (row.type === "" && row.gpu !== null) {
        gpus.set(keyOf(row.zone, productOf(row.gpu), row.gpu.count), row);
        return true;
      }
      if (row.gpu !== null || hostsOf(row.type).length === 0) return false;
      machines.push(row);
      return true;
    },
    /** Everything that can be put together. A machine whose GPU has no price in its zone is not on offer there. */
    *whole(): Generator<CatalogRow> {
      for (const machine of machines)
        for (const { type, product, count } of hostsOf(machine.type)) {
          const gpu = gpus.get(keyOf(machine.zone, product, count));
          if (gpu === undefined || gpu.gpu === null) continue;
          const price = sum(machine.price, gpu.price);
          const spotPrice = sum(machine.spotPrice, gpu.spotPrice);
          if (price !== null || spotPrice !== null)
            yield { ...machine, type, gpu: { ...gpu.gpu, ...formOfType("gcp", type, gpu.gpu.model) }, price, spotPrice };
        }
    },
  };
}
