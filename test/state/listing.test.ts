import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openSqlite } from "../../src/platform/sqlite.ts";
import { openListing } from "../../src/state/listing.ts";
import { openState } from "../../src/state/open.ts";
import { sampleInstance, sampleLedger, sampleSpec, usd } from "./sample-records.ts";
import { temporaryFolder } from "./temporary-folder.ts";

/** A database of a few living records and a gone one, each with a spec of its own. */
async function filled(): Promise<string> {
  const path = join(temporaryFolder(), "state.db");
  const state = await openState(path);
  for (const [index, name] of ["a", "b", "c", "d"].entries())
    await state.commit({
      addInstance: sampleInstance(name, { createdAt: 1_700_000_000_000 + index, spec: sampleSpec(name, { command: ["run", name] }) }),
    });
  const gone = await state.instance("i-b");
  await state.commit({
    instance: { id: "i-b", version: gone?.version ?? 0, set: { state: "gone" } },
    ledger: [sampleLedger("one", { billed: usd(5) }), sampleLedger("two")],
    guards: ["a", "b", "c"].map((name, at) => ({
      instanceId: `i-${name}`,
      providerId: "m-1",
      heartbeatAt: at === 0 ? null : 1_700_000_000_000,
      askedAt: 1_700_000_000_000 + at,
      silentAt: at === 0 ? 1_700_000_000_001 : null,
      warned: at === 0,
    })),
  });
  await state.close();
  return path;
}

test("the listing says what the state says, and every record keeps its own spec", async () => {
  const path = await filled();
  const state = await openState(path);
  const listing = openListing(path);
  for (const includeGone of [false, true]) {
    const whole = await state.instances({ includeGone });
    expect(whole.map((record) => record.spec.command)).toEqual(whole.map((record) => ["run", record.name]));
    expect(await listing?.instances({ includeGone })).toEqual(whole.map(({ spec: _, ...rest }) => rest));
  }
  const costs = (await state.ledger()).map(({ instanceId, from, to, rate, billed }) => ({ instanceId, from, to, rate, billed }));
  expect(costs.length).toBe(2);
  expect(await listing?.ledger()).toEqual(costs);
  const guards = await state.guards();
  // The one that is gone needs no guard.
  expect(guards.map(({ instanceId }) => instanceId)).toEqual(["i-a", "i-c"]);
  expect(await state.guards({ instanceId: "i-a" })).toEqual([expect.objectContaining({ warned: true, heartbeatAt: null })]);
  expect(await listing?.guards()).toEqual(guards.map(({ warned: _, ...rest }) => rest));
  await listing?.close();
  await state.close();
});

test("what the listing does not understand is left to the state", async () => {
  expect(openListing(join(temporaryFolder(), "state.db"))).toBeUndefined();
  const damaged = join(temporaryFolder(), "state.db");
  writeFileSync(damaged, "no database ".repeat(1000));
  expect(openListing(damaged)).toBeUndefined();
  const newer = await filled();
  const database = openSqlite(newer);
  database.exec("INSERT INTO schema_migrations VALUES (99)");
  database.close();
  expect(openListing(newer)).toBeUndefined();
});
