/** How a GPU is built into its machine; one model in two forms is two products. */
export const GPU_FORMS = ["SXM", "PCIe", "NVL"] as const;
export type GpuForm = (typeof GPU_FORMS)[number];

/** A GPU model and how many of them one instance carries. */
export interface Gpu {
  readonly model: string;
  readonly count: number;
  readonly vramGb: number;
  /** Only for a model that is made in several forms, and only where the provider says which. */
  readonly form?: GpuForm;
}

/** `H100 SXM×8`, `RTX4090`. */
export function gpuText({ model, form, count }: Pick<Gpu, "model" | "count" | "form">): string {
  const name = form === undefined ? model : `${model} ${form}`;
  return count === 1 ? name : `${name}×${count}`;
}
