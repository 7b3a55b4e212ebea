import { expect, test } from "vitest";
import { spot, type TestWorld } from "../world.ts";
import { cloudWorld, data, machines, must } from "./cloud.ts";

/** A workload that counts, and goes on from what is put back. */
const COUNTER =
  'n=$(cat "$SPOT_CHECKPOINT_DIR/count" 2>/dev/null || echo 0); echo "from $n"; while :; do n=$((n + 1)); echo $n >"$SPOT_CHECKPOINT_DIR/.count"; mv "$SPOT_CHECKPOINT_DIR/.count" "$SPOT_CHECKPOINT_DIR/count"; sleep 0.2; done';

async function asleep(world: TestWorld): Promise<{ readonly region: string; readonly zone: string }> {
  await must(world, "up", "--name", "trainer", "--gpu", "A10G", "--volume", "work:1:/data", "--yes", "--", "sh", "-c", COUNTER);
  await expect
    .poll(async () => (await spot(world, "exec", "trainer", "--", "sh", "-c", 'test -s "$SPOT_CHECKPOINT_DIR/count"')).code, {
      timeout: 20_000,
    })
    .toBe(0);
  const [record] = await data(world, "hibernate", "trainer");
  return { region: record.region, zone: record.zone };
}

/** Every machine of the region is somebody else's. */
async function fill(world: TestWorld, region: string): Promise<void> {
  await must(world, "local", "market", "--stock", "a10g.1=1");
  for (const zone of region === "local-east" ? ["local-east-a", "local-east-b"] : ["local-west-a"])
    await must(world, "up", "--name", zone, "--gpu", "A10G", "--region", zone, "--volume", "none", "--yes", "--", "sleep", "1000");
}

interface LadderRung {
  readonly rung: string;
  readonly open: boolean;
  readonly place: { readonly region: string } | null;
}

test("where its region has nothing left it comes back in another one, with its newest checkpoint, and the ladder says so before", async () => {
  const world = await cloudWorld();
  const { region } = await asleep(world);
  await fill(world, region);
  const { ladder, data: rows } = JSON.parse((await must(world, "restore", "trainer", "--dry-run", "--yes", "--json")).stdout);
  expect(rows).toMatchObject([{ name: "trainer", state: "hibernated" }]);
  const order = (ladder as readonly LadderRung[]).map(({ rung, open }) => `${rung} ${open}`);
  // Whether the sleeping machine has hardware is known only once it is asked for.
  expect(order).toEqual(["same-machine true", "same-zone false", "snapshot false", "copy true", "on-demand false"]);
  expect(ladder[3].place.region).not.toBe(region);
  expect(ladder[3].price).toMatchObject({ currency: "USD", per: "hour" });
  expect((await must(world, "restore", "trainer", "--dry-run", "--yes")).stdout).toMatch(/4 +copy +open/);
  expect(await machines(world)).toBe(region === "local-east" ? 3 : 2);

  const restored = await must(world, "restore", "trainer", "--yes", "--json");
  const [awake] = JSON.parse(restored.stdout).data;
  expect(awake).toMatchObject({ state: "running" });
  expect(awake.region).not.toBe(region);
  expect(awake.volumes).toMatchObject([{ name: "work" }]);
  await expect.poll(async () => (await spot(world, "logs", "trainer")).stdout, { timeout: 20_000 }).toMatch(/from [1-9]/);
  const volumes: readonly { readonly name: string; readonly region: string }[] = await data(world, "volumes", "ls");
  expect(volumes.find(({ name }) => name === "work")?.region).toBe(awake.region);
  expect(volumes.map(({ name, region: where }) => [name.startsWith("work-"), where])).toContainEqual([true, region]);
  // The same checkpoint on both, and sealed.
  const sealed: readonly { readonly id: string; readonly volume: string }[] = await data(world, "checkpoints", "ls", "trainer");
  expect(new Set(sealed.map(({ volume }) => volume)).size).toBe(2);
  const wakes = await data(world, "show", "trainer");
  expect(JSON.stringify(wakes)).toContain('"rung":"copy"');
}, 90_000);

test("what is not there is waited for no longer than was said", async () => {
  const world = await cloudWorld();
  await asleep(world);
  await must(world, "local", "market", "--stock", "a10g.1=0");
  const patient = await spot(world, "restore", "trainer", "--cap", "1s", "--until-up", "--for", "3s");
  expect([patient.code, patient.stderr]).toEqual([5, expect.stringContaining("did not come back in 3.0s; it is hibernated")]);
  expect(await spot(world, "restore", "trainer", "--for", "3s")).toMatchObject({ code: 2 });
  expect(await spot(world, "restore", "trainer", "--allow", "sister")).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("--allow"),
  });
  expect((await data(world, "ls"))[0]).toMatchObject({ state: "hibernated" });
  expect(await machines(world)).toBe(1);
}, 90_000);
