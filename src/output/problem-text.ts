import type { Problem } from "../model/problem.ts";
import { stripControl } from "../platform/terminal.ts";
import type { Painter } from "./view.ts";

/** For people, on stderr: what happened, why, and what to run next. */
export function problemText(problem: Problem, painter: Painter): string {
  const lines = [`${painter.red("error:")} ${indented(problem.message)}`];
  if (problem.hint !== undefined) lines.push(`  ${indented(problem.hint)}`);
  for (const [index, command] of problem.next.entries())
    lines.push(`${index === 0 ? painter.dim("  next: ") : "        "}${painter.cyan(stripControl(command))}`);
  return `${lines.join("\n")}\n`;
}

function indented(text: string): string {
  return stripControl(text).trim().replaceAll("\n", "\n  ");
}

/** For scripts, on stderr: one line of `spot.error/1`. */
export function problemJson(problem: Problem): string {
  const { code, message, hint, next, retryable } = problem;
  return `${JSON.stringify({
    schema: "spot.error/1",
    error: {
      code,
      message: stripControl(message),
      hint: hint === undefined ? null : stripControl(hint),
      next: next.map(stripControl),
      retryable,
    },
  })}\n`;
}
