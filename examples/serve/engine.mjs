import { setImmediate } from "node:timers/promises";
import { sha256 } from "./caches.mjs";

const WORDS =
  "the a of to and in is it that for on as with was at by an be this from or are but not all can one has more when out so up said what its if about time".split(
    " ",
  );
const CAPTURE_ROUNDS = 10_000;

/** A graph for each batch size. They hold addresses of this very process, which is why nobody can cache them. */
export async function captureGraphs(kernels, sizes, signal) {
  const graphs = new Map();
  for (const size of sizes) {
    let state = sha256(kernels, String(size));
    for (let round = 0; round < CAPTURE_ROUNDS * size; round++) state = sha256(state);
    graphs.set(size, state);
    await setImmediate();
    signal.throwIfAborted();
  }
  return { result: graphs, how: `captured for batches of ${sizes.join(", ")}` };
}

/** Words that depend on the weights, what was compiled, the prompt and the seed, and on nothing else. */
export function createEngine(weights, kernels, graphs) {
  const model = sha256(sha256(weights), kernels, ...graphs.values());
  return {
    complete(prompt, maxTokens, seed) {
      let state = sha256(model, String(seed), prompt);
      const words = [];
      for (let token = 0; token < maxTokens; token++) {
        words.push(WORDS[state.readUInt32LE(0) % WORDS.length]);
        state = sha256(state);
      }
      return ` ${words.join(" ")}`;
    },
  };
}
