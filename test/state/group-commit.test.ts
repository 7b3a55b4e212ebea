import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { openSqlite } from "../../src/platform/sqlite.ts";
import { openState } from "../../src/state/open.ts";
import type { NewEvent, State } from "../../src/state/records.ts";
import { sampleInstance } from "./sample-records.ts";
import { temporaryFolder } from "./temporary-folder.ts";

const event = (instance: string): NewEvent => ({ at: 1, type: "action", instance, provider: null, data: {} });

async function openFile(): Promise<{ readonly state: State; readonly path: string }> {
  const path = join(temporaryFolder(), "state.db");
  const state = await openState(path);
  onTestFinished(() => state.close());
  return { state, path };
}

test("of a hundred changes at once those that are refused leave nothing behind, and the others all of theirs", async () => {
  const { state } = await openFile();
  await state.commit({ addInstance: sampleInstance("taken") });
  const results = await Promise.all(
    Array.from({ length: 100 }, (_, index) =>
      // An event that a refused change would have written comes before nothing: it is the last thing of each.
      index % 3 === 0
        ? state.commit({ addInstance: sampleInstance("taken", { id: `i-other-${index}` }), events: [event(`refused-${index}`)] })
        : state.commit({ addInstance: sampleInstance(`fresh-${index}`), events: [event(`fresh-${index}`)] }),
    ),
  );
  expect(results.map((result, index) => (result === "name-taken") === (index % 3 === 0)).every(Boolean)).toBe(true);
  const told = (await state.events({})).map(({ instance }) => instance);
  expect(told).toEqual(Array.from({ length: 100 }, (_, index) => index).flatMap((index) => (index % 3 === 0 ? [] : [`fresh-${index}`])));
});

test("one that fails half-way takes back its own half and nobody else's", async () => {
  const { state } = await openFile();
  const broken = { ...event("broken"), type: null as unknown as NewEvent["type"] };
  const [first, second, third] = await Promise.allSettled([
    state.commit({ events: [event("first")] }),
    state.commit({ addInstance: sampleInstance("half"), events: [event("half"), broken] }),
    state.commit({ events: [event("third")] }),
  ]);
  expect([first.status, second.status, third.status]).toEqual(["fulfilled", "rejected", "fulfilled"]);
  expect((await state.events({})).map(({ instance }) => instance)).toEqual(["first", "third"]);
  expect(await state.instanceByName("half")).toBeUndefined();
});

test("whoever is told that it is written finds it so from another connection", async () => {
  const { state, path } = await openFile();
  const other = openSqlite(path);
  try {
    const seen = await Promise.all(
      Array.from({ length: 50 }, async (_, index) => {
        await state.commit({ events: [event(`e-${index}`)] });
        return other.prepare("select count(*) as n from events where instance = ?").all([`e-${index}`]);
      }),
    );
    expect(seen.every((rows) => JSON.stringify(rows) === '[{"n":1}]')).toBe(true);
  } finally {
    other.close();
  }
});

test("whoever waits for another writer keeps its own process from nothing, and gets its turn", async () => {
  const { state, path } = await openFile();
  const other = openSqlite(path);
  try {
    other.exec("begin immediate");
    const committed = state.commit({ events: [event("patient")] });
    // On the very thread that would stand still if the waiting were SQLite's.
    setTimeout(() => other.exec("commit"), 100);
    expect(await committed).toBe("committed");
  } finally {
    other.close();
  }
});

test("a change that two decide on at once is one's", async () => {
  const { state } = await openFile();
  const record = sampleInstance("one");
  await state.commit({ addInstance: record });
  const change = (reason: string) => ({ instance: { id: record.id, version: record.version, set: { reason } } });
  const results = await Promise.all(["a", "b", "c"].map((reason) => state.commit(change(reason))));
  expect(results).toEqual(["committed", "stale", "stale"]);
});
