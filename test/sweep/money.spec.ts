import { test } from "vitest";
import { holdSums, moneyCase } from "../pricing/sums.ts";

const INTERVALS = Number(process.env["SPOT_MONEY_INTERVALS"] ?? "1000000");
const SEED = Number(process.env["SPOT_MONEY_SEED"] ?? "1");
const AT_ONCE = 400;

test(`${INTERVALS} intervals add up to the micro-unit, however they are grouped and cut`, () => {
  const cases = Math.ceil(INTERVALS / AT_ONCE);
  for (let index = 0; index < cases; index++) {
    const seed = SEED * 1_000_003 + index;
    try {
      holdSums(moneyCase(seed, AT_ONCE));
    } catch (error) {
      throw new Error(`seed ${seed}, ${AT_ONCE} intervals`, { cause: error });
    }
  }
  process.stdout.write(`  ${cases * AT_ONCE} intervals in ${cases} ledgers, from seed ${SEED}\n`);
}, 7_200_000);
