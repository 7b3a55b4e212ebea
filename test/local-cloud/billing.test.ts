import { expect, onTestFinished, test } from "vitest";
import { costOf } from "../../src/model/money.ts";
import { handClock } from "./hand-clock.ts";
import { context, launchSpec, reached, runningCloud } from "./running-cloud.ts";

test("bills every begun second: the GPU while it runs, the disk while it sleeps, the volume as long as it lives", async () => {
  const clock = handClock(Date.UTC(2026, 4, 1));
  const { provider, close } = await runningCloud({ clock });
  onTestFinished(close);
  const { volumes, hibernation, billing } = provider;
  const spec = await launchSpec(provider, "t-1");
  const disk = await volumes?.create(
    { name: "disk", token: "v-1", sizeGb: 100, region: spec.offer.region, zone: spec.offer.zone },
    context,
  );
  const { providerId, price } = await provider.launch(
    { ...spec, volumes: [{ providerVolumeId: disk?.providerId ?? "", mount: "/data" }] },
    context,
  );
  // Provisioning costs nothing.
  clock.advance(1000);
  await reached(provider, providerId, "running");
  clock.advance(90_500);
  await hibernation?.hibernate(providerId, context);
  clock.advance(1000);
  await reached(provider, providerId, "hibernated");
  clock.advance(3_600_000);
  await hibernation?.restore(providerId, context);
  clock.advance(1000);
  await reached(provider, providerId, "running");
  clock.advance(45_200);
  await provider.destroy(providerId, context);
  await reached(provider, providerId, "gone");
  clock.advance(10_000_000);
  await volumes?.remove(disk?.providerId ?? "", context);
  clock.advance(10_000_000);

  const items = (await billing?.billed(0, context)) ?? [];
  const seconds = items.map(({ resourceId, kind, from, to }) => [
    resourceId === providerId ? "instance" : "volume",
    kind,
    (to - from) / 1000,
  ]);
  expect(seconds).toEqual([
    ["volume", "disk", 13_738.7],
    ["instance", "gpu", 90.5],
    ["instance", "disk", 3602],
    ["instance", "gpu", 45.2],
  ]);
  if (price === null) throw new Error("no price");
  const gpu = items.filter(({ kind }) => kind === "gpu").map(({ amount }) => amount);
  expect(gpu).toEqual([costOf(price, 91_000), costOf(price, 46_000)]);
  // 50 GB of root disk and 100 GB of volume at 137 millionths per gigabyte-hour.
  const disks = items.filter(({ kind }) => kind === "disk").map(({ amount }) => amount.micros);
  expect(disks).toEqual([13_700n * 13_739n, 6_850n * 3602n].map((micros) => (micros + 1800n) / 3600n));
  expect(await billing?.billed(clock.now() - 1, context)).toEqual([]);
});

test("what still runs is billed until now", async () => {
  const clock = handClock(Date.UTC(2026, 4, 1));
  const { provider, close } = await runningCloud({ clock });
  onTestFinished(close);
  const { providerId } = await provider.launch(await launchSpec(provider, "t-1"), context);
  clock.advance(1000);
  await reached(provider, providerId, "running");
  clock.advance(7_000);
  expect(await provider.billing?.billed(clock.now(), context)).toMatchObject([{ kind: "gpu", to: clock.now() }]);
});
