import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { expect, test } from "vitest";
import { FRESH_OUTLOOK } from "../../src/model/outlook.ts";
import { openSqlite } from "../../src/platform/sqlite.ts";
import { bodyText, fromBody, stored } from "../../src/state/instance-body.ts";
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
    ledger: [
      sampleLedger("one", { billed: usd(5) }),
      sampleLedger("two"),
      sampleLedger("other", { instanceId: "i-b" }),
      sampleLedger("volume", { instanceId: null, kind: "disk" }),
    ],
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
  const ofA = costs.filter(({ instanceId }) => instanceId === "i-a");
  expect(ofA.length).toBe(2);
  expect(await listing?.ledger(["i-a", "i-c"])).toEqual(ofA);
  expect(await listing?.ledger(["i-a", "i-b", "i-c", "i-d"])).toHaveLength(3);
  expect(await listing?.ledger([])).toEqual([]);
  const guards = await state.guards();
  // The one that is gone needs no guard.
  expect(guards.map(({ instanceId }) => instanceId)).toEqual(["i-a", "i-c"]);
  expect(await state.guards({ instanceId: "i-a" })).toEqual([expect.objectContaining({ warned: true, heartbeatAt: null })]);
  expect(await listing?.guards()).toEqual(guards.map(({ warned: _, ...rest }) => rest));
  await listing?.close();
  await state.close();
});

test("what is as usual is left out of the stored text, and is there again when it is read", () => {
  const { spec: _, ...usual } = sampleInstance("a");
  const { spec: __, ...unusual } = sampleInstance("a", {
    protectedUntil: 1,
    notice: { kind: "reclaim", source: "api", deadline: 2, seenAt: 1 },
    parked: "native",
    ssh: { host: "h", port: 22, user: "u" },
    fleet: "f",
    ttlEndsAt: 1,
    idleMs: 1,
    labels: { a: "b" },
    skipSnapshot: true,
    parkOnly: true,
    sealedAsleep: true,
    retainAddress: true,
    rootVolume: "v",
    dataKeptUntil: 1,
    endpoints: [{ port: 1, address: "a:1" }],
    wakeBy: 1,
    outlook: { ...FRESH_OUTLOOK, needsSince: 1 },
    forgottenAt: 1,
    account: { id: "me", name: null },
    reason: "because",
  });
  const differ = Object.keys(usual).filter((field) => !isDeepStrictEqual(usual[field as "id"], unusual[field as "id"]));
  const leftOut = Object.keys(usual).filter((field) => !(field in JSON.parse(bodyText(usual))));
  expect(leftOut).toEqual(differ);
  for (const record of [usual, unusual]) expect(fromBody(JSON.parse(bodyText(record)))).toStrictEqual(record);
  // As it was stored before: whole.
  const { price, onDemandPrice, ...rest } = usual;
  const whole = { ...rest, price: stored(price), onDemandPrice: stored(onDemandPrice) };
  expect(fromBody(JSON.parse(JSON.stringify(whole)))).toStrictEqual(usual);
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
