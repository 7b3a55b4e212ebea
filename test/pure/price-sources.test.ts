import { expect, test } from "vitest";
import { ageText, type SourceOfPrices, sourcesText, sourceText } from "../../src/output/price-sources.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const NOW = Date.UTC(2026, 10, 22);

test.each([
  [-5_000, "0m"],
  [-301_000, "?"],
  [59_999, "0m"],
  [40 * 60_000, "40m"],
  [HOUR_MS, "1h"],
  [2 * DAY_MS - 1, "47h"],
  [2 * DAY_MS, "2d"],
  [60 * DAY_MS, "60d"],
  [61 * DAY_MS, "2mo"],
  [700 * DAY_MS, "22mo"],
  [731 * DAY_MS, "2y"],
])("%d ms are %s", (ms, text) => {
  expect(ageText(ms)).toBe(text);
});

test("every list gets stale after a week; what is live is not", () => {
  const of = (source: "live" | "catalog" | "bundled", days: number) => sourceText({ source, observedAt: NOW - days * DAY_MS }, NOW);
  expect(of("live", 30)).toBe("live");
  expect(of("catalog", 7)).toBe("catalog 7d");
  expect(of("catalog", 7.01)).toBe("catalog 7d stale");
  expect(of("catalog", -1)).toBe("catalog ? stale");
  expect(of("bundled", 6)).toBe("bundled 6d");
  expect(of("bundled", 400)).toBe("bundled 13mo stale");
});

test("what is said of lists: how many clouds, how old, and what brings newer prices", () => {
  const list = (source: SourceOfPrices["source"], days: number, offers = 3): SourceOfPrices => ({
    provider: `${source}-${days}`,
    source,
    observedAt: NOW - days * DAY_MS,
    offers,
  });
  expect(sourcesText([], NOW)).toBe("");
  // A list that has nothing that fits is not where a price comes from.
  expect(sourcesText([list("catalog", 3, 0)], NOW)).toBe("");
  expect(sourcesText([list("catalog", 3)], NOW)).toBe(
    "Not live: catalogues of one cloud (3d old); nobody was asked whether there is stock.",
  );
  expect(sourcesText([list("catalog", 3), list("catalog", 9), list("bundled", 100)], NOW)).toBe(
    "Not live: catalogues of 2 clouds (3d to 9d old) and the table that comes with spot for one cloud (3mo old); " +
      "nobody was asked whether there is stock. spot price sync fetches newer catalogues, spot provider login a cloud's own prices.",
  );
});
