import { expect, test } from "vitest";
import { checkpointEveryMs } from "../../src/fleet/deciding/checkpoint-interval.ts";

const volume = { name: "work", sizeGb: 10, mount: "/data" };

test.each([
  ["named, whatever the notice", { checkpointEveryMs: 60_000, volume }, 0, 60_000],
  ["no notice", { checkpointEveryMs: null, volume }, 0, 600_000],
  ["half a minute", { checkpointEveryMs: null, volume }, 30, 600_000],
  ["two minutes of notice", { checkpointEveryMs: null, volume }, 120, null],
  ["nothing to seal onto", { checkpointEveryMs: null, volume: null }, 0, null],
] as const)("%s", (_what, spec, noticeSeconds, every) => {
  expect(checkpointEveryMs(spec, noticeSeconds)).toBe(every);
});
