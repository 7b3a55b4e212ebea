import { execFile } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import { onTestFinished } from "vitest";
import { PACKAGE_ROOT, temporaryFolder } from "../world.ts";

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs a few lines of TypeScript as a program of its own, bundled as `bin/spot` is: what a process does by itself (which
 * certificates it trusts, whether it ends) cannot be seen from within a test. `source` imports from `../src/…`.
 */
export async function runProgram(source: string, env: Readonly<Record<string, string>>): Promise<Ended> {
  const file = join(temporaryFolder("spot-program-"), "program.mjs");
  const entry = join(PACKAGE_ROOT, "test", `.bundle-${process.pid}-${Date.now()}.ts`);
  onTestFinished(() => rmSync(entry, { force: true }));
  writeFileSync(entry, source);
  await build({
    entryPoints: [entry],
    outfile: file,
    bundle: true,
    format: "esm",
    platform: "node",
    target: "node20.19",
    banner: { js: 'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);' },
    logLevel: "error",
  });
  return new Promise((resolve) => {
    execFile(process.execPath, [file], { env: { PATH: process.env["PATH"] ?? "", ...env }, timeout: 20_000 }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : typeof error.code === "number" ? error.code : null, stdout, stderr }),
    );
  });
}
