import { describe, expect, test } from "vitest";
import { isTimeAhead } from "../../src/fleet/deciding/ahead.ts";
import { decide } from "../../src/fleet/deciding/decide.ts";
import { FRESH_OUTLOOK, type Outlook, type Successor } from "../../src/model/outlook.ts";
import type { InstanceRecord } from "../../src/state/records.ts";
import { paperSpec } from "../simulation/paper-world.ts";
import { launchIntent, machine, NOW, record, seen } from "./samples.ts";

const notice = (seconds: number) => ({ kind: "reclaim", source: "api", seenAt: NOW, deadline: NOW + seconds * 1_000 }) as const;
const outlook = (set: Partial<Outlook>): Pick<InstanceRecord, "outlook"> => ({ outlook: { ...FRESH_OUTLOOK, ...set } });
const successor: Successor = {
  token: "t-2",
  providerId: "m-2",
  provider: "paper",
  region: "north",
  zone: "north-b",
  type: "h100.1",
  gpu: { model: "H100", count: 1, vramGb: 80 },
  billing: "spot",
  price: "1.2",
  onDemandPrice: null,
};
const going = (set: Partial<InstanceRecord> = {}, seconds = 100) =>
  record({
    state: "reclaiming",
    notice: notice(seconds),
    volumes: [{ name: "train", id: "v-1", mount: "/data" }],
    ...outlook({ changeoverMs: 80_000 }),
    ...set,
  });

test.each([
  ["as long as it takes to boot, and half a minute", going({}, 110), true, true],
  ["earlier it would wait for nothing", going({}, 111), true, false],
  ["nothing is gained any more", going({}, 14), true, false],
  ["never measured: two minutes", going(outlook({}), 150), true, true],
  ["its volume comes with the launch", going(), false, false],
  ["to hibernate", going({ spec: paperSpec({ onReclaim: "hibernate" }) }), true, false],
  ["without a volume", going({ spec: paperSpec({ volume: null }) }), true, false],
  ["there is one already", going(outlook({ successor })), true, false],
  ["its machine outlived its deadline", going({}, -700), true, false],
  ["refused a moment ago", going(outlook({ refusedAheadAt: NOW - 14_000 })), true, false],
  ["refused a while ago", going(outlook({ refusedAheadAt: NOW - 15_000 })), true, true],
  ["its time is over before", going({ ttlEndsAt: NOW + 60_000 }), true, false],
  ["only a hint", going({ notice: { ...notice(100), kind: "rebalance" } }), true, false],
  ["no notice", going({ notice: null, state: "running" }), true, false],
] as const)("renting ahead: %s", (_what, of, canAttach, expected) => {
  expect(isTimeAhead(of, canAttach, NOW)).toBe(expected);
});

describe("a machine that was rented ahead", () => {
  const heir = going(outlook({ successor }));
  const given = { kind: "here", instance: machine({ state: "reclaiming", notice: notice(100) }) } as const;
  const lost = { state: "requested", providerId: null, readyAt: null, notice: null } as const;
  test.each([
    ["waits for the end of the one before it", heir, { cloud: given }, "rest"],
    ["takes over when that is gone", record({ ...lost, ...outlook({ successor }) }), { cloud: { kind: "none" } }, "take-over"],
    ["is ended when the notice is withdrawn and told", { ...heir, notice: null, state: "running" }, {}, "end-successor"],
    ["is ended before its instance is", { ...heir, desired: "gone" }, { cloud: given }, "end-successor"],
    ["is ended before its instance sleeps", { ...heir, desired: "hibernated" }, { cloud: given }, "end-successor"],
    [
      "is ended when nobody wants it any more",
      record({ ...lost, desired: "gone", ...outlook({ successor }) }),
      { cloud: { kind: "none" } },
      "end-successor",
    ],
    ["is waited with for as long as a cloud takes", heir, { cloud: given, now: NOW + 699_000 }, "rest"],
    ["is ended when the one before it outlives its deadline by far", heir, { cloud: given, now: NOW + 700_000 }, "end-successor"],
    ["the loss comes first, however late it is", heir, { cloud: { kind: "gone", instance: null }, now: NOW + 9_000_000 }, "note-lost"],
    ["the loss comes first", { ...heir }, { cloud: { kind: "gone", instance: null } }, "note-lost"],
    ["nothing is concluded from silence", { ...heir, desired: "gone" }, { cloud: { kind: "silent", why: "down" } }, "wait"],
  ] as const)("%s", (_what, of, around, expected) => {
    expect(decide(of as InstanceRecord, seen(around)).action.do).toBe(expected);
  });

  const intent = launchIntent({ detail: { successor: true } });
  const unsaid = going(outlook({ successor: { ...successor, providerId: null } }));
  test.each([
    ["found by its token", { foundByToken: machine({ providerId: "m-2" }), cloud: { kind: "here", instance: machine() } }, "adopt-ahead"],
    ["may still appear", { cloud: { kind: "none" } }, "wait"],
    ["never arrived", { cloud: { kind: "none" }, now: NOW + 60_000 }, "abandon-ahead"],
  ] as const)("whose answer was lost: %s", (_what, around, expected) => {
    expect(decide(unsaid, seen({ aheadIntent: intent, ...around })).action.do).toBe(expected);
  });
});
