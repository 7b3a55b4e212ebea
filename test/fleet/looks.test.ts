import { expect, onTestFinished, test } from "vitest";
import { look } from "../../src/fleet/hearing/look.ts";
import { changeover, type Looks, noteNotServing } from "../../src/fleet/looks.ts";
import { planLaunch } from "../../src/fleet/steps/plan.ts";
import { bringUp, claimName, newRecord } from "../../src/fleet/up.ts";
import { paperSpec, paperWorld } from "../simulation/paper-world.ts";
import { machine, NOW, record } from "./samples.ts";

const MINUTE = 60_000;
const here = { kind: "here", instance: machine() } as const;
const launched = record({ state: "provisioning", readyAt: null, changedAt: NOW - 5 * MINUTE });

test.each([
  ["somebody saw it a minute before", MINUTE, {}, 5 * MINUTE],
  ["the look before was longer ago", MINUTE + 1, {}, null],
  ["the clock was set back since", -1, {}, null],
  ["the machine before was seen", MINUTE, { providerId: "m-2" }, null],
  ["it comes back from its sleep", MINUTE, { state: "restoring" }, null],
] as const)("how long a launch took is known where it was watched: %s", (_, agoMs, set, expected) => {
  const looks: Looks = new Map();
  noteNotServing(looks, launched, here, NOW - agoMs);
  expect(changeover({ ...launched, ...set }, looks, NOW)).toBe(expected);
  // It is measured once.
  expect(changeover(launched, looks, NOW)).toBeNull();
});

test("what does not answer, or is there no more, was not seen", () => {
  const looks: Looks = new Map();
  noteNotServing(looks, launched, { kind: "silent", why: "no answer" }, NOW);
  noteNotServing(looks, launched, { kind: "gone", instance: null }, NOW);
  noteNotServing(looks, record(), here, NOW);
  expect(looks.size).toBe(0);
  expect(changeover(launched, undefined, NOW)).toBeNull();
});

test.each([
  ["watched until it served", 0],
  ["with --no-wait, and eight hours later somebody looks", 8 * 60 * MINUTE],
])("up %s", async (_, awayMs) => {
  const world = await paperWorld({ provisionMs: 20_000 });
  onTestFinished(() => world.state.close());
  const { fleet } = world.start();
  const signal = new AbortController().signal;
  const began = world.clock.now();
  await world.clock.run(
    (async () => {
      const [offer] = (await planLaunch(fleet, paperSpec(), signal)).offers;
      if (offer === undefined) throw new Error("no offer");
      const asked = newRecord(fleet, paperSpec(), offer);
      await claimName(fleet, asked);
      await bringUp(fleet, asked, { signal, limitMs: MINUTE, waitFor: awayMs === 0 ? "ready" : "machine", ours: true });
    })(),
  );
  if (awayMs > 0) {
    await world.clock.pass(awayMs);
    await world.clock.run(look(world.start().fleet, signal));
  }
  const [serves] = await world.state.instances();
  expect(serves?.state).toBe("running");
  if (awayMs > 0) expect(serves?.outlook).toMatchObject({ changeoverMs: null });
  else {
    expect(serves?.outlook.changeoverOf).toEqual({ provider: "paper", at: serves?.readyAt });
    expect(serves?.outlook.changeoverMs).toBeGreaterThanOrEqual(20_000);
    expect(serves?.outlook.changeoverMs).toBeLessThanOrEqual((serves?.readyAt ?? 0) - began);
  }
});
