import { expect, test } from "vitest";
import { eventually } from "../guest/machine.ts";
import { sampleVolume } from "../state/sample-records.ts";
import { spot, testWorld } from "../world.ts";
import { startWatch } from "./watching.ts";

test("thousands of events are replayed in order, and what comes then follows, each once", async () => {
  const before = Array.from({ length: 2_300 }, (_, index) => ({ instance: `i${index % 7}`, data: { index } }));
  const watch = await startWatch({ before }, "--since", "0");
  await eventually("the replay", () => (watch.events().length >= 2_300 ? true : undefined));
  await watch.write({ type: "notice", instance: "late" }, { type: "state", instance: "late" });
  await eventually("what is new", () => (watch.events().length >= 2_302 ? true : undefined));
  expect(watch.events().map(({ seq }) => seq)).toEqual(Array.from({ length: 2_302 }, (_, index) => index + 1));
  const { code } = await watch.stop();
  expect(code).toBe(130);
});

test("without --since a watch begins with what is new; with names it tells of these instances, volumes and providers", async () => {
  const watch = await startWatch({ before: [{ instance: "old" }], plain: true });
  await watch.state.commit({ volumes: [sampleVolume("disk")] });
  await eventually("the first event that it hears", async () => {
    await watch.write({ instance: "probe" });
    await watch.world.clock.sleep(100);
    return watch.events()[0];
  });
  const first = await watch.state.lastSeq();
  await watch.write(
    { instance: "train" },
    { instance: null, provider: "aws" },
    { instance: null, provider: "gcp", data: { volume: "disk" } },
  );
  await eventually("the last event", () => watch.events().find(({ seq }) => seq === first + 3));
  expect(watch.events().map(({ instance }) => instance)).not.toContain("old");
  expect(
    watch
      .events()
      .slice(-3)
      .map(({ seq }) => seq),
  ).toEqual([first + 1, first + 2, first + 3]);
  const home = watch.world.home;
  const told = async (name: string) => {
    const { code, stdout } = await spot(testWorld({ home }), "watch", name, "--since", String(first), "-o", "ndjson", "--timeout", "4s");
    return [
      code,
      stdout
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line).seq),
    ];
  };
  expect(await Promise.all(["aws", "disk"].map(told))).toEqual([
    [124, [first + 2]],
    [124, [first + 3]],
  ]);
  const unknown = await spot(testWorld({ home }), "watch", "nobody");
  expect([unknown.code, unknown.stderr]).toEqual([9, expect.stringContaining('no instance named "nobody"')]);
});

test("on a terminal the most urgent notice comes first, with who said it and what is left", async () => {
  const { watchView } = await import("../../src/output/watch-frame.ts");
  const { plainPainter } = await import("../../src/output/painter.ts");
  const { record, NOW } = await import("../fleet/samples.ts");
  const row = (name: string, seconds: number | null, heard = {}) => ({
    now: NOW,
    cost: undefined,
    record: record({
      name,
      createdAt: NOW - 60_000,
      ...(seconds === null
        ? {}
        : {
            state: "reclaiming",
            notice: { kind: "reclaim", source: "guest", seenAt: NOW - 5_000, deadline: NOW + seconds * 1000, ...heard },
          }),
    }),
  });
  const rows = [row("calm", null), row("later", 90), row("soon", 20, { heard: { guest: NOW - 5_000, api: NOW - 2_000 } }), row("over", -5)];
  const text = await watchView(rows).render(plainPainter, 200);
  const lines = text.split("\n").map((line) => line.replaceAll(/ {2,}/g, "|"));
  expect(lines[0]).toMatch(/^NAME\|NOTICE\|SAID BY\|STATE/);
  expect(lines.slice(1).map((line) => line.split("|").slice(0, 3))).toEqual([
    ["over", "reclaim, 5.0s ago", "agent 07:59:55"],
    ["soon", "reclaim, 20s left", "agent 07:59:55, provider 07:59:58"],
    ["later", "reclaim, 1m 30s left", "agent 07:59:55"],
    ["calm", "running", "paper north-a"],
  ]);
});

test.each([
  [["--since", "yesterday"], "--since"],
  [["--on", "notice,weather", "--exec", "true"], '"weather" is no type of event'],
  [["--on", "notice"], "nobody is to be told"],
  [["--exec", "  "], "there is no command"],
  [["--exec", "true", "--exec-timeout", "soon"], "--exec-timeout"],
  [["--webhook", "ftp://example.test/s3cret"], "--webhook wants an address"],
  [["--webhook", "https://me:s3cret@example.test/"], "holds a name or a password"],
  [["--webhook", "https://example.test/s3cret", "--webhook-format", "teams"], '"teams" is no format'],
])("%j is refused, and no secret is repeated", async (words, said) => {
  const { code, stderr } = await spot(testWorld(), "watch", ...words);
  expect([code, stderr]).toEqual([2, expect.stringContaining(said)]);
  expect(stderr).not.toContain("s3cret");
});
