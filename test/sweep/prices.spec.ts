import fc from "fast-check";
import { describe, test } from "vitest";
import { anyAdvisor, anyAwsOnDemand, anyAwsSpot } from "../providers/aws-fuzz.ts";
import { anyAlibaba, anyPpio, anyVerda } from "../providers/live-fuzz.ts";
import { marketOfTypes, sumsOfParts } from "../providers/parts-fuzz.ts";
import { anyBytes, anyGpuInfo, statedOnly } from "../providers/price-fuzz.ts";

/** How many files or answers of each kind are made. */
const RUNS = Number(process.env["SPOT_PRICE_FILES"] ?? "20000");
const SEED = Number(process.env["SPOT_SEED"] ?? String(Date.now() % 1_000_000));
const many = { numRuns: RUNS, seed: SEED };

describe(`${RUNS} files of prices (SPOT_SEED=${SEED})`, () => {
  test("harmed in every way we know: nothing is taken that one row did not state", () => fc.assert(statedOnly(), many));
  test("of any bytes end in prices or in a refusal", () => fc.assert(anyBytes(), many));
  test("say no memory that a GPU cannot have", () => fc.assert(anyGpuInfo(), many));
  test("of Google's cost the sum of their parts", () => fc.assert(sumsOfParts(), many));
  test("of a market name their GPUs by their types", () => fc.assert(marketOfTypes(), many));
  test("of the advisor state what they state, or are refused", () => fc.assert(anyAdvisor(), many));
});

describe(`${RUNS} answers of a live API (SPOT_SEED=${SEED}): no price that its own row does not state`, () => {
  test("of Verda", () => fc.assert(anyVerda(), many));
  test("of PPIO and Novita", () => fc.assert(anyPpio(), many));
  test("of Alibaba", () => fc.assert(anyAlibaba(), many));
  test("of AWS, on demand", () => fc.assert(anyAwsOnDemand(), many));
  // Each of them comes over HTTP and through the SDK.
  test("of AWS, on spot: a tenth of them", () => anyAwsSpot({ ...many, numRuns: Math.ceil(RUNS / 10) }));
});
