import { askedModel } from "./gpu-names.ts";

/** What a person asks for: `H100:1`. No model means any. */
export interface GpuQuery {
  /** In the one spelling of `askedModel`. */
  readonly model: string;
  readonly count: number;
}

/**
 * Reads `H100`, `h100:8`, `RTX 4090`, `4090`, `A100-80GB`.
 * @throws RangeError when it is not `MODEL[:COUNT]` with a count of 1 to 16.
 */
export function parseGpuQuery(text: string): GpuQuery {
  const match = /^([A-Za-z0-9][A-Za-z0-9 ._-]{0,39})(?::(\d{1,3}))?$/.exec(text.trim());
  const count = Number(match?.[2] ?? "1");
  if (match?.[1] === undefined || count < 1 || count > 16)
    throw new RangeError(`not a GPU: ${JSON.stringify(text)} (write MODEL or MODEL:COUNT, for example H100:1, with a count of 1 to 16)`);
  return { model: askedModel(match[1]), count };
}
