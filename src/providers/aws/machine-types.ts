import { DescribeInstanceTypesCommand, type InstanceTypeInfo } from "@aws-sdk/client-ec2";
import * as v from "valibot";
import { GPU_FORMS } from "../../model/gpu.ts";
import { gpuFromName } from "../../model/gpu-names.ts";
import { formOfType } from "../../model/gpu-of-type.ts";
import type { KeptAnswers } from "../kept-answers.ts";
import type { CallContext } from "../provider.ts";
import type { Api } from "./api.ts";
import { everyPage } from "./pages.ts";

/** A type with whole GPUs, as a region has it. */
const typeSchema = v.object({
  type: v.string(),
  gpu: v.object({ model: v.string(), count: v.number(), vramGb: v.number(), form: v.exactOptional(v.picklist(GPU_FORMS)) }),
  vcpus: v.number(),
  memoryGb: v.number(),
  arm: v.boolean(),
  spot: v.boolean(),
  onDemand: v.boolean(),
});
export type MachineType = v.InferOutput<typeof typeSchema>;

export interface MachineTypes {
  of(region: string, context: CallContext): Promise<readonly MachineType[]>;
}

const DAY_MS = 86_400_000;
/** There is no filter for GPUs. All types with one begin with these letters: graphics, parallel, deep learning. */
const FAMILIES = ["g*", "p*", "dl*"];
/** The most that is documented for this action. */
const PER_PAGE = 100;

/**
 * Null for a type without a whole GPU of its own (g6f and gr6f have a part of one, and say that they have 0), and for those of
 * the old kind, whose disks tell no serial number: their volumes could not be found inside.
 */
function machineType(info: InstanceTypeInfo): MachineType | null {
  const gpus = info.GpuInfo?.Gpus ?? [];
  const count = gpus.reduce((sum, gpu) => sum + (gpu.Count ?? 0), 0);
  const [first] = gpus;
  if (info.Hypervisor === "xen") return null;
  if (info.InstanceType === undefined || first === undefined || !Number.isInteger(count) || count < 1) return null;
  const { vramGb, ...named } = gpuFromName(first.Name ?? "");
  const reported = Math.round((first.MemoryInfo?.SizeInMiB ?? 0) / 1024);
  const classes = info.SupportedUsageClasses ?? [];
  return {
    type: info.InstanceType,
    gpu: { ...named, ...formOfType("aws", info.InstanceType, named.model), count, vramGb: vramGb ?? reported },
    vcpus: info.VCpuInfo?.DefaultVCpus ?? 0,
    memoryGb: Math.round((info.MemoryInfo?.SizeInMiB ?? 0) / 1024),
    arm: (info.ProcessorInfo?.SupportedArchitectures ?? []).includes("arm64"),
    spot: classes.includes("spot"),
    onDemand: classes.includes("on-demand"),
  };
}

/** What a region has changes rarely: kept for a day, and for a week when nobody answers. */
export function machineTypes(api: Api, kept: KeptAnswers): MachineTypes {
  const ask = async (region: string, context: CallContext) => {
    const Filters = [{ Name: "instance-type", Values: FAMILIES }];
    const infos = await everyPage(
      "instance types",
      (token) =>
        api.ask(region, context, (ec2, options) =>
          ec2.send(new DescribeInstanceTypesCommand({ Filters, MaxResults: PER_PAGE, ...token }), options),
        ),
      (page) => page.InstanceTypes,
    );
    return infos.map(machineType).filter((type): type is MachineType => type !== null);
  };
  return {
    async of(region, context) {
      const age = { maxAgeMs: DAY_MS, staleMs: 7 * DAY_MS };
      return (await kept.recent(`types-${region}`, v.array(typeSchema), age, () => ask(region, context))).value;
    },
  };
}
