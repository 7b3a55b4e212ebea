#!/usr/bin/env node
// An inference server in the shape of vLLM: nothing of it is intelligent, and everything of its start is slow for a reason.
import { createServer } from "node:http";
import { parseArgs } from "node:util";
import { openCaches } from "./caches.mjs";
import { compile } from "./compile.mjs";
import { captureGraphs, createEngine } from "./engine.mjs";
import { markPhase } from "./phases.mjs";
import { loadWeights } from "./weights.mjs";

const HELP = `Serves completions by HTTP after a slow start, as an inference engine does: weights, compile, graphs, first token.
What can be kept is kept in caches, so that the next start is quick where they outlive the machine.

  --port N           where it listens (8000)
  --host H           on which address (127.0.0.1)
  --model NAME       another name, other weights and another compilation (toy-7b)
  --weights-mb N     how large the weights are (24)
  --download-mbps N  how fast they are downloaded when they are not there, in MB a second (8)
  --compile-work N   how much there is to compile (12)
  --graph-sizes LIST batch sizes to capture graphs for; never cached, so fewer are quicker (1,2,4,8)

Caches: HF_HOME, VLLM_CACHE_ROOT, TORCHINDUCTOR_CACHE_DIR, TRITON_CACHE_DIR; without them, as with the real ones, below
~/.cache and the temporary folder. SPOT_PHASES_FILE gets a line for each part of the start that is done.

GET /health   503 until it serves, then 200          GET /v1/models
POST /v1/completions {"prompt": "…", "max_tokens": 16, "seed": 0}
Exit codes: 0 stopped by SIGTERM or SIGINT · 1 failed · 2 usage
`;
const NUMBERS = {
  port: { default: 8000, least: 0 },
  "weights-mb": { default: 24, least: 1 },
  "download-mbps": { default: 8, least: 1 },
  "compile-work": { default: 12, least: 1 },
};
/** A prompt longer than this is no prompt. */
const LARGEST_BODY_BYTES = 1_000_000;

process.exitCode = await main();

async function main() {
  try {
    const options = readOptions();
    if (options === undefined) return 0;
    return await serve(options);
  } catch (error) {
    const isUsage = error.code?.startsWith("ERR_PARSE_ARGS") || error instanceof RangeError;
    console.error(`serve: ${error.message}${isUsage ? " (--help shows the options)" : ""}`);
    return isUsage ? 2 : 1;
  }
}

function readOptions() {
  const text = { type: "string" };
  const { values } = parseArgs({
    options: {
      ...Object.fromEntries(Object.keys(NUMBERS).map((name) => [name, text])),
      host: text,
      model: text,
      "graph-sizes": text,
      help: { type: "boolean", short: "h" },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return undefined;
  }
  const whole = (what, value, least) => {
    const number = Number(value);
    if (value !== "" && Number.isSafeInteger(number) && number >= least) return number;
    throw new RangeError(`${what} wants a whole number of at least ${least}, not ${JSON.stringify(value)}`);
  };
  const { model = "toy-7b" } = values;
  if (!/^[a-z0-9][a-z0-9.-]{0,60}$/.test(model))
    throw new RangeError(`--model wants letters, digits, dots and hyphens, not ${JSON.stringify(model)}`);
  return {
    ...Object.fromEntries(
      Object.entries(NUMBERS).map(([name, number]) => [name, whole(`--${name}`, values[name] ?? number.default, number.least)]),
    ),
    host: values.host ?? "127.0.0.1",
    model,
    graphSizes: (values["graph-sizes"] ?? "1,2,4,8").split(",").map((size) => whole("--graph-sizes", size, 1)),
  };
}

/** Listens at once, so that whoever asks hears 503 instead of nothing; then warms up. Resolves when a signal came. */
async function serve(options) {
  let engine;
  const server = createServer((request, response) => {
    answer(request, response, options, engine).catch((error) => reply(response, 400, { error: { message: error.message } }));
  });
  await new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port, options.host, resolve);
  });
  console.log(`listening on ${options.host}:${server.address().port}, not ready`);
  const stopped = new Promise((resolve) => {
    for (const signal of ["SIGTERM", "SIGINT"]) process.once(signal, () => resolve(signal));
  });
  const leaving = new AbortController();
  const warm = warmUp(options, leaving.signal).then((ready) => {
    engine = ready;
  });
  const why = await Promise.race([stopped, warm.then(() => stopped)]);
  leaving.abort();
  await warm.catch(() => undefined);
  console.log(`stopped: ${why}`);
  await new Promise((resolve) => {
    server.close(resolve);
    server.closeAllConnections();
  });
  return 0;
}

/** The slow start. Each part is told in the log, and to spot, when it is done. */
async function warmUp(options, signal) {
  const caches = openCaches(process.env);
  const began = performance.now();
  const part = async (phase, work) => {
    const start = performance.now();
    const { result, how } = await work();
    markPhase(process.env.SPOT_PHASES_FILE, phase);
    console.log(`${phase}: ${how}, ${seconds(start)}`);
    return result;
  };
  const weights = await part("weights", () => loadWeights(caches.huggingFace, options, signal));
  const kernels = await part("compile", () => compile(caches, options, weights, signal));
  const graphs = await part("graphs", () => captureGraphs(kernels, options.graphSizes, signal));
  const engine = createEngine(weights, kernels, graphs);
  await part("first-token", async () => ({ result: engine.complete("Hello", 1, 0), how: "served" }));
  console.log(`ready after ${seconds(began)}`);
  return engine;
}

function seconds(since) {
  return `${((performance.now() - since) / 1000).toFixed(2)} s`;
}

async function answer(request, response, { model }, engine) {
  const { pathname } = new URL(request.url, "http://localhost");
  const route = `${request.method} ${pathname}`;
  if (route === "GET /health") return reply(response, engine === undefined ? 503 : 200);
  if (route === "GET /v1/models") return reply(response, 200, { object: "list", data: [{ id: model, object: "model" }] });
  if (route !== "POST /v1/completions") return reply(response, 404, { error: { message: `there is no ${route}` } });
  if (engine === undefined) return reply(response, 503, { error: { message: "warming up" } });
  const { prompt, max_tokens: maxTokens = 16, seed = 0 } = JSON.parse(await bodyOf(request));
  if (typeof prompt !== "string") throw new Error("prompt wants a text");
  if (!Number.isSafeInteger(maxTokens) || maxTokens < 1 || maxTokens > 2048) throw new Error("max_tokens wants 1 to 2048");
  if (!Number.isSafeInteger(seed)) throw new Error("seed wants a whole number");
  const text = engine.complete(prompt, maxTokens, seed);
  return reply(response, 200, { object: "text_completion", model, choices: [{ index: 0, text, finish_reason: "length" }] });
}

async function bodyOf(request) {
  const parts = [];
  let size = 0;
  for await (const part of request) {
    size += part.length;
    if (size > LARGEST_BODY_BYTES) throw new Error("the request is too large");
    parts.push(part);
  }
  return Buffer.concat(parts).toString("utf8");
}

function reply(response, status, body) {
  if (response.headersSent) return response.destroy();
  response.writeHead(status, body === undefined ? {} : { "content-type": "application/json" });
  return response.end(body === undefined ? "" : `${JSON.stringify(body)}\n`);
}
