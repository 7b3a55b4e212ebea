import { expect } from "vitest";
import { systemClock } from "../../src/platform/clock.ts";
import { type FaultKind, isFault } from "../../src/providers/errors.ts";
import type { FakeRequest } from "../clouds/fake-server.ts";
import { eventually } from "./bench.ts";
import type { Row } from "./wire.ts";
import { alive, answer, everything, faultOf, foundBy, fresh, page, reads, readsOf, struck, type Wired } from "./wire-bench.ts";

const TWO_HOURS_MS = 2 * 60 * 60 * 1000;
/** Dates in headers have whole seconds, and a clock that is off by less than a few is not corrected. */
/** What a slow computer may lose between a word and its reading: far less than the hours and days that are told apart. */
const NEARLY_MS = 40_000;

/** What 300 MB may take at their worst: the 64 that are read before it is too much, and what two processes in one need besides. */
const MOST_MEGABYTES = 200;

async function machine({ provider, context, spec, reach }: Wired): Promise<string> {
  const { providerId } = await provider.launch(spec(fresh()), context);
  await reach(providerId, "running");
  return providerId;
}

/** Every read, struck at every request, ends with one of these faults. */
async function everyReadIs(wired: Wired, what: Parameters<typeof struck>[1], kinds: readonly FaultKind[], match = readsOf(wired)) {
  const providerId = await machine(wired);
  await struck(wired, what, match, () =>
    Promise.all(
      reads(wired, providerId).map(async ([name, send]) => {
        const { fault } = await faultOf(wired, send(), name);
        expect(kinds, `${name} under ${JSON.stringify(what)}`).toContain(fault.kind);
      }),
    ),
  );
  expect(await wired.provider.get(providerId, wired.context)).toMatchObject({ providerId });
}

/** One struck request of a read is made good by asking again. */
async function goesUnseen(wired: Wired, what: Parameters<typeof struck>[1]) {
  const providerId = await machine(wired);
  for (const [name, send] of reads(wired, providerId)) {
    wired.wire.server.disturb({ what, match: readsOf(wired) });
    await expect(send(), `${name} under one ${what.do}`).resolves.toBeDefined();
    wired.wire.server.calm();
  }
  expect((await alive(wired)).map((one) => one.providerId)).toEqual([providerId]);
}

/** More than a page of any list whose page is not told. */
const MANY = 110;

export const readRows = {
  "empty account": {
    title: "nothing rented is an empty list",
    async run({ provider, context }) {
      expect(await provider.list(context)).toEqual([]);
      expect(await provider.volumes?.list(context)).toEqual(provider.volumes === undefined ? undefined : []);
    },
  },
  "reads 404": {
    title: "a 404 for everything is never an empty account, nor an empty market",
    async run(wired) {
      const providerId = await machine(wired);
      await struck(wired, page(404), readsOf(wired), async () => {
        for (const [name, send] of reads(wired, providerId)) if (name !== "get") await faultOf(wired, send(), name);
      });
      expect(await wired.provider.get(providerId, wired.context)).toMatchObject({ providerId });
    },
  },
  "single 404": {
    title: "one 404 does not prove that a machine is gone",
    onlyFor: ({ looksTwice }) => looksTwice === true,
    async run(wired) {
      const providerId = await machine(wired);
      wired.wire.server.disturb({ what: page(404), match: readsOf(wired) });
      expect(await wired.provider.get(providerId, wired.context)).toMatchObject({ providerId });
    },
  },
  "reads 5xx": {
    title: "a server that stays broken is unavailable after a few questions",
    async run(wired) {
      for (const status of [500, 502, 503]) {
        const before = wired.wire.server.requests.length;
        await everyReadIs(wired, page(status), ["unavailable"]);
        expect(wired.wire.server.requests.length - before, "questions").toBeLessThan(60);
      }
    },
  },
  "reads one 5xx": {
    title: "a single 500, 502, 503 or 504 goes unseen",
    async run(wired) {
      for (const status of [500, 502, 503, 504]) await goesUnseen(wired, page(status)).finally(() => wipe(wired));
    },
  },
  "reads reset": {
    title: "one connection that breaks goes unseen; a server that breaks every one is unavailable",
    async run(wired) {
      for (const what of ["reset-before", "reset-after", "truncate"] as const) {
        await goesUnseen(wired, { do: what });
        await wipe(wired);
        await everyReadIs(wired, { do: what }, ["unavailable"]);
        await wipe(wired);
      }
    },
  },
  "reads cut": {
    title: "JSON that ends in the middle is a protocol fault, never half a list",
    run: (wired) => everyReadIs(wired, { do: "cut-json" }, ["protocol"]),
  },
  "reads html": {
    title: "a page for people with status 200 is a protocol fault",
    run: (wired) => everyReadIs(wired, page(200), ["protocol"]),
  },
  "reads of another shape": {
    title: "an answer of another shape is never taken as nothing",
    async run(wired) {
      for (const body of ["", "null", "42", "{}", '{"error":"try later"}', '[{"unheard":"of"}]'])
        await everyReadIs(wired, answer(200, body, { "content-type": "application/json" }), ["protocol"]).finally(() => wipe(wired));
    },
  },
  "half a list": {
    title: "a list whose second page is refused is no list",
    async run(wired) {
      const { provider, controls, context, offer, spec } = wired;
      await controls.holdProvisioning();
      const many = wired.wire.many ?? MANY;
      await controls.setStock(offer.type, many + 10);
      for (let count = 0; count < many; count++) await provider.launch(spec(fresh()), context);
      expect(new Set((await alive(wired)).map(({ token }) => token)).size).toBe(many);
      let seen = 0;
      const afterTheFirst = (request: FakeRequest) => readsOf(wired)(request) && ++seen > 1;
      const listed = await struck(wired, page(503), afterTheFirst, () => provider.list(context).catch((error: unknown) => error));
      if (Array.isArray(listed)) expect(listed).toHaveLength(many);
      else await faultOf(wired, Promise.reject(listed), "list");
    },
  },
  "list that moves": {
    title: "a machine that ends while the list is read costs no other its place in it",
    async run(wired) {
      const { provider, controls, wire, context, offer, spec } = wired;
      await controls.holdProvisioning();
      const many = wired.wire.many ?? MANY;
      await controls.setStock(offer.type, many + 10);
      for (let count = 0; count < many; count++) await provider.launch(spec(fresh()), context);
      const [first] = await alive(wired);
      if (first === undefined) throw new Error("an empty list");
      const asked = wire.server.requests.length;
      // The first page is read as it was before; the others are asked for afterwards.
      wire.server.disturb({ what: { do: "drip", ms: 400 }, match: readsOf(wired) });
      const listing = provider.list(context);
      await eventually(async () => (wire.server.requests.length > asked ? true : undefined), "the first page");
      await provider.destroy(first.providerId, context).catch((error: unknown) => {
        if (!isFault(error, "unavailable")) throw error;
      });
      const listed = new Set((await listing).map(({ providerId }) => providerId));
      listed.delete(first.providerId);
      expect(listed.size).toBe(many - 1);
    },
  },
  "slow answers": {
    title: "an answer that drips in is waited for",
    async run(wired) {
      const providerId = await machine(wired);
      for (const [name, send] of reads(wired, providerId)) {
        wired.wire.server.disturb({ what: { do: "drip", ms: 300 }, match: readsOf(wired) });
        await expect(send(), name).resolves.toBeDefined();
      }
    },
  },
  "stalled reads": {
    title: "a read that stalls, or whose body does, ends with the signal",
    async run(wired) {
      const { provider, wire } = wired;
      // Longer than a test may take.
      for (const what of [{ do: "stall", ms: 600_000 } as const, { do: "drip", ms: 600_000 } as const])
        await struck(wired, what, readsOf(wired), async () => {
          const own = new AbortController();
          const before = wire.server.requests.length;
          const listing = faultOf(wired, provider.list({ signal: own.signal }), "list");
          await eventually(async () => (wire.server.requests.length > before ? true : undefined), "the question");
          await systemClock.sleep(100);
          own.abort();
          expect((await listing).fault.kind).toBe("unavailable");
        });
    },
  },
  "huge answers": {
    title: "a body of 10 MB that says no, and one of 300 MB that says yes, are bounded in memory and read within a test's time",
    async run(wired) {
      const { provider, context } = wired;
      const before = process.memoryUsage.rss();
      let most = before;
      const look = setInterval(() => {
        most = Math.max(most, process.memoryUsage.rss());
      }, 5);
      await struck(wired, { do: "huge", status: 400, bytes: 10_000_000 }, everything, () => faultOf(wired, provider.list(context), "list"));
      const { fault } = await struck(wired, { do: "huge", status: 200, bytes: 300_000_000 }, everything, () =>
        faultOf(wired, provider.list(context), "list"),
      );
      clearInterval(look);
      expect(fault.kind).toBe("protocol");
      expect((most - before) / 1e6, "megabytes").toBeLessThan(MOST_MEGABYTES);
      expect(await provider.list(context)).toEqual([]);
    },
  },
  "unknown states": {
    title: "a state word that no document knows is unknown, kept as it is, and costs no list",
    async run(wired) {
      const { provider, context } = wired;
      const providerId = await machine(wired);
      await machine(wired);
      wired.wire.useUnknownState();
      const listed = await provider.list(context);
      expect(listed.map(({ state }) => state)).toEqual(["unknown", "unknown"]);
      for (const { rawState } of listed) expect(rawState).not.toMatch(/^(unknown)?$/);
      expect(await provider.get(providerId, context)).toMatchObject({ state: "unknown", rawState: listed[0]?.rawState });
    },
  },
  "clock ahead": {
    title: "a cloud whose clock is two hours ahead: deadlines in our time, nothing expires",
    run: (wired) => skewed(wired, TWO_HOURS_MS),
  },
  "clock behind": {
    title: "a cloud whose clock is two hours behind: deadlines in our time, nothing expires",
    run: (wired) => skewed(wired, -TWO_HOURS_MS),
  },
} satisfies Readonly<Record<string, Row>>;

/** Gives back what a round of a row rented. */
async function wipe(wired: Wired): Promise<void> {
  const { provider, context, over } = wired;
  for (const { providerId } of await alive(wired)) {
    await provider.destroy(providerId, context);
    await over(providerId);
  }
}

async function skewed(wired: Wired, ms: number): Promise<void> {
  const { provider, controls, wire, context } = wired;
  const providerId = await machine(wired);
  wire.skewClock(ms);
  const token = fresh();
  const launched = await provider.launch(wired.spec(token), context);
  expect(await foundBy(wired, token)).toBe(1);
  await wired.reach(launched.providerId, "running");
  const inAMinute = await struck(
    wired,
    page(429, { "retry-after": new Date(systemClock.now() + ms + 60_000).toUTCString() }),
    everything,
    () => faultOf(wired, provider.list(context), "list"),
  );
  const retryAfterMs = inAMinute.fault.kind === "rate-limited" ? inAMinute.fault.retryAfterMs : null;
  expect(Math.abs((retryAfterMs ?? 0) - 60_000), "Retry-After as a date").toBeLessThan(NEARLY_MS);
  for (const one of await provider.list(context)) {
    expect(one).toMatchObject({ state: "running", notice: null });
    if (one.protectedUntil !== null)
      expect(Math.abs(one.protectedUntil - systemClock.now() - provider.capabilities.protectionSeconds * 1000)).toBeLessThan(60_000);
  }
  await controls.giveNotice(providerId, 60);
  if (provider.capabilities.noticeSeconds === 0) return;
  const { notice } = await eventually(
    async () => (await provider.list(context)).find((one) => one.providerId === providerId && one.notice !== null),
    "the notice",
  );
  // Where the cloud says no time, the deadline is assumed: so long after it was first seen as a notice usually is.
  const inMs = notice?.assumed === true ? provider.capabilities.noticeSeconds * 1000 : 60_000;
  expect(Math.abs((notice?.deadline ?? 0) - systemClock.now() - inMs), "the deadline").toBeLessThan(NEARLY_MS);
}
