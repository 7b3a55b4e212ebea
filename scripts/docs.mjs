// Writes docs/cli.md from the command tree of the built program; test/command/reference.test.ts fails when the page is stale.
import { writeFileSync } from "node:fs";
import { referenceMarkdown } from "../dist/reference.js";

writeFileSync(new URL("../docs/cli.md", import.meta.url), await referenceMarkdown());
