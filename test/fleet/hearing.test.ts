import { expect, test } from "vitest";
import { decide } from "../../src/fleet/deciding/decide.ts";
import type { Observation } from "../../src/fleet/deciding/decision.ts";
import type { GuestWord } from "../../src/fleet/fleet.ts";
import { asHeard, eitherNotice, secondMouth } from "../../src/fleet/hearing/hearing.ts";
import type { Notice } from "../../src/model/notice.ts";
import { machine, NOW, record, seen } from "./samples.ts";

const DEADLINE = NOW + 120_000;
const api = (set: Partial<Notice> = {}): Notice => ({ kind: "reclaim", source: "api", seenAt: NOW - 1, deadline: DEADLINE, ...set });
const word = (notice: GuestWord["notice"]): GuestWord => ({ notice });
const says = (deadline = DEADLINE, own = true, kind: Notice["kind"] = "reclaim") => word({ kind, deadline, own });
const NOTHING = word(null);
const guestOnly: Notice = { kind: "reclaim", source: "guest", seenAt: NOW - 10_000, deadline: DEADLINE };
const both: Notice = { ...guestOnly, heard: { guest: NOW - 10_000, api: NOW - 5_000 } };

test.each<[string, Notice | null, Notice | null, GuestWord | undefined, unknown]>([
  ["nobody says anything", null, null, NOTHING, null],
  ["only the list says it", null, api(), NOTHING, { source: "api" }],
  ["only the agent says it", null, null, says(), { source: "guest", deadline: DEADLINE }],
  ["we told the agent, and nobody else says it", null, null, says(DEADLINE, false), null],
  ["both say it", null, api(), says(), { deadline: DEADLINE }],
  ["both say it, and the agent said it first", guestOnly, api(), says(), { source: "guest", seenAt: NOW - 10_000 }],
  [
    "the agent's own time goes before an assumed one",
    null,
    api({ assumed: true, deadline: NOW + 30_000 }),
    says(),
    { source: "guest", deadline: DEADLINE },
  ],
  ["two times: the earlier one", null, api({ deadline: DEADLINE + 60_000 }), says(), { source: "guest", deadline: DEADLINE }],
  ["an advice hides no reclaim", null, api({ kind: "rebalance" }), says(), { kind: "reclaim" }],
  ["nor the other way round", null, api(), says(NOW, true, "rebalance"), { kind: "reclaim", source: "api" }],
  ["the list takes it back, and the agent still says it", both, null, says(), { deadline: DEADLINE }],
  ["the agent takes it back, and the list still says it", both, api(), NOTHING, { deadline: DEADLINE }],
  ["both take it back", both, null, NOTHING, null],
  ["the list takes it back, and the agent, told by us as well, still says it", both, null, says(DEADLINE, false), { deadline: DEADLINE }],
  ["the list takes it back, and the agent has it from us alone", api(), null, says(DEADLINE, false), null],
  ["only the agent told it, and cannot be heard", guestOnly, null, undefined, { deadline: DEADLINE }],
  ["the list told it, takes it back, and the agent cannot be heard", api(), null, undefined, null],
])("%s", (_what, known, listed, heard, expected) => {
  const said = eitherNotice(known, listed, heard, NOW);
  if (expected === null) expect(said).toBeNull();
  else expect(said).toMatchObject(expected as object);
});

test("an agent's notice whose time is long over does not stand for ever when it cannot be heard", () => {
  expect(eitherNotice(guestOnly, null, undefined, DEADLINE + 60_000)).toEqual(guestOnly);
  expect(eitherNotice(guestOnly, null, undefined, DEADLINE + 180_000)).toBeNull();
});

test.each<[string, Notice | null, Notice | null, GuestWord | undefined, unknown]>([
  ["no notice", null, api(), says(), null],
  ["the list says it too", guestOnly, api(), says(), { mouth: "api", now: "says" }],
  ["the agent says it too", api(), api(), says(), { mouth: "guest", now: "says" }],
  ["the agent repeats what we told it", api(), api(), says(DEADLINE, false), null],
  ["all of it is known", both, api(), says(), null],
  ["the list does not say it any more", both, null, says(), { mouth: "api", now: "withdrew" }],
  ["the agent does not say it any more", both, api(), NOTHING, { mouth: "guest", now: "withdrew" }],
  ["the agent cannot be heard", both, api(), undefined, null],
  ["the agent was told the same since, and goes on saying it", both, api(), says(DEADLINE, false), null],
  ["the agent was told of another one since", both, api(), says(DEADLINE + 60_000, false), { mouth: "guest", now: "withdrew" }],
])("second mouth: %s", (_what, known, listed, heard, expected) => {
  expect(secondMouth(known, listed, heard)).toEqual(expected);
});

const decided = (known: Notice | null, listed: Notice | null, heard: GuestWord | undefined) => {
  const of = record({ notice: known, ...(known === null ? {} : { state: "reclaiming" as const }) });
  const instance = asHeard(of, machine({ notice: listed }), heard, NOW);
  const observation: Observation = { ...seen(), now: NOW, cloud: { kind: "here", instance }, mouth: secondMouth(known, listed, heard) };
  return decide(of, observation).action.do;
};

test("one notice, whoever says it: noted once, the second mouth beside it, withdrawn when nobody says it any more", () => {
  expect(decided(null, null, says())).toBe("note-notice");
  expect(decided(guestOnly, null, says())).toBe("rest");
  expect(decided(guestOnly, api(), says())).toBe("note-mouth");
  expect(decided(both, api(), says())).toBe("rest");
  expect(decided(both, null, says())).toBe("note-mouth");
  expect(decided(both, null, NOTHING)).toBe("note-withdrawn");
});
