import { defaultExclude, defineConfig } from "vitest/config";

/** What the AWS SDK has to say to whoever builds with it is not said at the start of every test's process. */
const QUIET = { AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: "true" };

/** Machines of their own under systemd take their time to boot. */
const BOOTED = "test/guest/real-*.test.ts";

/**
 * Where a run decides over a change, a test that failed beside three others gets a second chance, and the report says so. At
 * home it gets none, and no sweep ever does: what fails there once has found something.
 */
const AGAIN = process.env["CI"] === undefined ? 0 : 1;

const project = (
  name: string,
  include: readonly string[],
  testTimeout: number,
  more: { readonly env?: Record<string, string>; exclude?: string[] } = {},
) => ({
  test: {
    name,
    include: [...include],
    exclude: [...defaultExclude, ...(more.exclude ?? [])],
    testTimeout,
    hookTimeout: testTimeout,
    pool: "forks" as const,
    // A process for many files: to load what they test once more for each of them costs a third of all seconds.
    isolate: false,
    retry: name === "sweep" ? 0 : AGAIN,
    expect: { poll: { timeout: testTimeout / 2 } },
    env: { ...QUIET, ...more.env },
  },
});

export default defineConfig({
  test: {
    // Much of a test is waiting: for a process, a deadline, a slow server.
    maxWorkers: 6,
    globalSetup: ["test/postgres-run.ts"],
    projects: [
      // A limit for what hangs: on a computer with other work to do a test of seconds may take half a minute.
      project("fast", ["test/**/*.test.ts"], 60_000, { exclude: [BOOTED] }),
      // The agent's own tests once more, under every shell and with every program it can do with, and on booted machines.
      project("shells", ["test/guest/agent-*.test.ts", BOOTED], 60_000, { env: { SPOT_TEST_SHELLS: "all" } }),
      project("blackbox", ["test/blackbox/**/*.spec.ts"], 120_000),
      project("sweep", ["test/sweep/**/*.spec.ts"], 1_800_000),
    ],
  },
});
