import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { loadFleetFile } from "../../src/fleet/spec/fleet-file.ts";
import { MACHINE_TYPES } from "../../src/local-cloud/market.ts";
import { knownProviders } from "../../src/providers/registry.ts";
import type { InstanceSpec } from "../../src/state/records.ts";

interface Example {
  readonly name: string;
  /** The program that its command names. */
  readonly program: string;
  readonly spec: Partial<InstanceSpec>;
}

const EXAMPLES: Readonly<Record<string, Example>> = {
  train: {
    name: "iris",
    program: "train.mjs",
    spec: { command: expect.arrayContaining(["node", "train.mjs"]), checkpointEveryMs: 30_000, onReclaim: "replace" },
  },
  pytorch: {
    name: "digits",
    program: "train.py",
    spec: { command: ["/bin/sh", "-c", 'exec "$PYTHON" train.py $OPTIONS'], checkpointEveryMs: 30_000, onReclaim: "replace" },
  },
  serve: {
    name: "toy",
    program: "server.mjs",
    spec: { command: expect.arrayContaining(["node", "server.mjs"]), readyHttp: ":8000/health", onReclaim: "hibernate" },
  },
};

test.each(Object.keys(EXAMPLES))(
  "the fleet file of examples/%s is valid, its program is there, and the embedded cloud offers its GPU",
  async (folder) => {
    const { name, program, spec: expected } = EXAMPLES[folder] as Example;
    const file = fileURLToPath(new URL(`../../examples/${folder}/spot.yaml`, import.meta.url));
    const { fleet, specs } = await loadFleetFile("spot.yaml", file, { providers: ["local"], knownProviders: knownProviders() });
    expect(fleet).toBe(name);
    const [spec] = specs;
    expect(spec).toMatchObject({
      name,
      volume: { name: `${name}-data`, sizeGb: 1, mount: "/data" },
      ttlMs: 3_600_000,
      workdir: dirname(file),
      ...expected,
    });
    expect(spec?.command.join(" ")).toContain(program);
    expect(existsSync(join(dirname(file), program))).toBe(true);
    expect(MACHINE_TYPES.map(({ gpu }) => gpu.model)).toContain(spec?.gpu?.model);
  },
);

test("the fleet file for vLLM is valid, and waits for its health", async () => {
  const file = fileURLToPath(new URL("../../examples/serve/vllm.yaml", import.meta.url));
  const { specs } = await loadFleetFile("vllm.yaml", file, { providers: ["novita"], knownProviders: knownProviders() });
  expect(specs).toMatchObject([{ name: "vllm", readyHttp: ":8000/health", volume: { sizeGb: 100 }, idleBy: "gpu" }]);
  const config = specs[0]?.command.find((word) => word.startsWith("--compilation-config="))?.replace(/^[^=]*=/, "");
  expect(JSON.parse(config ?? "")).toEqual({ cudagraph_capture_sizes: [1, 2, 4, 8] });
});
