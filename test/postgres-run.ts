import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { stopPostgres } from "./postgres-server.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** Where the one PostgreSQL of this run lies, once a test has asked for it. */
    readonly postgresFolder: string;
    /** The process that a run begins and ends with. */
    readonly runPid: number;
  }
}

/** Run once around all tests: a place for the server. It is started by the first test that wants it (`test/postgres.ts`). */
export function setup({ provide }: TestProject): () => Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "spot-pg-"));
  provide("postgresFolder", folder);
  provide("runPid", process.pid);
  return async () => {
    await stopPostgres(folder);
    rmSync(folder, { recursive: true, force: true });
  };
}
