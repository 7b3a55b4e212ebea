import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { referenceMarkdown } from "../../src/reference.ts";

test("docs/cli.md says what the commands say; where it does not: npm run build && npm run docs", async () => {
  expect(readFileSync(new URL("../../docs/cli.md", import.meta.url), "utf8")).toBe(await referenceMarkdown());
});
