import fc from "fast-check";
import { expect, test } from "vitest";
import { wrap } from "../../src/output/detail-view.ts";

test("a text is broken at its own line ends first, and only then for want of room", () => {
  expect(wrap("Together $0.32/hour.\nA checkpoint every 14m 5s, as ordered.", 24)).toEqual([
    "Together $0.32/hour.",
    "A checkpoint every 14m",
    "5s, as ordered.",
  ]);
});

test("no word is lost or broken, and a line is only wider than there is room when it is one word", () => {
  const word = fc.stringMatching(/^[a-z]{1,12}$/);
  fc.assert(
    fc.property(fc.array(fc.array(word, { minLength: 1 }), { minLength: 1 }), fc.integer({ min: 1, max: 40 }), (lines, width) => {
      const wrapped = wrap(lines.map((words) => words.join(" ")).join("\n"), width);
      expect(wrapped.flatMap((line) => line.split(" "))).toEqual(lines.flat());
      for (const line of wrapped) expect(line.length <= width || !line.includes(" ")).toBe(true);
    }),
  );
});
