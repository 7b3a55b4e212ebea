import { createHash } from "node:crypto";
import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, writeSync } from "node:fs";
import { homedir, tmpdir, userInfo } from "node:os";
import { dirname, join } from "node:path";

/**
 * Where the real ones keep what is slow to get again: the folders that the environment names, or else their own defaults.
 * An empty variable counts as none.
 */
export function openCaches(env) {
  const xdg = env.XDG_CACHE_HOME || join(homedir(), ".cache");
  return {
    huggingFace: env.HF_HOME || join(xdg, "huggingface"),
    vllm: env.VLLM_CACHE_ROOT || join(xdg, "vllm"),
    inductor: env.TORCHINDUCTOR_CACHE_DIR || join(tmpdir(), `torchinductor_${userInfo().username}`),
    triton: env.TRITON_CACHE_DIR || join(homedir(), ".triton", "cache"),
  };
}

/** The content of a cached file, or undefined when there is none or it is not what was put there: a miss, never an error. */
export function readCached(file) {
  let content;
  try {
    content = readFileSync(file);
  } catch {
    return undefined;
  }
  const body = content.subarray(32);
  return content.length > 32 && sha256(body).equals(content.subarray(0, 32)) ? body : undefined;
}

/** Whoever looks, after a kill as well, finds a whole file or none. */
export function writeCached(file, body) {
  writeByRename(file, [sha256(body), body]);
}

export function writeByRename(file, parts) {
  mkdirSync(dirname(file), { recursive: true });
  const temporary = `${file}.${process.pid}.tmp`;
  const handle = openSync(temporary, "w");
  try {
    for (const part of parts) for (let done = 0; done < part.length; ) done += writeSync(handle, part, done);
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
  renameSync(temporary, file);
}

export function sha256(...parts) {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest();
}
