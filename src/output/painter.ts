import type { OutputStream } from "../platform/terminal.ts";
import type { Painter } from "./view.ts";

const same = (text: string) => text;

/** Paints nothing. */
export const plainPainter: Painter = { bold: same, dim: same, red: same, green: same, yellow: same, cyan: same };

/** Whether this very stream gets colours: `NO_COLOR`, `FORCE_COLOR` and `TERM=dumb` are obeyed, in this order. */
export function wantsColor(stream: OutputStream, env: Readonly<Record<string, string | undefined>>, allowed: boolean): boolean {
  if (!allowed || (env["NO_COLOR"] ?? "") !== "") return false;
  const forced = env["FORCE_COLOR"];
  if (forced !== undefined) return forced !== "0" && forced !== "false";
  return stream.isTTY && env["TERM"] !== "dumb";
}

/** A painter for one stream, at an explicit level: chalk's own guess looks at stdout only. chalk is loaded only to paint. */
export async function painterFor(
  stream: OutputStream,
  env: Readonly<Record<string, string | undefined>>,
  allowed: boolean,
): Promise<Painter> {
  if (!wantsColor(stream, env, allowed)) return plainPainter;
  const { Chalk } = await import("chalk");
  const chalk = new Chalk({ level: 1 });
  return {
    bold: (text) => chalk.bold(text),
    dim: (text) => chalk.dim(text),
    red: (text) => chalk.red(text),
    green: (text) => chalk.green(text),
    yellow: (text) => chalk.yellow(text),
    cyan: (text) => chalk.cyan(text),
  };
}
