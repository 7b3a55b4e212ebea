import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Checkpoint } from "../../src/model/checkpoint.ts";
import type { BucketCopy, BudgetRecord, InstanceSpec } from "../../src/state/records.ts";
import { DATABASES, emptyState } from "./databases.ts";
import { sampleEvent, sampleInstance, sampleIntent, sampleLedger, sampleVolume, usd } from "./sample-records.ts";

describe.each(DATABASES)("on %s", (kind) => {
  test("a record comes back as it was put in", async () => {
    const state = await emptyState(kind);
    const record = sampleInstance("train", { notice: { kind: "reclaim", source: "api", seenAt: 5, deadline: 125 }, labels: { team: "ü" } });
    expect(await state.commit({ addInstance: record })).toBe("committed");
    expect(await state.instance("i-train")).toEqual(record);
    expect(await state.instanceByName("train")).toEqual(record);
    expect(await state.instances()).toEqual([record]);
    expect(await state.instance("i-other")).toBeUndefined();
    expect(await state.instanceByName("other")).toBeUndefined();
  });

  test("a spec of an older version reads as one that never heard of the later fields, and keeps them once written", async () => {
    const state = await emptyState(kind);
    const record = sampleInstance("train");
    const { ports: _ports, registryAuth: _registryAuth, ...older } = record.spec;
    await state.commit({ addInstance: { ...record, spec: older as InstanceSpec } });
    expect(record.spec).toMatchObject({ ports: [], registryAuth: null });
    expect(await state.instance("i-train")).toEqual(record);
    expect(await state.instanceByName("train")).toEqual(record);
    expect(await state.instances()).toEqual([record]);
    const spec: InstanceSpec = { ...record.spec, ports: [{ port: 8000, protocol: "tcp" }], registryAuth: "mine" };
    await state.commit({ instance: { id: "i-train", version: 1, set: { spec } } });
    expect((await state.instances())[0]?.spec).toEqual(spec);
  });

  test("a name is taken until its record is gone, and then the newest answers to it", async () => {
    const state = await emptyState(kind);
    await state.commit({ addInstance: sampleInstance("a") });
    const second = sampleInstance("a", { id: "i-second", createdAt: 1_700_000_000_001 });
    expect(await state.commit({ addInstance: second, events: [sampleEvent()] })).toBe("name-taken");
    expect(await state.lastSeq()).toBe(0);
    expect(await state.commit({ instance: { id: "i-a", version: 1, set: { state: "gone" } } })).toBe("committed");
    expect(await state.instances()).toEqual([]);
    expect((await state.instanceByName("a"))?.state).toBe("gone");
    expect(await state.commit({ addInstance: second })).toBe("committed");
    expect((await state.instanceByName("a"))?.id).toBe("i-second");
    expect((await state.instances({ includeGone: true })).map((record) => record.id)).toEqual(["i-second", "i-a"]);
    expect(await state.commit({ instance: { id: "i-a", version: 2, set: { state: "running" } } })).toBe("name-taken");
    expect((await state.instance("i-a"))?.state).toBe("gone");
  });

  test("a change against another version is stale, and nothing of it is kept", async () => {
    const state = await emptyState(kind);
    await state.commit({ addInstance: sampleInstance("a") });
    expect(await state.commit({ instance: { id: "i-a", version: 1, set: { state: "reclaiming", price: usd(7) } } })).toBe("committed");
    const changed = await state.instance("i-a");
    expect(changed).toEqual(sampleInstance("a", { state: "reclaiming", price: usd(7), version: 2 }));
    const late = { id: "i-a", version: 1, set: { state: "terminating" } } as const;
    expect(await state.commit({ openIntents: [sampleIntent("x")], instance: late, ledger: [sampleLedger("l")] })).toBe("stale");
    expect(await state.commit({ instance: { id: "i-none", version: 1, set: {} } })).toBe("stale");
    expect(await state.instance("i-a")).toEqual(changed);
    expect([await state.pendingIntents(), await state.ledger()]).toEqual([[], []]);
  });

  test("a change that breaks half-way leaves nothing behind", async () => {
    const state = await emptyState(kind);
    const tooMuch = sampleLedger("l", { rate: { micros: 2n ** 60n, currency: "USD" } });
    await expect(state.commit({ addInstance: sampleInstance("a"), events: [sampleEvent()], ledger: [tooMuch] })).rejects.toThrow(
      "an amount of 1152921504606846976 micros is too large to keep",
    );
    expect([await state.instances(), await state.lastSeq()]).toEqual([[], 0]);
    expect(await state.commit({ addInstance: sampleInstance("a") })).toBe("committed");
  });

  test("many changes at once in one process keep to themselves", async () => {
    const state = await emptyState(kind);
    await state.commit({ addInstance: sampleInstance("a") });
    const results = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        state.commit({ instance: { id: "i-a", version: 1, set: { reason: `writer ${index}` } }, events: [sampleEvent()] }),
      ),
    );
    expect(results.toSorted()).toEqual(["committed", ...Array.from({ length: 19 }, () => "stale")]);
    expect(await state.lastSeq()).toBe(1);
  });

  test("names filter the instances, newest first", async () => {
    const state = await emptyState(kind);
    for (const [index, name] of ["a", "b", "c"].entries()) await state.commit({ addInstance: sampleInstance(name, { createdAt: index }) });
    expect((await state.instances({ names: ["a", "c", "x"] })).map((record) => record.name)).toEqual(["c", "a"]);
    expect(await state.instances({ names: [] })).toEqual([]);
  });

  test("an intent is pending until the first close, whose detail is merged", async () => {
    const state = await emptyState(kind);
    const open = [sampleIntent("x"), sampleIntent("y", { instanceId: null, kind: "volume-create", createdAt: 1 })];
    await state.commit({ openIntents: open });
    expect((await state.pendingIntents()).map((intent) => intent.id)).toEqual(["y", "x"]);
    expect(await state.pendingIntents({ instanceId: "i-a" })).toEqual([sampleIntent("x")]);
    await state.commit({ closeIntents: [{ id: "x", status: "done", at: 9, detail: { providerId: "p" } }] });
    await state.commit({ closeIntents: [{ id: "x", status: "failed", at: 10 }] });
    expect(await state.pendingIntents({ instanceId: "i-a" })).toEqual([]);
    expect(await state.intentByToken("t-x")).toEqual(
      sampleIntent("x", { status: "done", closedAt: 9, detail: { zone: "local-1a", providerId: "p" } }),
    );
    expect(await state.intentByToken("t-none")).toBeUndefined();
  });

  test("of two intents with one token the one that made the resource answers", async () => {
    const state = await emptyState(kind);
    await state.commit({ openIntents: [sampleIntent("later", { token: "t", kind: "destroy", createdAt: 2 })] });
    await state.commit({ openIntents: [sampleIntent("first", { token: "t", createdAt: 1 })] });
    expect((await state.intentByToken("t"))?.id).toBe("first");
  });

  test("what was taken over answers with its newest record, whatever the clock of whoever took it over", async () => {
    const state = await emptyState(kind);
    const adopted = { detail: { adopted: true } };
    await state.commit({ openIntents: [sampleIntent("made", { token: "t", createdAt: 5 })] });
    await state.commit({ openIntents: [sampleIntent("taken", { token: "t", createdAt: 3, ...adopted })] });
    expect((await state.intentByToken("t"))?.id).toBe("taken");
    await state.commit({ openIntents: [sampleIntent("again", { token: "t", createdAt: 4, ...adopted })] });
    expect((await state.intentByToken("t"))?.id).toBe("again");
    // The disk that it boots from carries the same token.
    await state.commit({ openIntents: [sampleIntent("disk", { token: "t", kind: "volume-create", createdAt: 9, ...adopted })] });
    expect((await state.intentByToken("t"))?.id).toBe("again");
  });

  test("what was promised about the making of a volume is found by the volume, and nothing else is", async () => {
    const state = await emptyState(kind);
    const about = (volumeId: string) => ({ kind: "volume-create" as const, detail: { volumeId, name: "data" } });
    await state.commit({
      openIntents: [
        sampleIntent("other", about("v-10")),
        sampleIntent("removal", { ...about("v-1"), kind: "volume-remove" }),
        sampleIntent("made", about("v-1")),
        sampleIntent("word", { ...about("v-2"), detail: { volumeId: "v-2", name: "v-3" } }),
      ],
    });
    await state.commit({ closeIntents: [{ id: "made", status: "done", at: 9 }] });
    expect([(await state.volumePromise("v-1"))?.id, (await state.volumePromise("v-3"))?.id]).toEqual(["made", undefined]);
  });

  test("events are numbered in order, and filtered", async () => {
    const state = await emptyState(kind);
    await state.commit({ events: [sampleEvent({ at: 1 }), sampleEvent({ at: 2, instance: "b" })] });
    await state.commit({ events: [sampleEvent({ at: 3, instance: null, type: "price" })] });
    const all = await state.events({});
    expect(all.map((event) => event.seq)).toEqual([1, 2, 3]);
    expect(all[0]).toEqual({ seq: 1, ...sampleEvent({ at: 1 }) });
    expect((await state.events({ afterSeq: 1, limit: 1 })).map((event) => event.seq)).toEqual([2]);
    expect((await state.events({ since: 2 })).map((event) => event.seq)).toEqual([2, 3]);
    expect((await state.events({ instances: ["a"] })).map((event) => event.seq)).toEqual([1]);
    expect(await state.lastSeq()).toBe(3);
  });

  test("a living volume's name is taken at its provider only", async () => {
    const state = await emptyState(kind);
    await state.commit({ volumes: [sampleVolume("data")] });
    expect(await state.commit({ volumes: [sampleVolume("data", { id: "v-2" })] })).toBe("name-taken");
    expect(await state.commit({ volumes: [sampleVolume("data", { id: "v-3", provider: "aws", createdAt: 1 })] })).toBe("committed");
    expect(await state.commit({ volumes: [sampleVolume("data", { state: "gone" })] })).toBe("committed");
    expect(await state.commit({ volumes: [sampleVolume("data", { id: "v-2" })] })).toBe("committed");
    expect((await state.volumes()).map((volume) => volume.id)).toEqual(["v-2", "v-3"]);
    expect((await state.volumes({ includeGone: true })).length).toBe(3);
    expect((await state.volumes())[0]).toEqual(sampleVolume("data", { id: "v-2" }));
  });

  test("a fraction of a gigabyte is kept, and one of a millisecond hurts nobody", async () => {
    const state = await emptyState(kind);
    const volume = sampleVolume("data", { sizeGb: 0.1 });
    await state.commit({ volumes: [volume], events: [sampleEvent({ at: 12.25 })], blockOffers: [{ key: "x", until: 20.75, why: "" }] });
    expect(await state.volumes()).toEqual([volume]);
    expect((await state.events({ since: 11.5 })).map(({ at }) => Math.round(at))).toEqual([12]);
    expect(await state.blockedOffers(19.5)).toEqual(new Map([["x", ""]]));
    expect(await state.acquireLease("fleet", "me", 10.5, 99.5)).toBe(true);
    expect((await state.leaseHolder("fleet", 10.5))?.owner).toBe("me");
  });

  test("checkpoints are replaced by id and removed", async () => {
    const state = await emptyState(kind);
    const seal = (id: string, set: Partial<Checkpoint> = {}): Checkpoint => ({
      ...{ id, instance: "a", volume: "data", createdAt: 1, files: 2, bytes: 5_000_000_000, sha256: "ab", sealed: true },
      ...{ verifiedAt: null, step: "120", reason: "notice" as const },
      ...set,
    });
    await state.commit({ checkpoints: [seal("c-1"), seal("c-2", { createdAt: 2, instance: "b" }), seal("c-3", { volume: "other" })] });
    await state.commit({ checkpoints: [seal("c-1", { verifiedAt: 7, sealed: false })] });
    expect(await state.checkpoints({ instance: "a", volume: "data" })).toEqual([seal("c-1", { verifiedAt: 7, sealed: false })]);
    expect((await state.checkpoints()).map((checkpoint) => checkpoint.id)).toEqual(["c-2", "c-3", "c-1"]);
    // A copy on another volume is one of its own.
    await state.commit({ checkpoints: [seal("c-1", { volume: "copy" })] });
    expect(await state.checkpoints({ volume: "copy" })).toEqual([seal("c-1", { volume: "copy" })]);
    await state.commit({ removeCheckpoints: [seal("c-1"), seal("c-none"), seal("c-2", { volume: "other" })] });
    expect((await state.checkpoints()).map(({ id, volume }) => `${id} ${volume}`)).toEqual(["c-2 data", "c-3 other", "c-1 copy"]);
  });

  test("copies in buckets are replaced by checkpoint, place and endpoint, and removed", async () => {
    const state = await emptyState(kind);
    const copy = (checkpoint: string, set: Partial<BucketCopy> = {}): BucketCopy => ({
      ...{ checkpoint, place: "s3://b/p", endpoint: "", instance: "a", sha256: "ab", bytes: 5_000_000_000 },
      ...{ sealedAt: 1, verifiedAt: 2, proof: "checksum" as const },
      ...set,
    });
    await state.commit({ bucketCopies: [copy("c-1"), copy("c-2", { sealedAt: 9, instance: "b" }), copy("c-1", { endpoint: "http://x" })] });
    await state.commit({ bucketCopies: [copy("c-1", { verifiedAt: 3, proof: "read" })] });
    expect(await state.bucketCopies({ instance: "a" })).toEqual(
      expect.arrayContaining([copy("c-1", { verifiedAt: 3, proof: "read" }), copy("c-1", { endpoint: "http://x" })]),
    );
    expect((await state.bucketCopies()).map(({ checkpoint }) => checkpoint)).toEqual(["c-2", "c-1", "c-1"]);
    await state.commit({ removeBucketCopies: [copy("c-1", { endpoint: "http://x" })] });
    expect(await state.bucketCopies({ checkpoint: "c-1" })).toEqual([copy("c-1", { verifiedAt: 3, proof: "read" })]);
  });

  test("the ledger gives the stretches that reach past a time, and the open ones", async () => {
    const state = await emptyState(kind);
    const closed = sampleLedger("l1", { from: 0, to: 100, billed: usd(5) });
    const running = sampleLedger("l2", { from: 50, kind: "disk", instanceId: null, onDemandRate: null });
    await state.commit({ ledger: [closed, sampleLedger("l2", { from: 50 })] });
    await state.commit({ ledger: [running] });
    expect(await state.ledger()).toEqual([closed, running]);
    expect(await state.ledger({ since: 100 })).toEqual([running]);
    expect(await state.ledger({ since: 99 })).toEqual([closed, running]);
    expect(await state.ledger({ openOnly: true })).toEqual([running]);
    expect(await state.ledger({ instanceId: "i-a" })).toEqual([closed]);
  });

  test("that machines were found is noted of their intervals, and of nothing else of them", async () => {
    const state = await emptyState(kind);
    const ids = Array.from({ length: 10_003 }, (_, index) => `l${index}`);
    await state.commit({
      ledger: [sampleLedger("l1", { from: 0 }), sampleLedger("l2", { from: 1, seenAt: 7 }), sampleLedger("l3", { from: 2 })],
    });
    const ended = sampleLedger("l1", { from: 0, to: 90, billed: usd(5) });
    await state.commit({ ledger: [ended] });
    await state.commit({ seen: { intervals: ids.filter((id) => id !== "l3"), at: 100 } });
    expect(await state.ledger()).toEqual([
      { ...ended, seenAt: 100 },
      sampleLedger("l2", { from: 1, seenAt: 100 }),
      sampleLedger("l3", { from: 2 }),
    ]);
    await state.commit({ seen: { intervals: [], at: 200 } });
    expect((await state.ledger())[1]?.seenAt).toBe(100);
  });

  test("an offer is passed over until its time", async () => {
    const state = await emptyState(kind);
    await state.commit({ blockOffers: [{ key: "x", until: 10, why: "sold out" }] });
    await state.commit({ blockOffers: [{ key: "y", until: 10, why: "sold out" }] });
    await state.commit({ blockOffers: [{ key: "x", until: 20, why: "sold out again" }] });
    expect(await state.blockedOffers(9)).toEqual(
      new Map([
        ["x", "sold out again"],
        ["y", "sold out"],
      ]),
    );
    expect(await state.blockedOffers(10)).toEqual(new Map([["x", "sold out again"]]));
  });

  test("a budget is set, changed and removed by its scope", async () => {
    const state = await emptyState(kind);
    const day: BudgetRecord = { scope: "day", cap: usd(20_000_000), atCap: "warn", createdAt: 1, said: { percent: 0, at: 0 } };
    const said = { percent: 80, at: 5 };
    const fleet: BudgetRecord = { scope: "fleet:llm", cap: { micros: 7n, currency: "CNY" }, atCap: "hibernate", createdAt: 2, said };
    await state.commit({ budgets: [fleet, day] });
    expect(await state.budgets()).toEqual([day, fleet]);
    await state.commit({ budgets: [{ ...day, atCap: "refuse", createdAt: 3 }], removeBudgets: ["fleet:llm", "total"] });
    expect(await state.budgets()).toEqual([{ ...day, atCap: "refuse", createdAt: 3 }]);
    await state.commit({ saidBudgets: [{ ...day, said }, fleet] });
    expect(await state.budgets()).toEqual([{ ...day, atCap: "refuse", createdAt: 3 }]);
    await state.commit({ saidBudgets: [{ ...day, createdAt: 3, said }] });
    expect(await state.budgets()).toEqual([{ ...day, atCap: "refuse", createdAt: 3, said }]);
  });

  test("a cursor is moved together with the rest of a change, or not at all", async () => {
    const state = await emptyState(kind);
    expect(await state.cursor("hook")).toBeUndefined();
    await state.commit({ cursors: [{ name: "hook", seq: 7, at: 1 }] });
    expect(await state.cursor("hook")).toEqual({ seq: 7, at: 1 });
    const stale = { id: "i-none", version: 1, set: {} };
    expect(await state.commit({ instance: stale, cursors: [{ name: "hook", seq: 9, at: 2 }] })).toBe("stale");
    expect(await state.cursor("hook")).toEqual({ seq: 7, at: 1 });
    await state.commit({ cursors: [{ name: "hook", seq: 8, at: 3 }] });
    expect(await state.cursor("hook")).toEqual({ seq: 8, at: 3 });
  });

  test("a computer that works on the state has one entry, which ages", async () => {
    const state = await emptyState(kind);
    await state.putPeer({ host: "b", publicKey: "ssh-ed25519 B" }, 10);
    await state.putPeer({ host: "a", publicKey: "ssh-ed25519 A" }, 20);
    await state.putPeer({ host: "b", publicKey: "ssh-ed25519 B2" }, 30);
    const [a, b] = [
      { host: "a", publicKey: "ssh-ed25519 A", seenAt: 20 },
      { host: "b", publicKey: "ssh-ed25519 B2", seenAt: 30 },
    ];
    expect(await state.peers(20)).toEqual([a, b]);
    expect(await state.peers(21)).toEqual([b]);
  });

  test("a lease is one owner's until it expires", async () => {
    const state = await emptyState(kind);
    expect(await state.acquireLease("fleet", "me", 1000, 500)).toBe(true);
    expect(await state.acquireLease("fleet", "you", 1499, 500)).toBe(false);
    expect(await state.leaseHolder("fleet", 1499)).toEqual({ owner: "me", expiresAt: 1500 });
    expect(await state.acquireLease("fleet", "me", 1400, 500)).toBe(true);
    expect(await state.acquireLease("fleet", "you", 1899, 500)).toBe(false);
    expect(await state.leaseHolder("fleet", 1900)).toBeUndefined();
    expect(await state.acquireLease("fleet", "you", 1900, 500)).toBe(true);
    await state.releaseLease("fleet", "me");
    expect((await state.leaseHolder("fleet", 1901))?.owner).toBe("you");
    await state.releaseLease("fleet", "you");
    expect(await state.acquireLease("fleet", "me", 1902, 500)).toBe(true);
    expect(await state.acquireLease("other", "you", 1902, 500)).toBe(true);
  });

  // A NUL is kept inside JSON only; in a column of its own it becomes the replacement character.
  const text = fc.string({ unit: "binary" }).map((made) => made.replaceAll("\0", "0"));
  const money = fc.record({
    micros: fc.bigInt({ min: -(2n ** 53n) + 1n, max: 2n ** 53n - 1n }),
    currency: fc.constantFrom("USD", "EUR", "CNY"),
  });

  test("any text and any amount survive", async () => {
    const state = await emptyState(kind);
    let count = 0;
    await fc.assert(
      fc.asyncProperty(text, fc.option(money), fc.dictionary(fc.string(), fc.jsonValue()), async (text, amount, data) => {
        const id = `n-${count++}`;
        const record = sampleInstance(id, { reason: text, rawState: text, price: amount, labels: { text } });
        const event = sampleEvent({ instance: id, data: JSON.parse(JSON.stringify(data)) });
        const entry = sampleLedger(id, { instanceId: id, billed: amount, instance: text });
        const before = await state.lastSeq();
        expect(await state.commit({ addInstance: record, events: [event], ledger: [entry] })).toBe("committed");
        expect(await state.instance(record.id)).toEqual(record);
        expect(await state.events({ afterSeq: before })).toEqual([{ seq: before + 1, ...event }]);
        expect(await state.ledger({ instanceId: id })).toEqual([entry]);
      }),
      { numRuns: kind === "SQLite" ? 100 : 25 },
    );
  });
});
