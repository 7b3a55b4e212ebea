import { expect, test } from "vitest";
import { instanceView } from "../../src/output/instance-view.ts";
import { instancesView } from "../../src/output/instances-view.ts";
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

test("a command is shown as a shell takes it again", async () => {
  const { text } = await shown({ command: ["sh", "-c", "while true; do echo 'it''s'; done", ""] });
  expect(text).toContain(`command     sh -c 'while true; do echo '\\''it'\\'''\\''s'\\''; done' ''`);
});

async function listed(set: Parameters<typeof record>[0]) {
  const text = await instancesView([{ record: record(set), cost: undefined, now: NOW }]).render(plainPainter, 200);
  return text.split("\n")[1] ?? "";
}

test("a machine that is to be ended says so, whatever it still does", async () => {
  expect(await listed({ state: "running", desired: "gone" })).toContain("running (to be ended)");
  expect(await listed({ state: "running", desired: "running" })).not.toContain("to be ended");
});

test("what is asleep or gone has no rate, and what is gone does not end any more", async () => {
  expect(await listed({ state: "running", ttlEndsAt: NOW + 60_000 })).toMatch(/\$\d.*\b1m\b/);
  expect(await listed({ state: "hibernated", ttlEndsAt: NOW + 60_000 })).not.toContain("$");
  expect(await listed({ state: "gone", desired: "gone", ttlEndsAt: NOW + 60_000 })).not.toMatch(/\$|\b1m\b/);
});

test("what is asleep is not called protected: there is nothing that could be taken", async () => {
  const text = (state: "running" | "hibernated") =>
    instanceView({ record: record({ state, protectedUntil: NOW + 3_600_000 }), cost: undefined, now: NOW }, [], []).render(
      plainPainter,
      120,
    );
  expect(await text("running")).toMatch(/protected +from reclaim for 1h/);
  expect(await text("hibernated")).not.toContain("protected");
});
