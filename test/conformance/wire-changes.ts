import { expect } from "vitest";
import { systemClock } from "../../src/platform/clock.ts";
import { isFault, type ProviderError } from "../../src/providers/errors.ts";
import type { Disturbance } from "../clouds/fake-server.ts";
import { eventually } from "./bench.ts";
import type { Row } from "./wire.ts";
import {
  alive,
  answer,
  type Change,
  changes,
  changesOf,
  everything,
  faultOf,
  foundBy,
  fresh,
  launchRequest,
  page,
  reads,
  struck,
  volumeSpec,
  type Wired,
} from "./wire-bench.ts";

const NEARLY_MS = 7_000;

/** Sends each kind of change once, with its own request struck, and gives how each of them failed. */
async function everyChange(wired: Wired, what: Disturbance, check: (change: Change, error: ProviderError) => void): Promise<void> {
  const { wire } = wired;
  const before = (await alive(wired)).length;
  const all = await changes(wired);
  for (const change of all) {
    const asked = wire.server.requests.length;
    const error = await struck(wired, what, change.isIt, () => faultOf(wired, change.send(), change.name));
    check(change, error);
    const sent = wire.server.requests.slice(asked).filter(change.isIt).length;
    expect(sent, `how often ${change.name} was sent`).toBe(1);
  }
  // The two that `changes` made for itself are still there, and nothing else.
  if (what.do === "answer" || what.do === "reset-before") expect(await alive(wired)).toHaveLength(before + 2);
}

const kindIs =
  (...kinds: readonly ProviderError["fault"]["kind"][]) =>
  ({ name }: Change, { fault }: ProviderError) =>
    expect(kinds, name).toContain(fault.kind);

async function lostLaunch(wired: Wired, what: Disturbance): Promise<void> {
  const { provider, wire, context, spec } = wired;
  const { isIt: isLaunch, token: dry } = await launchRequest(wired);
  const token = fresh();
  const asked = wire.server.requests.length;
  wire.server.disturb({ what, match: isLaunch });
  const { fault } = await faultOf(wired, provider.launch(spec(token), context), `launch under ${what.do}`);
  expect(["ambiguous", "protocol"]).toContain(fault.kind);
  if (what.do !== "cut-json") expect(fault.kind).toBe("ambiguous");
  expect(wire.server.requests.slice(asked).filter(isLaunch), "launches on the wire").toHaveLength(1);
  if (what.do === "reset-before") {
    expect((await alive(wired)).filter((one) => one.token === token)).toEqual([]);
    await provider.launch(spec(token), context);
  }
  expect(await foundBy(wired, token)).toBe(1);
  expect((await alive(wired)).map((one) => one.token).toSorted()).toEqual([dry, token].toSorted());
}

async function lostDestroy(wired: Wired, what: Disturbance): Promise<void> {
  const { provider, context, spec, reach, over } = wired;
  const { providerId } = await provider.launch(spec(fresh()), context);
  await reach(providerId, "running");
  wired.wire.server.disturb({ what, match: changesOf(wired) });
  const ended = await provider.destroy(providerId, context).catch((error: unknown) => error);
  // An answer that is cut may still say enough, where nothing of it is read.
  if (!["accepted", "gone"].includes(String(ended))) {
    const { fault } = await faultOf(wired, Promise.reject(ended), `destroy under ${what.do}`);
    expect(["ambiguous", "protocol"]).toContain(fault.kind);
  } else expect(["cut-json"], `destroy under ${what.do} ended well`).toContain(what.do);
  if (what.do === "reset-before") expect(await provider.get(providerId, context)).toMatchObject({ providerId, state: "running" });
  await eventually(async () => {
    try {
      await provider.destroy(providerId, context);
      return true;
    } catch (error) {
      if (isFault(error, "unavailable", "conflict")) return undefined;
      throw error;
    }
  }, "the second destroy");
  await over(providerId);
}

async function lostVolume(wired: Wired, what: Disturbance): Promise<void> {
  const { volumes } = wired.provider;
  if (volumes === undefined) return;
  // The first volume may need something made before it; then everything is there but the volume itself.
  await volumes.create(volumeSpec(wired, fresh()), wired.context);
  const token = fresh();
  wired.wire.server.disturb({ what, match: changesOf(wired) });
  const { fault } = await faultOf(wired, volumes.create(volumeSpec(wired, token), wired.context), `volume create under ${what.do}`);
  expect(["ambiguous", "protocol"]).toContain(fault.kind);
  const found = async () => (await volumes.list(wired.context)).filter((one) => one.token === token).length;
  if (what.do === "reset-before") {
    expect(await found()).toBe(0);
    await volumes.create(volumeSpec(wired, token), wired.context);
  }
  expect(await found()).toBe(1);
}

const DONE_BUT_UNSAID: readonly Disturbance[] = [{ do: "reset-after" }, { do: "truncate" }, { do: "cut-json" }];

async function limited(wired: Wired, headers: Readonly<Record<string, string>>, check: (ms: number | null) => void): Promise<void> {
  const { provider, context } = wired;
  const all = await changes(wired);
  const [first] = await alive(wired);
  const calls = [...reads(wired, first?.providerId ?? ""), ...all.map(({ name, send }) => [name, send] as const)];
  for (const [name, send] of calls) {
    const { fault } = await struck(wired, page(429, headers), everything, () => faultOf(wired, send(), name));
    if (fault.kind !== "rate-limited") throw new Error(`${name} under 429 is ${fault.kind}`);
    check(fault.retryAfterMs);
  }
  expect(await provider.list(context)).toHaveLength(2);
}

export const changeRows = {
  "refused credentials": {
    title: "401 and 403 are auth, whatever is asked; afterwards it works again",
    async run(wired) {
      const all = await changes(wired);
      const [first] = await alive(wired);
      const calls = [...reads(wired, first?.providerId ?? ""), ...all.map(({ name, send }) => [name, send] as const)];
      for (const what of [page(401), answer(403, { message: "no" })])
        for (const [name, send] of calls) {
          const { fault } = await struck(wired, what, everything, () => faultOf(wired, send(), name));
          expect(fault.kind, `${name} under ${JSON.stringify(what)}`).toBe("auth");
        }
      expect(await wired.provider.list(wired.context)).toHaveLength(2);
    },
  },
  "changes 404": {
    title: "a 404 where something was to be made says that nothing was",
    async run(wired) {
      for (const { name, send, isIt } of await changes(wired)) {
        const ended = await struck(wired, page(404), isIt, () => send().catch((error: unknown) => error));
        if (name === "destroy" && ["accepted", "gone"].includes(String(ended))) continue;
        const { fault } = await faultOf(wired, Promise.reject(ended), name);
        expect(["not-found", "invalid-request", "unavailable", "unsupported"], name).toContain(fault.kind);
      }
      expect(await alive(wired)).toHaveLength(2);
    },
  },
  "changes 409": {
    title: "a 409 is a conflict",
    run: (wired) =>
      everyChange(wired, page(409), (change, error) =>
        kindIs("conflict", ...(change.name === "destroy" ? (["unavailable"] as const) : []))(change, error),
      ),
  },
  "429 with seconds": {
    title: "429 is rate-limited, for as many seconds as were said",
    run: (wired) => limited(wired, { "retry-after": "7" }, (ms) => expect(ms).toBe(7_000)),
  },
  "429 with a date": {
    title: "429 is rate-limited, until the date that was said",
    run: (wired) =>
      limited(wired, { "retry-after": new Date(systemClock.now() + 600_000).toUTCString() }, (ms) =>
        expect(Math.abs((ms ?? 0) - 600_000)).toBeLessThan(NEARLY_MS + 30_000),
      ),
  },
  "429 without a word": {
    title: "429 without Retry-After, or with nonsense in it, waits as the provider likes, but not for ever",
    async run(wired) {
      const bounded = (ms: number | null) => expect(ms === null || (ms >= 0 && ms <= 24 * 60 * 60 * 1000), `${ms}`).toBe(true);
      await limited(wired, {}, bounded);
      const { provider, context } = wired;
      for (const nonsense of ["soon", "-5", "99999999999999999", "NaN", "Tue, 01 Jan 9999 00:00:00 GMT"]) {
        const what = page(429, { "retry-after": nonsense });
        const { fault } = await struck(wired, what, everything, () => faultOf(wired, provider.list(context), nonsense));
        bounded(fault.kind === "rate-limited" ? fault.retryAfterMs : -1);
      }
    },
  },
  "changes 5xx": {
    title: "a server or gateway that breaks down under a change may have done it: ambiguous, and sent once",
    async run(wired) {
      for (const what of [page(500), page(502), answer(503, { oops: true })]) {
        await everyChange(wired, what, kindIs("ambiguous"));
      }
    },
  },
  "changes html": {
    title: "a page for people with status 200 is no success",
    async run(wired) {
      for (const change of await changes(wired)) {
        const ended = await struck(wired, page(200), change.isIt, () => change.send().catch((error: unknown) => error));
        // What is destroyed may be taken as on its way: whether it is gone, get tells.
        if (change.name === "destroy" && ended === "accepted") continue;
        kindIs("ambiguous", "protocol")(change, await faultOf(wired, Promise.reject(ended), change.name));
      }
    },
  },
  "before the launch": {
    title: "what fails while a launch is being prepared is not ambiguous: nothing was launched",
    async run(wired) {
      const { provider, wire, context, spec } = wired;
      const token = fresh();
      const asked = wire.server.requests.length;
      wire.server.disturb({ what: page(500), match: changesOf(wired) });
      const { fault } = await faultOf(wired, provider.launch(spec(token), context), "launch");
      const [first] = wire.server.requests.slice(asked).filter(changesOf(wired));
      wire.server.calm();
      const dry = await launchRequest(wired);
      const wasTheLaunch = first !== undefined && dry.isIt(first);
      expect(fault.kind).toBe(wasTheLaunch ? "ambiguous" : "unavailable");
      expect((await alive(wired)).map((one) => one.token)).toEqual([dry.token]);
    },
  },
  "slow changes": {
    title: "an answer to a change that drips in is waited for",
    async run(wired) {
      for (const { send, isIt, name } of await changes(wired)) {
        wired.wire.server.disturb({ what: { do: "drip", ms: 300 }, match: isIt });
        await expect(send(), name).resolves.toBeDefined();
      }
    },
  },
  "stalled changes": {
    title: "a change that stalls ends with the signal, and is ambiguous",
    async run(wired) {
      const { provider, wire, spec, context } = wired;
      const { isIt: isLaunch } = await launchRequest(wired);
      for (const what of [{ do: "stall", ms: 60_000 } as const, { do: "drip", ms: 60_000 } as const]) {
        const token = fresh();
        const own = new AbortController();
        const asked = wire.server.requests.length;
        wire.server.disturb({ what, match: isLaunch });
        const launching = faultOf(wired, provider.launch(spec(token), { signal: own.signal }), "launch");
        await eventually(async () => (wire.server.requests.slice(asked).some(isLaunch) ? true : undefined), "the launch");
        await systemClock.sleep(50);
        own.abort();
        expect((await launching).fault.kind, what.do).toBe("ambiguous");
        const found = (await provider.list(context)).filter((one) => one.token === token);
        expect(found, what.do).toHaveLength(what.do === "drip" ? 1 : 0);
      }
    },
  },
  "launch not done": {
    title: "a connection that breaks before the launch was done: ambiguous, and one machine after the second try",
    run: (wired) => lostLaunch(wired, { do: "reset-before" }),
  },
  "launch done": {
    title: "a connection that breaks after the launch was done, or an answer that is cut: its token is found, once",
    async run(wired) {
      for (const what of DONE_BUT_UNSAID) {
        await lostLaunch(wired, what);
        for (const { providerId } of await alive(wired)) {
          await wired.reach(providerId, "running");
          await wired.provider.destroy(providerId, wired.context);
          await wired.over(providerId);
        }
      }
    },
  },
  "destroy not done": {
    title: "a connection that breaks before the destroy was done: it lives, and goes at the second try",
    run: (wired) => lostDestroy(wired, { do: "reset-before" }),
  },
  "destroy done": {
    title: "a connection that breaks after the destroy was done, or an answer that is cut: ambiguous, and over",
    async run(wired) {
      for (const what of DONE_BUT_UNSAID) await lostDestroy(wired, what);
    },
  },
  "volume not done": {
    title: "a connection that breaks before a volume was made: one volume after the second try",
    onlyFor: ({ volumes }) => volumes,
    run: (wired) => lostVolume(wired, { do: "reset-before" }),
  },
  "volume done": {
    title: "a connection that breaks after a volume was made, or an answer that is cut: its token is found, once",
    onlyFor: ({ volumes }) => volumes,
    async run(wired) {
      for (const what of DONE_BUT_UNSAID) await lostVolume(wired, what);
    },
  },
} satisfies Readonly<Record<string, Row>>;
