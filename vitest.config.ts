import { defineConfig } from "vitest/config";

const project = (name: string, include: readonly string[], testTimeout: number) => ({
  test: { name, include: [...include], testTimeout, hookTimeout: testTimeout, pool: "forks" as const },
});

export default defineConfig({
  test: {
    maxWorkers: 2,
    projects: [
      project("fast", ["test/**/*.test.ts"], 30_000),
      project("blackbox", ["test/blackbox/**/*.spec.ts"], 120_000),
      project("sweep", ["test/sweep/**/*.spec.ts"], 1_800_000),
    ],
  },
});
