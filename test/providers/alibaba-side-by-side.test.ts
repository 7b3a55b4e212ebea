import { expect, test } from "vitest";
import { allOrNone, turns, whatCouldBeHad } from "../../src/providers/alibaba/side-by-side.ts";
import { context } from "./alibaba-bench.ts";

const NUMBERS = Array.from({ length: 30 }, (_, index) => index);
const nextTurn = () => new Promise<void>((resolve) => setImmediate(resolve));

test("never more than so many at once, in the order in which they came, failures among them", async () => {
  const turn = turns(8);
  let open = 0;
  let most = 0;
  const order: number[] = [];
  const all = NUMBERS.map((number) =>
    turn(async () => {
      order.push(number);
      open += 1;
      most = Math.max(most, open);
      await nextTurn();
      open -= 1;
      if (number % 3 === 0) throw new Error("no");
      return number;
    }).catch(() => -1),
  );
  expect((await Promise.all(all)).filter((result) => result === -1)).toHaveLength(10);
  expect([most, open]).toEqual([8, 0]);
  expect(order).toEqual(NUMBERS);
});

test("all or none: the first failure ends the others, and is the one that is thrown", async () => {
  const stopped: number[] = [];
  const work = async (number: number, { signal }: { readonly signal: AbortSignal }) => {
    if (number === 3) throw new Error("region 3");
    await new Promise<void>((_, reject) =>
      signal.addEventListener("abort", () => {
        stopped.push(number);
        reject(new Error(`stopped ${number}`));
      }),
    );
    return number;
  };
  await expect(allOrNone([1, 2, 3, 4], context, work)).rejects.toThrow("region 3");
  expect(stopped.toSorted()).toEqual([1, 2, 4]);
  expect(await allOrNone(NUMBERS, context, async (number) => number * 2)).toEqual(NUMBERS.map((number) => number * 2));
});

test("what could be had: what failed is left out, unless all of it did, or nobody waits any more", async () => {
  const odd = async (number: number) => {
    if (number % 2 === 0) throw new Error(`no ${number}`);
    return number;
  };
  expect(await whatCouldBeHad([1, 2, 3], context, odd)).toEqual([1, 3]);
  expect(await whatCouldBeHad([], context, odd)).toEqual([]);
  await expect(whatCouldBeHad([2, 4], context, odd)).rejects.toThrow("no 2");
  await expect(whatCouldBeHad([1, 2, 3], { signal: AbortSignal.abort() }, odd)).rejects.toThrow("no 2");
});
