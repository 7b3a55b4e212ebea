// Time, chance and the process are parameters: they may be touched only in src/platform, src/main.ts and src/world.ts.
// The linter bans the globals; this finds what it cannot tell apart from harmless uses.
import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const ALLOWED = /^(?:platform\/|main\.ts$|world\.ts$)/;
const BANNED = [
  [/\bDate\.now\s*\(/, "Date.now()"],
  [/\bnew Date\(\s*\)/, "new Date()"],
  [/\bMath\.random\s*\(/, "Math.random()"],
  [/\bperformance\.now\s*\(/, "performance.now()"],
  [/from "node:timers/, "node:timers"],
  [/from "node:process"/, "node:process"],
];

const found = [];
const folder = join(root, "src");
for (const name of readdirSync(folder, { recursive: true })) {
  if (!name.endsWith(".ts") || ALLOWED.test(name.replaceAll("\\", "/"))) continue;
  for (const [index, line] of readFileSync(join(folder, name), "utf8").split("\n").entries()) {
    if (/^\s*(?:\/\/|\*|\/\*)/.test(line)) continue;
    for (const [pattern, what] of BANNED)
      if (pattern.test(line)) found.push(`${relative(root, join(folder, name))}:${index + 1}: ${what} outside src/platform`);
  }
}
if (found.length > 0) {
  console.error(found.join("\n"));
  process.exitCode = 1;
}
