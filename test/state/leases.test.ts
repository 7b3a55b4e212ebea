import { describe, expect, test } from "vitest";
import { DATABASES, emptyState } from "./databases.ts";
import { sampleInstance } from "./sample-records.ts";

const me = "me";
const you = "you";

describe.each(DATABASES)("on %s", (kind) => {
  test("one statement renews all leases of an owner, and no other's; what has run out, or was taken, is not among them", async () => {
    const state = await emptyState(kind);
    for (const name of ["a", "b", "c"]) await state.acquireLease(name, me, 1000, 500);
    await state.acquireLease("d", you, 1000, 500);
    await state.releaseLease("c", me);
    await state.acquireLease("c", you, 1001, 500);
    await state.acquireLease("short", me, 1000, 100);
    expect([...(await state.renewLeases(me, 1400, 500))].sort()).toEqual(["a", "b"]);
    expect(await state.leaseHolder("a", 1899)).toEqual({ owner: me, expiresAt: 1900 });
    expect(await state.leaseHolder("d", 1500)).toBeUndefined();
    expect(await state.acquireLease("short", you, 1400, 500)).toBe(true);
  });

  test("a lease tells since when it is its owner's, and how long it still is", async () => {
    const state = await emptyState(kind);
    expect(await state.lease("a", 1000)).toBeUndefined();
    await state.acquireLease("a", me, 1000, 500);
    await state.acquireLease("a", me, 1300, 500);
    expect(await state.lease("a", 1400)).toEqual({ owner: me, since: 1000, leftMs: 400 });
    expect(await state.lease("a", 1900)).toEqual({ owner: me, since: 1000, leftMs: -100 });
    await state.acquireLease("a", you, 1900, 500);
    expect(await state.lease("a", 1900)).toEqual({ owner: you, since: 1900, leftMs: 500 });
  });

  test("the leases whose names begin alike are listed while they are held, and no others", async () => {
    const state = await emptyState(kind);
    for (const name of ["reading:b", "reading:a", "readings:a", "READING:a", "read", "volume:reading:a"])
      await state.acquireLease(name, me, 1000, 500);
    await state.acquireLease("reading:c", you, 1000, 500);
    await state.acquireLease("reading:d", you, 1000, 100);
    await state.releaseLease("reading:a", me);
    expect(await state.leasesUnder("reading:", 1400)).toEqual([
      { name: "reading:b", owner: me },
      { name: "reading:c", owner: you },
    ]);
    expect(await state.leasesUnder("reading:", 1500)).toEqual([]);
  });

  test("a commit under leases is refused, whole, once one of them is another's, has run out, or is nobody's", async () => {
    const state = await emptyState(kind);
    await state.commit({ addInstance: sampleInstance("a") });
    const record = await state.instanceByName("a");
    if (record === undefined) throw new Error("no record");
    await state.acquireLease("controller", me, 1000, 500);
    await state.acquireLease("instance", me, 1000, 500);
    const event = { at: 1, type: "action", instance: "a", provider: null, data: {} } as const;
    const write = (now: number, owner = me) =>
      state.commit({
        instance: { id: record.id, version: record.version, set: { reason: "late" } },
        events: [event],
        under: { leases: ["instance", "controller"], owner, now },
      });
    expect(await write(1500)).toBe("lost");
    expect(await write(1400, you)).toBe("lost");
    await state.releaseLease("controller", me);
    expect(await write(1400)).toBe("lost");
    await state.acquireLease("controller", you, 1400, 500);
    // The version would fit, and the other lease is ours: it is refused all the same.
    expect(await write(1400)).toBe("lost");
    expect(await state.instance(record.id)).toEqual(record);
    expect(await state.lastSeq()).toBe(0);
    await state.releaseLease("controller", you);
    await state.acquireLease("controller", me, 1400, 500);
    expect(await write(1400)).toBe("committed");
  });
});
