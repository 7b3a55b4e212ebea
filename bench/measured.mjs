// What the benches share: a cloud in a process of its own, and runs of the built program that say what they used.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = fileURLToPath(new URL("..", import.meta.url));
const program = join(root, "bin", "spot");

/**
 * Bundles the cloud of a bench (`bench/<entry>.ts`) for a process of its own, and makes a folder.
 * @returns `cloudFile` to fork, `folder` for what the bench needs, `run`, and `clear`.
 */
export async function measured(entry) {
  const folder = mkdtempSync(join(tmpdir(), "spot-bench-"));
  // Below dist/, so that the packages it leaves out are found from there.
  const cloudFile = join(root, "dist", `bench-${entry}-${process.pid}.mjs`);
  const usageFile = join(folder, "usage.cjs");
  await build({
    absWorkingDir: root,
    entryPoints: [`bench/${entry}.ts`],
    outfile: cloudFile,
    bundle: true,
    format: "esm",
    platform: "node",
    target: "node20.19",
    external: ["libsql", "@aws-sdk/*", "google-auth-library"],
    banner: { js: 'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);' },
  });
  // The program says at its end what it used.
  writeFileSync(
    usageFile,
    `process.on("exit", () => { if (process.env.BENCH_USAGE) require("fs").writeFileSync(process.env.BENCH_USAGE, JSON.stringify(process.resourceUsage())); });`,
  );
  return {
    cloudFile,
    folder,
    /** Runs `spot ARGV`, which must end with the exit code `ends`. Seconds, seconds of the processor, and peak memory in MB. */
    async run(argv, env, ends) {
      const used = join(folder, "used.json");
      const began = performance.now();
      const child = spawn(process.execPath, ["--require", usageFile, program, ...argv], {
        env: { ...process.env, ...env, BENCH_USAGE: used, NO_COLOR: "1" },
        stdio: ["ignore", "ignore", "pipe"],
      });
      let said = "";
      child.stderr.setEncoding("utf8").on("data", (text) => {
        said += text;
      });
      const [code] = await once(child, "close");
      const seconds = (performance.now() - began) / 1000;
      if (code !== ends) throw new Error(`spot ${argv.join(" ")} ended with ${code}: ${said}`);
      const usage = JSON.parse(readFileSync(used, "utf8"));
      return { seconds, cpu: (usage.userCPUTime + usage.systemCPUTime) / 1e6, memory: usage.maxRSS / 1024, said };
    },
    clear() {
      rmSync(folder, { recursive: true, force: true });
      rmSync(cloudFile, { force: true });
    },
  };
}
