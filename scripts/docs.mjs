// Writes docs/cli.md from the command tree of the built program; with --check, fails when the page is stale.
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { referenceMarkdown } from "../dist/reference.js";

const page = fileURLToPath(new URL("../docs/cli.md", import.meta.url));
const wanted = await referenceMarkdown();

if (!process.argv.includes("--check")) writeFileSync(page, wanted);
else if (readFileSync(page, "utf8") !== wanted) {
  console.error("docs/cli.md is stale; run: npm run build && npm run docs");
  process.exitCode = 1;
}
