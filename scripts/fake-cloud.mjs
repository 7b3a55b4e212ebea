// Serves an imitation of a real cloud on this machine, with real machines where sshd is installed, until Ctrl-C:
//   node scripts/fake-cloud.mjs novita
// It prints the variables that point spot at it. For trying things by hand; the tests start their own.
import { spawn } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const clouds = fileURLToPath(new URL("../test/clouds", import.meta.url));
// Beside its sources, because it looks for its helpers there.
const bundle = join(clouds, `.bundle-serve-${process.pid}.mjs`);
await build({
  entryPoints: [join(clouds, "serve.ts")],
  outfile: bundle,
  bundle: true,
  platform: "node",
  format: "esm",
  packages: "external",
  logLevel: "warning",
});
const child = spawn(process.execPath, [bundle, ...process.argv.slice(2)], { stdio: "inherit" });
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => child.kill(signal));
child.on("close", (code) => {
  rmSync(bundle, { force: true });
  process.exitCode = code ?? 1;
});
