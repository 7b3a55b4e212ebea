import { pbkdf2 } from "node:crypto";
import { join } from "node:path";
import { promisify } from "node:util";
import { readCached, sha256, writeCached } from "./caches.mjs";

const derive = promisify(pbkdf2);

/** What a compilation is made of, and the cache that each part lies in: as with torch.compile under vLLM. */
const PARTS = [
  { name: "graph", folder: (caches) => join(caches.vllm, "torch_compile_cache") },
  { name: "code", folder: (caches) => caches.inductor },
  { name: "kernels", folder: (caches) => caches.triton },
];
const ROUNDS = 12_000;

/**
 * The compiled model. The key of each part takes in all that it depends on, so whatever was compiled for another model,
 * another setting or another version is a miss, not a mistake.
 */
export async function compile(caches, { model, "compile-work": work }, weights, signal) {
  const key = sha256(JSON.stringify({ model, work, runtime: process.version }), sha256(weights))
    .toString("hex")
    .slice(0, 16);
  const compiled = [];
  const found = [];
  for (const { name, folder } of PARTS) {
    const file = join(folder(caches), key, `${name}.bin`);
    const cached = readCached(file);
    const body = cached ?? (await compilePart(`${key} ${name}`, work, signal));
    if (cached === undefined) writeCached(file, body);
    else found.push(name);
    compiled.push(body);
  }
  const made = PARTS.map(({ name }) => name).filter((name) => !found.includes(name));
  const how = [made.length > 0 && `compiled ${made.join(", ")}`, found.length > 0 && `found ${found.join(", ")}`]
    .filter(Boolean)
    .join("; ");
  return { result: Buffer.concat(compiled), how: `${how} (key ${key})` };
}

/** Takes long, and always comes to the same. */
async function compilePart(what, work, signal) {
  const pieces = [];
  for (let index = 0; index < work; index++) {
    signal.throwIfAborted();
    pieces.push(await derive(what, String(index), ROUNDS, 1024, "sha256"));
  }
  return Buffer.concat(pieces);
}
