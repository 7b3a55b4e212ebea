import { describe, expect, onTestFinished, test } from "vitest";
import { takeDown } from "../../src/fleet/park.ts";
import { reconcile } from "../../src/fleet/pass.ts";
import { gcpProvider } from "../../src/providers/gcp/provider.ts";
import { type FakeGcp, fakeGcp } from "../clouds/gcp/fake.ts";
import type { Delays, Switches } from "../clouds/gcp/switches.ts";
import { up } from "../simulation/scenarios.ts";
import { wireWorld } from "../wire-sweep/wire-world.ts";

const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;
const signal = new AbortController().signal;
const limits = { signal, limitMs: HOUR_MS, snapshot: true };

/** The fleet itself on a Compute Engine of its own, its agents on paper, in a time that passes by itself. */
async function fleetAtGoogle(delays: Partial<Delays> = {}, switches: Partial<Switches> = {}) {
  await import("../../src/providers/gcp/google-library.ts");
  let made: FakeGcp | undefined;
  const world = await wireWorld(async (clock) => {
    made = await fakeGcp({ clock, delays, switches });
    // No path: what is kept on a disk would be waited for by no virtual clock.
    const provider = await gcpProvider({ env: made.env, home: "/nowhere\0", clock });
    const { server, living, volumes, close } = made;
    return { provider, server, living, volumes, giveNotice: async () => false, close };
  });
  onTestFinished(() => world.close());
  const fake = made;
  if (fake === undefined) throw new Error("no cloud");
  const inserts = () =>
    fake.server.requests
      .filter(({ method, path }) => method === "POST" && path.endsWith("/instances"))
      .map((request) => request.json() as Readonly<Record<string, unknown>>);
  return { world, fake, fleet: world.start(), inserts, run: <Result>(work: Promise<Result>) => world.clock.run(work) };
}

/** What the cheapest machine has, everywhere. */
const CHEAPEST = "nvidia-tesla-t4";

describe("the fleet at Google Compute Engine", () => {
  test.each([
    ["at once", 1_000],
    ["minutes later", 3 * MINUTE_MS],
  ] as const)("a stock-out that comes %s: another offer, and nothing is left of the first", async (_when, provisioningMs) => {
    const { fake, fleet, world, inserts, run } = await fleetAtGoogle({ provisioningMs });
    fake.setStock(CHEAPEST, 0);
    let asked = 0;
    fake.server.disturb({
      what: { do: "reset-before" },
      match({ method, path }) {
        if (method === "POST" && path.endsWith("/instances") && ++asked === 2) fake.setStock(CHEAPEST, 1_000);
        return false;
      },
    });
    const record = await run(up(fleet, world.spec));
    expect(record.state).toBe("running");
    const wanted = inserts().map((body) => JSON.stringify([body["machineType"], body["guestAccelerators"]]));
    expect(wanted).toHaveLength(2);
    expect(wanted[0]).toContain(CHEAPEST);
    expect(wanted[1]).not.toBe(wanted[0]);
    expect(fake.living()).toMatchObject([{ providerId: record.providerId }]);
    // The data disk lies where the machine is, and nowhere else is one.
    expect(fake.volumes()).toMatchObject([{ attachedTo: record.providerId }]);
    await run(takeDown(fleet, record, limits));
    expect(fake.living()).toEqual([]);
  });

  test("what a reclaim leaves is cleared away: nothing but the data disk goes on costing", async () => {
    const { fake, fleet, world, run } = await fleetAtGoogle();
    const record = await run(up(fleet, world.spec));
    await fake.reclaim(record.providerId ?? "");
    await world.clock.pass(MINUTE_MS);
    expect(fake.living()).toMatchObject([{ status: "TERMINATED" }]);
    await run(reconcile(fleet, limits));
    await world.clock.pass(MINUTE_MS);
    expect(await world.state.instance(record.id)).toMatchObject({ state: "hibernated", parked: "recreate" });
    expect(fake.living()).toEqual([]);
    expect(fake.volumes()).toMatchObject([{ attachedTo: null }]);
  });

  test("a machine that shut itself down is let go, and its boot disk with it", async () => {
    const { fake, fleet, world, run } = await fleetAtGoogle();
    const record = await run(up(fleet, world.spec));
    await fake.shutDown(record.providerId ?? "");
    await world.clock.pass(MINUTE_MS);
    await run(reconcile(fleet, limits));
    await world.clock.pass(MINUTE_MS);
    await run(reconcile(fleet, limits));
    expect(await world.state.instance(record.id)).toMatchObject({ state: "gone" });
    expect(fake.living()).toEqual([]);
    expect(fake.volumes()).toHaveLength(1);
  });
});
