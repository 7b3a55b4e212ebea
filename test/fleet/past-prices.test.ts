import { expect, test } from "vitest";
import { recallPrices } from "../../src/fleet/prices/past-prices.ts";
import type { RememberedPrice } from "../../src/model/listed-price.ts";
import { ProviderError } from "../../src/providers/errors.ts";
import type { PriceHistoryOperations, Provider } from "../../src/providers/provider.ts";
import { openPriceBook } from "../../src/state/price-book/open.ts";
import { temporaryFolder } from "../world.ts";

/** Only what is asked for here. */
const providerOf = (id: string, read?: PriceHistoryOperations["read"]) =>
  ({ id, ...(read === undefined ? {} : { priceHistory: { keptMs: 1_000, read } }) }) as unknown as Provider;

const remembered = (index: number): RememberedPrice => ({
  price: {
    ...{ provider: "aws", region: "r", zone: `z${index}`, type: "t", gpu: { model: "T4", count: 1, vramGb: 16 }, vcpus: 4, memoryGb: 16 },
    ...{ billing: "spot", price: { micros: BigInt(index + 1), currency: "USD" }, onDemandPrice: null },
  },
  from: 10,
  to: 20,
});

test("whoever remembers is asked, all of it is kept, and who fails is named", async () => {
  const book = await openPriceBook(temporaryFolder());
  const many = Array.from({ length: 9_001 }, (_, index) => remembered(index));
  const providers = [
    providerOf("forgetful"),
    providerOf("aws", async () => many),
    providerOf("shut", async () => {
      throw new ProviderError("shut", { kind: "auth" }, "not with this key");
    }),
    providerOf("slow", (_query, { signal }) => new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)))),
  ];
  const { told, failures } = await recallPrices(book, providers, { since: 0 }, new AbortController().signal, 50);
  expect(told).toEqual([{ provider: "aws", prices: 9_001 }]);
  expect(failures.map(({ provider, why }) => [provider, why])).toEqual([
    ["shut", "not with this key"],
    ["slow", "no answer within 0.05 s"],
  ]);
  expect(await book.seriesCount({})).toBe(9_001);
  expect((await book.history({ place: "z9000" }, 0))[0]).toMatchObject({ source: "live", runs: [{ from: 10, to: 20, micros: 9_001n }] });
  book.close();
});

test("Ctrl-C ends it", async () => {
  const book = await openPriceBook(temporaryFolder());
  const stop = new AbortController();
  const asked = recallPrices(
    book,
    [providerOf("slow", (_query, { signal }) => new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason))))],
    { since: 0 },
    stop.signal,
  );
  stop.abort("SIGINT");
  await expect(asked).rejects.toBe("SIGINT");
  book.close();
});
