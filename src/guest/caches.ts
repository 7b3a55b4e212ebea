/**
 * What frameworks read to find what they keep from one run to the next. Each is pointed at a folder of its own name below
 * `spot/cache` on the volume. Only such variables as the framework's own documents name; docs/sleep.md says where.
 */
export const CACHES: readonly string[] = [
  // torch.hub, llama.cpp, pip, and what comes after this list was written.
  "XDG_CACHE_HOME",
  // Weights: of Transformers, Diffusers, vLLM, SGLang and whatever else fetches from the Hub.
  "HF_HOME",
  "OLLAMA_MODELS",
  // What was compiled.
  "VLLM_CACHE_ROOT",
  "TORCHINDUCTOR_CACHE_DIR",
  "TRITON_CACHE_DIR",
  "JAX_COMPILATION_CACHE_DIR",
  "NUMBA_CACHE_DIR",
  "DG_JIT_CACHE_DIR",
  "CUDA_CACHE_PATH",
  "FLASHINFER_WORKSPACE_BASE",
];

/** As the agent is told: without what the workload's environment sets. What its image sets, only the machine knows. */
export function cacheWords(env: Readonly<Record<string, string>>): string {
  return CACHES.filter((name) => !Object.hasOwn(env, name)).join(" ");
}
