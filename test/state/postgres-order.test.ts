import { describe, expect, onTestFinished, test } from "vitest";
import type { State } from "../../src/state/records.ts";
import { MIGRATIONS } from "../../src/state/schema.ts";
import { asOwner, emptySchema, hasPostgres, ownersConnection, until, waiting } from "../postgres.ts";
import { makeClock, openAt, setClock } from "./databases.ts";
import { sampleEvent, sampleInstance, sampleIntent, sampleVolume } from "./sample-records.ts";
import { writersOfThisFile } from "./writers.ts";

const start = writersOfThisFile();

async function opened(url: string): Promise<State> {
  const state = await openAt(url);
  onTestFinished(() => state.close());
  return state;
}

describe.skipIf(!hasPostgres())("several at once on PostgreSQL", () => {
  test("who reads the events from where it stopped misses none, also when an earlier number is committed later", async () => {
    const place = await emptySchema();
    const [slow, quick, reader] = [await opened(place.url), await opened(place.url), await opened(place.url)];
    // A commit that takes its time after the event has its number, as one over a slow line does.
    await asOwner(
      "postgres",
      `CREATE FUNCTION ${place.schema}.linger() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN IF NEW.instance = 'slow' THEN PERFORM pg_advisory_xact_lock(hashtext('${place.schema}')); END IF; RETURN NULL; END $$`,
      `CREATE CONSTRAINT TRIGGER linger AFTER INSERT ON ${place.schema}.events DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION ${place.schema}.linger()`,
    );
    const owner = await ownersConnection();
    await owner.query(`SELECT pg_advisory_lock(hashtext('${place.schema}'))`);
    const change = (instance: string) => ({ openIntents: [sampleIntent(instance)], events: [sampleEvent({ instance })] });
    const first = slow.commit(change("slow"));
    await until("the slow commit waits", async () => (await waiting(place)) === 1);
    let isSecondDone = false;
    const second = quick.commit(change("quick")).then(() => {
      isSecondDone = true;
    });
    await until("the quick commit is over, or waits too", async () => isSecondDone || (await waiting(place)) === 2);
    const seen: (string | null)[] = [];
    let last = 0;
    const read = async () => {
      for (const event of await reader.events({ afterSeq: last })) {
        seen.push(event.instance);
        last = event.seq;
      }
    };
    await read();
    await owner.query(`SELECT pg_advisory_unlock(hashtext('${place.schema}'))`);
    await Promise.all([first, second]);
    await read();
    expect(seen).toEqual(["slow", "quick"]);
  });

  test("of many who change one record at once each is counted once, by its version", async () => {
    const { url } = await emptySchema();
    const states = await Promise.all(Array.from({ length: 6 }, () => opened(url)));
    const [first] = states;
    await first?.commit({ addInstance: sampleInstance("counter", { generation: 0 }) });
    const count = async (state: State): Promise<void> => {
      for (let rounds = 0; rounds < 10; ) {
        const counter = await state.instanceByName("counter");
        if (counter === undefined) throw new Error("no counter");
        const { id, version, generation } = counter;
        if (
          (await state.commit({ instance: { id, version, set: { generation: generation + 1 } }, events: [sampleEvent()] })) === "committed"
        )
          rounds++;
      }
    };
    await Promise.all(states.map(count));
    expect((await first?.instanceByName("counter"))?.generation).toBe(60);
    expect((await first?.events({}))?.length).toBe(60);
  });

  test("of two who close one intent at once the first decides", async () => {
    const place = await emptySchema();
    const [one, two] = [await opened(place.url), await opened(place.url)];
    await one.commit({ openIntents: [sampleIntent("x")] });
    // Both have read that it is pending before either can write.
    const owner = await ownersConnection();
    await owner.query(`BEGIN; SELECT 1 FROM ${place.schema}.intents FOR UPDATE`);
    const first = one.commit({ closeIntents: [{ id: "x", status: "done", at: 1, detail: { by: "one" } }] });
    await until("the first waits", async () => (await waiting(place)) === 1);
    const second = two.commit({ closeIntents: [{ id: "x", status: "failed", at: 2, detail: { by: "two" } }] });
    await until("the second waits", async () => (await waiting(place)) === 2);
    await owner.query("COMMIT");
    expect(await Promise.all([first, second])).toEqual(["committed", "committed"]);
    expect(await one.intentByToken("t-x")).toMatchObject({ status: "done", closedAt: 1, detail: { by: "one" } });
  });

  test("two who take one name at once: one gets it, the other is told", async () => {
    const { url } = await emptySchema();
    const [one, two] = [await opened(url), await opened(url)];
    for (let round = 0; round < 10; round++) {
      const add = (state: State, id: string) => state.commit({ addInstance: sampleInstance(`n-${round}`, { id: `${id}-${round}` }) });
      expect((await Promise.all([add(one, "a"), add(two, "b")])).toSorted()).toEqual(["committed", "name-taken"]);
    }
  });

  test("changes that wait for each other are both made", async () => {
    const place = await emptySchema();
    const [one, two] = [await opened(place.url), await opened(place.url)];
    const [a, b, between] = [sampleVolume("a"), sampleVolume("b"), sampleVolume("between")];
    await one.commit({ volumes: [a, b, between] });
    const owner = await ownersConnection();
    // Each has changed one row and will want the other's.
    await owner.query(`BEGIN; SELECT 1 FROM ${place.schema}.volumes WHERE name = 'between' FOR UPDATE`);
    const first = one.commit({ volumes: [a, between, b], events: [sampleEvent()] });
    const second = two.commit({ volumes: [b, between, a], events: [sampleEvent()] });
    await until("both wait", async () => (await waiting(place)) === 2);
    await owner.query("COMMIT");
    expect(await Promise.all([first, second])).toEqual(["committed", "committed"]);
    expect((await one.events({})).length).toBe(2);
  });

  test("a process that is killed with -9 inside a transaction leaves nothing behind, and holds nobody up", async () => {
    const place = await emptySchema();
    const state = await opened(place.url);
    await state.commit({ addInstance: sampleInstance("counter", { generation: 0 }) });
    const owner = await ownersConnection();
    // Its first change waits for the events while it holds the turn of whoever writes events, and rows of four tables.
    await owner.query(`BEGIN; LOCK TABLE ${place.schema}.events IN EXCLUSIVE MODE`);
    const writer = start(place.url, "doomed", 1);
    await until("it is inside", async () => (await waiting(place)) === 1);
    writer.child.kill("SIGKILL");
    expect((await writer.ended).end).toBe("SIGKILL");
    const next = state.commit({ addInstance: sampleInstance("next"), events: [sampleEvent({ instance: "next" })] });
    await owner.query("COMMIT");
    expect(await next).toBe("committed");
    expect((await state.instances()).map(({ name }) => name).toSorted()).toEqual(["counter", "next"]);
    expect((await state.events({})).map(({ instance }) => instance)).toEqual(["next"]);
    expect([await state.pendingIntents(), await state.ledger(), await state.volumes()]).toEqual([[], [], []]);
  });

  test("leases run by the server's clock, whatever the callers' clocks say", async () => {
    const { schema, url } = await emptySchema();
    await makeClock(schema);
    const [one, two] = [await opened(url), await opened(url)];
    await setClock(schema, 50_000);
    expect(await one.acquireLease("fleet", "one", 1_000, 500)).toBe(true);
    // To this caller it is over long since.
    expect(await two.acquireLease("fleet", "two", 1_000_000, 500)).toBe(false);
    expect(await two.leaseHolder("fleet", 1_000_000)).toEqual({ owner: "one", expiresAt: 1_000_500 });
    await setClock(schema, 50_499);
    expect(await two.acquireLease("fleet", "two", 1_000_000, 500)).toBe(false);
    await setClock(schema, 50_500);
    expect(await two.acquireLease("fleet", "two", 0, 500)).toBe(true);
    expect(await one.leaseHolder("fleet", 7)).toEqual({ owner: "two", expiresAt: 507 });
  });

  test("a fresh database that many open at once is made once", async () => {
    const { schema, url } = await emptySchema();
    const states = await Promise.all(Array.from({ length: 50 }, () => openAt(url)));
    await Promise.all(states.map((state) => state.close()));
    expect(
      (await asOwner("postgres", `SELECT version FROM ${schema}.schema_migrations ORDER BY version`)).map(({ version }) => version),
    ).toEqual(MIGRATIONS.map((_, index) => String(index + 1)));
  });

  test("a newer database is refused and left alone", async () => {
    const { schema, url } = await emptySchema();
    await (await openAt(url)).close();
    await asOwner("postgres", `INSERT INTO ${schema}.schema_migrations VALUES (99)`);
    await expect(openAt(url)).rejects.toMatchObject({ code: "SPOT_E_STATE_NEWER", exit: 1 });
  });
});
