import { defineConfig } from "vitest/config";

/** What the AWS SDK has to say to whoever builds with it is not said at the start of every test's process. */
const QUIET = { AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: "true" };

const project = (name: string, include: readonly string[], testTimeout: number, env: Readonly<Record<string, string>> = {}) => ({
  test: { name, include: [...include], testTimeout, hookTimeout: testTimeout, pool: "forks" as const, env: { ...QUIET, ...env } },
});

export default defineConfig({
  test: {
    // Much of a test is waiting: for a process, a deadline, a slow server.
    maxWorkers: 3,
    projects: [
      project("fast", ["test/**/*.test.ts"], 30_000),
      // The agent's own tests once more, under every shell and with every program it can do with.
      project("shells", ["test/guest/agent-*.test.ts"], 30_000, { SPOT_TEST_SHELLS: "all" }),
      project("blackbox", ["test/blackbox/**/*.spec.ts"], 120_000),
      project("sweep", ["test/sweep/**/*.spec.ts"], 1_800_000),
    ],
  },
});
