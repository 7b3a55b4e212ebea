import fc from "fast-check";
import { describe, test } from "vitest";
import { anyAdvisor, anyBytes, anyGpuInfo, statedOnly } from "../providers/price-fuzz.ts";

/** How many files of each kind are made. */
const RUNS = Number(process.env["SPOT_PRICE_FILES"] ?? "20000");
const SEED = Number(process.env["SPOT_SEED"] ?? String(Date.now() % 1_000_000));

describe(`${RUNS} files of prices (SPOT_SEED=${SEED})`, () => {
  const many = { numRuns: RUNS, seed: SEED };
  test("harmed in every way we know: no price is taken that its row did not state", () => fc.assert(statedOnly(), many));
  test("of any bytes end in prices or in a refusal", () => fc.assert(anyBytes(), many));
  test("say no memory that a GPU cannot have", () => fc.assert(anyGpuInfo(), many));
  test("of the advisor state what they state, or are refused", () => fc.assert(anyAdvisor(), many));
});
