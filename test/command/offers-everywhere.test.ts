import { afterAll, beforeAll, expect, test } from "vitest";
import { systemClock } from "../../src/platform/clock.ts";
import { IMITATED_CLOUDS, type ImitatedCloud } from "../clouds/every-cloud.ts";
import type { Disturbance } from "../clouds/fake-server.ts";
import { spot } from "../world.ts";
import { cloudWorld } from "./cloud.ts";

const clouds: Record<string, ImitatedCloud> = {};

beforeAll(async () => {
  for (const [name, make] of Object.entries(IMITATED_CLOUDS)) clouds[name] = await make({ clock: systemClock });
});

afterAll(async () => {
  for (const cloud of Object.values(clouds)) await cloud.close();
});

/** From now on every request to a cloud ends like that. */
function disturb(name: string, what: Disturbance): void {
  clouds[name]?.server.disturb({ what, times: 1_000 });
}

test("every cloud is asked at once; of those that fail and the one that hangs the name is said, in time and with exit 0", async () => {
  const world = await cloudWorld();
  const env = Object.assign({}, ...Object.values(clouds).map((cloud) => cloud.env));
  const everywhere = { ...world, env: { ...world.env, ...env } };
  const whole = await spot(
    everywhere,
    "offers",
    "--provider",
    `local,${Object.keys(clouds)}`,
    "--gpu",
    "A100",
    "--billing",
    "spot",
    "--json",
  );
  expect([whole.code, whole.stderr]).toEqual([0, ""]);
  const offers: { provider: string }[] = JSON.parse(whole.stdout).data;
  const all = new Set(offers.map((offer) => offer.provider));
  // What a cloud does not tell is null, never left out: a script may read every field of every cloud.
  expect(new Set(offers.map((offer) => Object.keys(offer).join())).size).toBe(1);

  disturb("verda", { do: "answer", answer: { status: 500, body: "<html>down for maintenance</html>" } });
  disturb("ppio", { do: "reset-before" });
  disturb("hyperstack", { do: "stall", ms: 60_000 });
  const began = performance.now();
  const some = await spot(
    everywhere,
    "offers",
    "--provider",
    `local,${Object.keys(clouds)}`,
    "--gpu",
    "A100",
    "--billing",
    "spot",
    "--json",
    "--timeout",
    "10s",
  );
  const seconds = (performance.now() - began) / 1000;
  expect(some.code).toBe(0);
  const { missing } = JSON.parse(some.stdout);
  expect(missing.map(({ provider }: { provider: string }) => provider).toSorted()).toEqual(["hyperstack", "ppio", "verda"]);
  expect(missing).toContainEqual({ provider: "hyperstack", why: "no answer within 9 s" });
  const { data, sources }: { data: { provider: string; source: string }[]; sources: { provider: string }[] } = JSON.parse(some.stdout);
  // A list speaks for whoever did not, and says so.
  expect(sources).toMatchObject([{ provider: "hyperstack", source: "bundled", stale: true }]);
  expect(data.filter(({ provider }) => provider === "hyperstack").map(({ source }) => source)).toEqual(["bundled"]);
  const left = new Set(data.map(({ provider }) => provider).filter((provider) => provider !== "hyperstack"));
  expect([...left].toSorted()).toEqual([...all].filter((name) => !["verda", "ppio", "hyperstack"].includes(name)).toSorted());
  for (const name of ["aws", "gcp", "alibaba"].filter((one) => one in clouds)) expect(left).toContain(name);
  process.stdout.write(`offers everywhere, two broken and one hanging: ${seconds.toFixed(1)} s of the 10 allowed, from ${[...left]}\n`);
}, 60_000);
