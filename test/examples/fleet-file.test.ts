import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { loadFleetFile } from "../../src/fleet/spec/fleet-file.ts";
import { MACHINE_TYPES } from "../../src/local-cloud/market.ts";
import { knownProviders } from "../../src/providers/registry.ts";

const FILE = fileURLToPath(new URL("../../examples/train/spot.yaml", import.meta.url));

test("the example's fleet file is valid, its program is there, and the embedded cloud offers its GPU", async () => {
  const { fleet, specs } = await loadFleetFile("spot.yaml", FILE, { providers: ["local"], knownProviders: knownProviders() });
  expect(fleet).toBe("iris");
  const [spec] = specs;
  expect(spec).toMatchObject({
    name: "iris",
    volume: { name: "iris-data", sizeGb: 1, mount: "/data" },
    onReclaim: "replace",
    checkpointEveryMs: 30_000,
    ttlMs: 3_600_000,
    workdir: dirname(FILE),
  });
  const [node, program = ""] = spec?.command ?? [];
  expect([node, existsSync(join(dirname(FILE), program))]).toEqual(["node", true]);
  expect(MACHINE_TYPES.map(({ gpu }) => gpu.model)).toContain(spec?.gpu?.model);
});
