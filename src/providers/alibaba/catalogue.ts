import * as v from "valibot";
import { GPU_FORMS } from "../../model/gpu.ts";
import { gpuFromName } from "../../model/gpu-names.ts";
import type { KeptAnswers } from "../kept-answers.ts";
import type { CallContext, OfferQuery } from "../provider.ts";
import type { Ecs } from "./client.ts";
import { wholeList } from "./pages.ts";
import { typeList } from "./wire.ts";

/** What a type of machine has. Memory in GB. */
const machineType = v.object({
  id: v.string(),
  model: v.string(),
  form: v.exactOptional(v.picklist(GPU_FORMS)),
  gpus: v.number(),
  vramGb: v.number(),
  vcpus: v.number(),
  memoryGb: v.number(),
});
export type MachineType = v.InferOutput<typeof machineType>;

const A_DAY_MS = 24 * 60 * 60 * 1000;
/** Hardware does not change; new types come a few times a year. */
const AGE = { maxAgeMs: A_DAY_MS, staleMs: 30 * A_DAY_MS };
const MOST_PER_PAGE = 1600;

/**
 * A part of a GPU, as vGPU: the families `vgn…` and `sgn…`. Their count says 1 (or nothing), so they would look like a whole one.
 */
function isPartOfGpu(id: string, spec: string): boolean {
  return /^ecs\.(vgn|sgn)/.test(id) || spec.includes("/");
}

/** Every type with whole GPUs. */
export async function gpuTypes(ecs: Ecs, kept: KeptAnswers, context: CallContext): Promise<readonly MachineType[]> {
  const ask = async () => {
    const parameters = { MinimumGPUAmount: 1, MaxResults: MOST_PER_PAGE };
    const call = { region: null, action: "DescribeInstanceTypes", parameters, answer: typeList };
    const rows = await wholeList(
      ecs,
      call,
      { rows: (page) => page.InstanceTypes.InstanceType, idOf: (row) => row.InstanceTypeId },
      context,
    );
    return rows
      .filter(({ InstanceTypeId, GPUAmount, GPUSpec }) => GPUAmount >= 1 && GPUSpec !== "" && !isPartOfGpu(InstanceTypeId, GPUSpec))
      .map((row): MachineType => {
        const { vramGb, ...named } = gpuFromName(row.GPUSpec);
        return {
          id: row.InstanceTypeId,
          ...named,
          gpus: row.GPUAmount,
          vramGb: row.GPUMemorySize > 0 ? Math.round(row.GPUMemorySize) : (vramGb ?? 0),
          vcpus: row.CpuCoreCount,
          memoryGb: row.MemorySize,
        };
      });
  };
  return (await kept.recent("instance-types", v.array(machineType), AGE, ask)).value;
}

export function isAskedFor(type: MachineType, { gpuModel, gpuCount }: OfferQuery): boolean {
  return (gpuModel === undefined || type.model === gpuModel.toUpperCase()) && (gpuCount === undefined || type.gpus === gpuCount);
}
