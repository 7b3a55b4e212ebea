import { expect, test } from "vitest";
import { consequence } from "../../src/fleet/loss.ts";
import { paperSpec } from "../simulation/paper-world.ts";
import { NOW, record } from "./samples.ts";

const policy = (onReclaim: "replace" | "hibernate" | "wait" | "let-go") => ({ spec: paperSpec({ onReclaim }) });

test.each([
  ["reclaimed, to be replaced", policy("replace"), "provider", "replace"],
  ["reclaimed, to sleep", policy("hibernate"), "provider", "park"],
  ["reclaimed, to be let go", policy("let-go"), "provider", "let-go"],
  ["ended although it was to wait", policy("wait"), "provider", "replace"],
  ["nobody knows why, to be replaced", policy("replace"), null, "replace"],
  ["it ended itself", policy("replace"), "guest", "let-go"],
  ["somebody ended it at the cloud's console", policy("replace"), "user", "let-go"],
  ["it never came up", { ...policy("let-go"), readyAt: null }, "provider", "replace"],
  ["it never came up, and somebody ended it", { ...policy("replace"), readyAt: null }, "user", "let-go"],
  ["it had failed and was discarded by us", { ...policy("let-go"), readyAt: null }, "us", "replace"],
  ["it was being parked when it was wanted back", policy("hibernate"), "us", "replace"],
  ["its time is over", { ...policy("replace"), ttlEndsAt: NOW }, "provider", "let-go"],
  ["its time is not over", { ...policy("replace"), ttlEndsAt: NOW + 1 }, "provider", "replace"],
] as const)("%s → %s %s", (_what, set, endedBy, expected) => {
  expect(consequence(record(set), endedBy, NOW)).toBe(expected);
});
