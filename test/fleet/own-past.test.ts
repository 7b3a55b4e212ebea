import { expect, test } from "vitest";
import { ownPastOf } from "../../src/fleet/own-past.ts";
import { FRESH_OUTLOOK, type Outlook } from "../../src/model/outlook.ts";

const HOUR = 3_600_000;
const NOW = 10_000 * HOUR;

const record = (
  id: string,
  set: { readonly zone?: string; readonly type?: string; readonly billing?: "spot" | "on-demand" },
  outlook: Partial<Outlook> = {},
) => ({
  id,
  provider: "x",
  providerId: `${id}-now`,
  region: "north",
  zone: set.zone ?? "a",
  type: set.type ?? "gpu-1",
  billing: set.billing ?? ("spot" as const),
  outlook: { ...FRESH_OUTLOOK, ...outlook },
});
const reclaim = (machine: string, hoursAgo: number, pool = "x/north/a/gpu-1/spot") => ({
  machine,
  pool,
  at: NOW - hoursAgo * HOUR,
  ranMs: 1,
});
const paid = (instanceId: string, providerId: string, fromAgo: number, toAgo: number | null, set = {}) => ({
  instanceId,
  provider: "x",
  providerId,
  kind: "gpu" as const,
  billing: "spot" as const,
  from: NOW - fromAgo * HOUR,
  to: toAgo === null ? null : NOW - toAgo * HOUR,
  ...set,
});

test("history: the hours that were paid for, machine by machine, and the reclaims among them; zones together, types apart", () => {
  const records = [
    record("i-1", {}, { reclaims: [reclaim("m-1", 90), reclaim("m-2", 50, "x/north/b/gpu/8/spot"), reclaim("m-0", 800)] }),
    record("i-2", { zone: "b" }),
    // It runs on demand at present, and was once taken back.
    record("i-3", { billing: "on-demand", type: "gpu-9" }, { reclaims: [reclaim("m-3", 20)] }),
  ];
  const ledger = [
    paid("i-1", "m-1", 100, 95),
    // The price changed: one machine, two intervals.
    paid("i-1", "m-1", 95, 90),
    paid("i-1", "m-2", 60, 50),
    paid("i-2", "i-2-now", 7, null),
    paid("i-3", "m-3", 23, 20),
    paid("i-3", "i-3-now", 20, null, { billing: "on-demand" }),
    paid("i-2", "v-1", 500, null, { kind: "disk" }),
    // Before the thirty days only what reaches into them counts; of a record that is not there nothing is known.
    paid("i-2", "m-old", 730, 718),
    paid("i-9", "m-9", 5, 1),
  ];
  expect(ownPastOf(records, ledger, NOW).history).toEqual([
    { provider: "x", region: "north", type: "gpu-1", reclaims: 2, runs: [10, 7, 3, 2] },
    { provider: "x", region: "north", type: "gpu/8", reclaims: 1, runs: [10] },
  ]);
});

test("of an instance that was taken back so often that the oldest are forgotten, only the time since counts", () => {
  const reclaims = Array.from({ length: 16 }, (_, index) => reclaim(`m-${index}`, 160 - 10 * index));
  const [own] = ownPastOf([record("i-1", {}, { reclaims })], [paid("i-1", "m-x", 600, 200), paid("i-1", "m-1", 170, 150)], NOW).history;
  expect(own).toMatchObject({ reclaims: 15, runs: [10] });
});

test("starts and checkpoints are believed from three measurements on, each provider for itself", () => {
  const early = (tookMs: number | null) => ({ machine: "m", at: 0, tookMs, worksUntil: null });
  const of = (id: string, changeoverMs: number | null, tookMs: number | null) => record(id, {}, { changeoverMs, early: early(tookMs) });
  const three = [of("a", 30_000, 4_000), of("b", 50_000, 9_000), of("c", 40_000, null), { ...of("d", 1_000, null), provider: "y" }];
  expect(ownPastOf(three, [], NOW)).toEqual({ history: [], restarts: [{ provider: "x", seconds: 40 }], checkpointSeconds: null });
  expect(ownPastOf([...three, of("e", null, 5_000)], [], NOW).checkpointSeconds).toBe(5);
});
