import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import { expect, onTestFinished, test } from "vitest";
import { eventually } from "../../conformance/bench.ts";
import { motoAvailable } from "./moto.ts";

const ENTRY =
  'import { leaseAccount } from "./moto.ts"; leaseAccount().then(({ url }) => process.stdout.write(url)); setInterval(() => {}, 1000);';

test.skipIf(!motoAvailable())("moto ends with the process that started it, even one that is killed", async () => {
  const folder = mkdtempSync(join(tmpdir(), "spot-moto-test-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const outfile = join(folder, "leases.cjs");
  await build({
    stdin: { contents: ENTRY, resolveDir: import.meta.dirname },
    outfile,
    bundle: true,
    platform: "node",
    format: "cjs",
    logLevel: "error",
  });
  const child = spawn(process.execPath, [outfile], { stdio: ["ignore", "pipe", "inherit"] });
  onTestFinished(() => void child.kill("SIGKILL"));
  const [said] = (await once(child.stdout, "data")) as [Buffer];
  const url = said.toString("utf8");
  const answers = () =>
    fetch(url).then(
      () => true,
      () => false,
    );
  expect(await answers()).toBe(true);
  child.kill("SIGKILL");
  await eventually(async () => ((await answers()) ? undefined : true), "moto to be gone");
});
