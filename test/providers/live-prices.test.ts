import fc from "fast-check";
import { describe, test } from "vitest";
import { anyAdvisor, anyAwsOnDemand, anyAwsSpot } from "./aws-fuzz.ts";
import { anyAlibaba, anyPpio, anyVerda } from "./live-fuzz.ts";

/** How many answers of each kind; the sweep (test/sweep/prices.spec.ts) makes many more. */
const RUNS = { numRuns: 60 };

describe("whatever stands in an answer, a live price is what its own row states", () => {
  test("of Verda", () => fc.assert(anyVerda(), RUNS));
  test("of PPIO and Novita", () => fc.assert(anyPpio(), RUNS));
  test("of Alibaba", () => fc.assert(anyAlibaba(), RUNS));
  test("of AWS, on spot", () => anyAwsSpot(RUNS));
  test("of AWS, on demand", () => fc.assert(anyAwsOnDemand(), RUNS));
  test("and so are the shares of AWS's advisor", () => fc.assert(anyAdvisor(), RUNS));
});
