import { expect, test } from "vitest";
import { instanceView } from "../../src/output/instance-view.ts";
import { plainPainter } from "../../src/output/painter.ts";
import { NOW, record } from "../fleet/samples.ts";
import { paperSpec } from "../simulation/paper-world.ts";

async function shown(set: Parameters<typeof paperSpec>[0]) {
  const view = instanceView({ record: record({ spec: paperSpec(set) }), cost: undefined, now: NOW }, [], []);
  return { text: await view.render(plainPainter, 120), spec: (view.data as { spec: Record<string, unknown> }).spec };
}

test("show says which ports were asked for, and whose credentials the image is fetched with", async () => {
  const ports = [
    { port: 8000, protocol: "http" },
    { port: 9000, protocol: "tcp" },
  ] as const;
  const { text, spec } = await shown({ ports, registryAuth: "our registry" });
  expect(text).toMatch(/ports +8000\/http, 9000\/tcp/);
  expect(text).toMatch(/registry +our registry/);
  expect(spec).toMatchObject({ ports, registryAuth: "our registry" });
});

test("without them show has no line for them", async () => {
  const { text } = await shown({});
  expect(text).not.toMatch(/ports|registry/);
});
