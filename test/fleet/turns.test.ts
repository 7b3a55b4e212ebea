import fc from "fast-check";
import { expect, test } from "vitest";
import { byUrgency, type Urgency, urgencyOf } from "../../src/fleet/deciding/urgency.ts";
import type { Fleet } from "../../src/fleet/fleet.ts";
import { nextOf, openTurns, type Turns } from "../../src/fleet/leases/turns.ts";
import { noteWord, type Told } from "../../src/fleet/steps/told.ts";
import { ProviderError } from "../../src/providers/errors.ts";
import { sampleInstance } from "../state/sample-records.ts";

const NOW = 1_800_000_000_000;
const reclaim = (deadline: number) => ({ kind: "reclaim", source: "api", seenAt: NOW, deadline }) as const;
const up = { readyAt: 1, volumes: [] };

test("whoever has a notice that nobody answered comes first, then whoever was told in vain, then by deadline, then what is not as wanted, then the rest", () => {
  const known = (name: string, deadline: number) => sampleInstance(name, { ...up, state: "reclaiming", notice: reclaim(deadline) });
  const cases = [
    { record: sampleInstance("resting", up), said: null },
    { record: sampleInstance("starting", { state: "provisioning", changedAt: NOW - 1 }), said: null },
    { record: sampleInstance("waiting", { state: "provisioning", changedAt: NOW - 9 }), said: null },
    { record: known("told-late", NOW + 90_000), said: reclaim(NOW + 90_000) },
    { record: known("told-soon", NOW + 5_000), said: reclaim(NOW + 5_000) },
    { record: known("in-vain-now", NOW + 1_000), said: reclaim(NOW + 1_000) },
    { record: known("in-vain-before", NOW + 110_000), said: reclaim(NOW + 110_000) },
    { record: known("in-line", NOW + 60_000), said: reclaim(NOW + 60_000) },
    { record: sampleInstance("new-late", up), said: reclaim(NOW + 120_000) },
    { record: sampleInstance("new-soon", up), said: reclaim(NOW + 30_000) },
  ];
  const told: Told = new Map();
  const came = new Map([
    ["told-soon", "heard"],
    ["in-vain-now", "in-vain"],
    ["in-vain-before", "in-vain"],
    ["in-line", "not-yet"],
  ] as const);
  for (const { record } of cases) {
    const word = came.get(record.name as "in-line");
    if (word !== undefined) noteWord(told, record, word, record.name === "in-vain-before" ? NOW - 9 : NOW - 1);
  }
  const order = cases
    .map(({ record, said }) => ({ name: record.name, urgency: urgencyOf(record, said, NOW, told) }))
    .sort((one, other) => byUrgency(one.urgency, other.urgency));
  expect(order.map(({ name }) => name)).toEqual([
    "new-soon",
    "in-line",
    "new-late",
    "in-vain-before",
    "in-vain-now",
    "told-soon",
    "told-late",
    "waiting",
    "starting",
    "resting",
  ]);
});

test("a notice whose deadline is over, and a mere hint, press nobody", () => {
  const record = sampleInstance("a", up);
  expect(urgencyOf(record, reclaim(NOW - 1), NOW).rank).toBe(4);
  expect(urgencyOf(record, { ...reclaim(NOW + 60_000), kind: "rebalance" }, NOW).rank).toBe(4);
});

test("nobody waits for ever, whoever else comes: with k before it, at most 8 (k + 1) turns", () => {
  const urgency = fc.record({ rank: fc.nat(3), due: fc.nat(1000) });
  fc.assert(
    fc.property(
      fc.array(urgency, { minLength: 1, maxLength: 12 }),
      fc.array(urgency, { minLength: 100, maxLength: 100 }),
      fc.nat(7),
      (first, later, offset) => {
        const urgencies = new Map<string, Urgency>();
        const waiting: { readonly id: string }[] = [];
        const come = (id: string, one: Urgency) => {
          urgencies.set(id, one);
          waiting.push({ id });
        };
        for (const [index, one] of first.entries()) come(`first-${index}`, one);
        const last = `first-${first.length - 1}`;
        // With every turn somebody new comes, and may be more urgent than all.
        for (const [turn, one] of later.entries()) {
          if (turn >= 8 * first.length) return !waiting.some(({ id }) => id === last);
          come(`later-${turn}`, one);
          waiting.splice(nextOf(waiting, urgencies, turn + 1 + offset), 1);
        }
        return !waiting.some(({ id }) => id === last);
      },
    ),
  );
});

const { signal } = new AbortController();

/** A fleet of which each call takes until it is let through. */
function gated(turns: Turns) {
  const open: { readonly id: string; readonly through: () => void }[] = [];
  const began: string[] = [];
  let most = 0;
  const fleet = (id: string): Fleet => {
    const passing = () =>
      new Promise<void>((resolve) => {
        began.push(id);
        const entry = {
          id,
          through() {
            open.splice(open.indexOf(entry), 1);
            resolve();
          },
        };
        open.push(entry);
        most = Math.max(most, open.length);
      });
    const base = {
      provider: async () => ({ id: "paper", get: passing, launch: passing }),
      guest: { tellNotice: passing, snapshot: passing },
    };
    return turns.among(base as unknown as Fleet, id, () => undefined);
  };
  return { fleet, open, began, most: () => most };
}

const moments = async (count = 50) => {
  for (let passed = 0; passed < count; passed++) await Promise.resolve();
};

const call = async (fleet: Fleet, given: AbortSignal = signal) => (await fleet.provider("paper")).get("m", { signal: given });

test("never more calls than places at one provider, and whoever becomes urgent while all places are taken is next", async () => {
  const turns = openTurns();
  const { fleet, open, began, most } = gated(turns);
  const all = Array.from({ length: 40 }, (_, index) => `i-${index}`);
  turns.rank(all.map((id, due) => [id, { rank: 3, due }]));
  const work = all.map((id) => call(fleet(id)));
  await moments();
  expect([most(), began.length]).toEqual([16, 16]);
  turns.rank(all.map((id, due) => [id, id === "i-39" ? { rank: 0, due: NOW } : { rank: 3, due }]));
  open[0]?.through();
  await moments();
  expect(began.at(-1)).toBe("i-39");
  while (open.length > 0) {
    open[0]?.through();
    await moments(10);
  }
  await Promise.all(work);
  expect([most(), new Set(began).size]).toEqual([16, 40]);
});

test("whoever asks about machines that come up keeps nobody from launching", async () => {
  const turns = openTurns();
  const { fleet, open, began } = gated(turns);
  const asks = Array.from({ length: 100 }, (_, index) => call(fleet(`i-${index}`)));
  await moments();
  const launched = (await fleet("launching").provider("paper")).launch({} as never, { signal });
  await moments();
  expect(began.at(-1)).toBe("launching");
  while (open.length > 0) {
    open[0]?.through();
    await moments(10);
  }
  await Promise.all([...asks, launched]);
});

test("whoever waits for a checkpoint keeps nobody from a word", async () => {
  const turns = openTurns();
  const { fleet, open, began } = gated(turns);
  const reach = { kind: "process", cwd: "", env: {}, log: "" } as const;
  const seals = Array.from({ length: 500 }, (_, index) => fleet(`s-${index}`).guest.snapshot(reach, "hibernate", null, signal));
  await moments();
  const told = fleet("told").guest.tellNotice(reach, 1, signal);
  await moments();
  expect(began.at(-1)).toBe("told");
  open.at(-1)?.through();
  await told;
  while (open.length > 0) {
    open[0]?.through();
    await moments(10);
  }
  await Promise.all(seals);
});

test("a call whose turn does not come in its time was not sent; one whose work was ended gives its place up", async () => {
  const turns = openTurns();
  const { fleet, open, began } = gated(turns);
  const work = Array.from({ length: 16 }, (_, index) => call(fleet(`i-${index}`)));
  await moments();
  const [late, ended] = [new AbortController(), new AbortController()];
  const [first, second] = [call(fleet("late"), late.signal), call(fleet("ended"), ended.signal)];
  await moments();
  late.abort(new DOMException("no answer", "TimeoutError"));
  ended.abort(new Error("Ctrl-C"));
  await expect(first).rejects.toBeInstanceOf(ProviderError);
  await expect(second).rejects.toThrow("Ctrl-C");
  const third = call(fleet("third"));
  open[0]?.through();
  await moments();
  expect(began.slice(16)).toEqual(["third"]);
  for (const entry of [...open]) entry.through();
  await Promise.all([...work, third]);
});

test("a checkpoint that is waited for without a notice is given up when one comes, and not when it was begun for it", async () => {
  const turns = openTurns();
  const given: AbortSignal[] = [];
  const snapshot = (_reach: unknown, _reason: unknown, _deadline: unknown, own: AbortSignal) => {
    given.push(own);
    return new Promise<void>(() => undefined);
  };
  const fleet = (id: string) => turns.among({ guest: { snapshot } } as unknown as Fleet, id, () => undefined);
  const reach = { kind: "process", cwd: "", env: {}, log: "" } as const;
  turns.rank([
    ["calm", { rank: 3, due: 0 }],
    ["sealing", { rank: 1, due: NOW }],
  ]);
  for (const id of ["calm", "sealing"]) void fleet(id).guest.snapshot(reach, "notice", null, signal);
  await moments();
  turns.rank(["calm", "sealing"].map((id) => [id, { rank: 0, due: NOW }]));
  expect(given.map(({ aborted }) => aborted)).toEqual([true, false]);
});
