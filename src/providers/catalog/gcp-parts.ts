import { formOfType } from "../../model/gpu-of-type.ts";
import { addMoney, type Money } from "../../model/money.ts";
import type { CatalogRow } from "./row.ts";

/**
 * Google sells machine and GPU apart, and so they stand in the catalogue: a machine's row names no GPU, a GPU's row no machine,
 * and what can be rented costs both. Which GPUs a family brings (cloud.google.com/compute/docs/gpus):
 */
const FAMILIES: readonly (readonly [family: RegExp, accelerator: string, count: number | null])[] = [
  [/^a2-(?:highgpu|megagpu)-(\d+)g$/, "A100", null],
  [/^a2-ultragpu-(\d+)g$/, "A100-80GB", null],
  [/^a3-(?:highgpu|edgegpu)-(\d+)g(?:-nolssd)?$/, "H100", null],
  // The same GPU at a price of its own, because its machines have another network.
  [/^a3-megagpu-(\d+)g$/, "H100-MEGA", null],
  [/^a3-ultragpu-(\d+)g$/, "H200", null],
  [/^a4-highgpu-(\d+)g$/, "B200", null],
  [/^g2-standard-(?:4|8|12|16|32)$/, "L4", 1],
  [/^g2-standard-24$/, "L4", 2],
  [/^g2-standard-48$/, "L4", 4],
  [/^g2-standard-96$/, "L4", 8],
];

/** GPUs that are attached to N1 machines, by the catalogue's name and by Google's: sizes that Google's limits of cores for each GPU allow for certain. */
const ATTACHED: readonly (readonly [accelerator: string, attached: string, count: number, machine: string])[] = [
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
  /** As the catalogue names the GPU. */
  readonly accelerator: string;
  readonly count: number;
  /** Whether the machine cannot be had without the GPU. */
  readonly bringsIt: boolean;
}

function hostsOf(machine: string): readonly Host[] {
  for (const [family, accelerator, fixed] of FAMILIES) {
    const match = family.exec(machine);
    if (match !== null) return [{ type: machine, accelerator, count: fixed ?? Number(match[1]), bringsIt: true }];
  }
  return ATTACHED.filter(([, , , host]) => host === machine).map(([accelerator, attached, count]) => ({
    type: `${machine}+${count}x${attached}`,
    accelerator,
    count,
    bringsIt: false,
  }));
}

/**
 * `two prices`: of one GPU in one zone, so that neither is taken. `no machine for it`: a GPU that is priced where no machine that
 * takes it is.
 */
export type PartRefusal = "two prices" | "no machine for it";

const sum = (a: Money | null, b: Money | null) => (a === null || b === null ? null : addMoney(a, b));
const isSame = (a: Money | null, b: Money | null) => a?.micros === b?.micros;

/** Puts machines and GPUs of one zone together once the file is read. `refuse` counts what is left out. */
export function gcpParts(refuse: (why: PartRefusal | "no price") => void) {
  const machines: CatalogRow[] = [];
  /** Null where two prices were said. */
  const gpus = new Map<string, CatalogRow | null>();
  const keyOf = (zone: string, accelerator: string, count: number) => `${zone}\u0000${accelerator}\u0000${count}`;
  return {
    /** TPUs and machines that take no GPU are passed over. */
    isWanted: (type: string, accelerator: string) => (accelerator === "" ? hostsOf(type).length > 0 : !/^tpu/i.test(accelerator)),
    /** @returns whether the row, which is wanted, is a part of something. */
    take(row: CatalogRow): boolean {
      if (row.gpu === null) machines.push(row);
      else if (row.type === "") {
        const key = keyOf(row.zone, row.accelerator, row.gpu.count);
        const known = gpus.get(key);
        if (known === undefined) gpus.set(key, row);
        else if (known === null || !isSame(known.price, row.price) || !isSame(known.spotPrice, row.spotPrice)) {
          gpus.set(key, null);
          refuse("two prices");
        }
      }
      return row.type === "" || row.gpu === null;
    },
    /** Everything that can be put together. A machine whose GPU has no price in its zone is not on offer there. */
    *whole(): Generator<CatalogRow> {
      const used = new Set<string>();
      for (const machine of machines)
        for (const { type, accelerator, count, bringsIt } of hostsOf(machine.type)) {
          const key = keyOf(machine.zone, accelerator, count);
          used.add(key);
          const part = gpus.get(key);
          if (part === undefined && bringsIt) refuse("no price");
          const gpu = part?.gpu ?? null;
          if (part == null || gpu === null) continue;
          const price = sum(machine.price, part.price);
          const spotPrice = sum(machine.spotPrice, part.spotPrice);
          if (price === null && spotPrice === null) refuse("no price");
          else yield { ...machine, type, accelerator, gpu: { ...gpu, ...formOfType("gcp", type, gpu.model) }, price, spotPrice };
        }
      for (const key of gpus.keys()) if (!used.has(key)) refuse("no machine for it");
    },
  };
}
