import { expect, test } from "vitest";
import { csvText } from "../../src/output/csv-text.ts";

test.each([
  ["plain", "plain"],
  ["a,b", '"a,b"'],
  ['say "yes"', '"say ""yes"""'],
  ["two\nlines", '"two\nlines"'],
  [null, ""],
  [-1.5, "-1.5"],
  ["-0.250000", "-0.250000"],
  // What a spreadsheet would run.
  ["=1+1", "'=1+1"],
  ["+1", "'+1"],
  ["-1+1", "'-1+1"],
  ["@SUM(A1)", "'@SUM(A1)"],
  ["=A1,B1", `"'=A1,B1"`],
])("the cell %j is written %j", (cell, text) => {
  expect(csvText(["name"], [[cell]])).toBe(`name\r\n${text}\r\n`);
});
