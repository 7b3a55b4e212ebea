import type { GpuForm } from "./gpu.ts";
import { isInForms } from "./gpu-names.ts";

/**
 * Families of machines whose GPUs stand in one form, though no list says it: those with NVSwitch or NVLink between all of their
 * GPUs carry SXM modules (aws.amazon.com/ec2/instance-types/p3, p4, p5; cloud.google.com/compute/docs/gpus;
 * learn.microsoft.com/azure/virtual-machines/sizes/gpu-accelerated: NC A100 v4 and NCads H100 v5 have PCIe and NVL cards).
 */
const FAMILIES: Readonly<Record<string, readonly (readonly [RegExp, GpuForm])[]>> = {
  aws: [[/^p[345]/, "SXM"]],
  // Also by the name of the accelerator: these come in the families a2 and a3 only.
  gcp: [[/^(a[23]-|nvidia-(tesla-)?(a100|h100|h200)-?)/, "SXM"]],
  azure: [
    [/^Standard_ND/, "SXM"],
    [/^Standard_NC\d+ads_A100_v4$/, "PCIe"],
    [/^Standard_NCC?\d+adi?s_H100_v5$/, "NVL"],
  ],
};

const WORD = /(?:^|[^a-z])(sxm\d?|pcie|nvl)(?![a-z])/i;

/**
 * The form of a model in machines of a type, from the type's name (`1x-H100_NVL-32-65536`, `lambdalabs_H100-sxm5x8`) or its
 * family; nothing where neither says, and for models that are made in one form only.
 */
export function formOfType(provider: string, type: string, model: string): { readonly form?: GpuForm } {
  if (!isInForms(model)) return {};
  const word = WORD.exec(type)?.[1]?.toLowerCase();
  if (word !== undefined) return { form: word.startsWith("sxm") ? "SXM" : word === "nvl" ? "NVL" : "PCIe" };
  const form = FAMILIES[provider]?.find(([family]) => family.test(type))?.[1];
  return form === undefined ? {} : { form };
}
