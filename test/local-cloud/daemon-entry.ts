// The daemon as a program of its own, as `spot local serve` runs it, for tests that kill it.
import { startLocalCloud } from "../../src/local-cloud/cloud.ts";
import { cloudOptions } from "./running-cloud.ts";

const home = process.env["SPOT_HOME"] ?? "";
try {
  const cloud = await startLocalCloud(cloudOptions(home));
  process.stdout.write(cloud === undefined ? "another one serves\n" : "serving\n");
  await cloud?.stopped;
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
