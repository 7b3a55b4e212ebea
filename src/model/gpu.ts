/** A GPU model and how many of them one instance carries. */
export interface Gpu {
  readonly model: string;
  readonly count: number;
  readonly vramGb: number;
}

export function gpuText(gpu: Pick<Gpu, "model" | "count">): string {
  return gpu.count === 1 ? gpu.model : `${gpu.model}×${gpu.count}`;
}
