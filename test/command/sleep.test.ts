import { expect, test } from "vitest";
import { spot, type TestWorld } from "../world.ts";
import { cloudWorld, data, machines, must } from "./cloud.ts";

/**
 * A server that is slow to warm up: it loads, compiles where its cache has nothing, and says what is done by when. It serves
 * when it is warm, and on a volume with a file `cold` it never does.
 */
const SERVER = `
say() { echo "$1" >>"$SPOT_PHASES_FILE"; }
sleep 1.2; say weights
cache=$VLLM_CACHE_ROOT/compiled
if [ -e "$cache" ]; then say from-cache; else mkdir -p "$VLLM_CACHE_ROOT"; : >"$cache"; say compile; fi
echo 1 >"$SPOT_CHECKPOINT_DIR/.n"; mv "$SPOT_CHECKPOINT_DIR/.n" "$SPOT_CHECKPOINT_DIR/n"
sleep 1.5; say warm; sleep 1000`;
const IS_WARM = 'test ! -e "$SPOT_VOLUME_DIR/cold" && grep -q warm "$SPOT_PHASES_FILE"';

const upServer = (world: TestWorld) =>
  must(
    world,
    ...["up", "--name", "serve", "--gpu", "A10G", "--volume", "serve:20:/data", "--yes"],
    ...["--ready-cmd", IS_WARM, "--", "sh", "-c", SERVER],
  );

const phases = (wake: { phases: { phase: string }[] }) => wake.phases.map(({ phase }) => phase);

test("before it sleeps it is said what that means, asleep as well; and each wake says where its time went", async () => {
  const world = await cloudWorld();
  await upServer(world);
  const [before] = await data(world, "hibernate", "serve", "--dry-run");
  expect(before).toMatchObject({
    state: "running",
    asleep: {
      way: "native",
      assumed: false,
      comesBack: { value: "if-stock", source: { by: "spot" } },
      rungs: ["same-machine", "same-zone", "copy", "on-demand"],
      memory: { value: "lost" },
      billed: {
        gpu: { value: "not-billed", price: null },
        rootDisk: { value: "billed", sizeGb: 50, price: { amount: "0.006850", currency: "USD", per: "hour", basis: "list" } },
        // 20 GB, as the cloud itself says.
        volume: { value: "billed", sizeGb: 20, price: { amount: "0.002740", basis: "provider" }, monthly: { amount: "2.000200" } },
        address: { value: "gone" },
      },
      kept: { value: "until-deleted", days: null },
      refusals: [],
    },
  });
  expect(await machines(world)).toBe(1);
  const shown = await must(world, "hibernate", "serve", "--dry-run");
  expect(shown.stdout).toContain("serve, asleep");
  // Each source is named once, however much it says.
  expect(shown.stdout).toMatch(/memory +lost; .* \[1\]\n/);
  expect(shown.stdout.match(/docs\/providers\/local\.md/g)).toHaveLength(1);

  const slept = await must(world, "hibernate", "serve");
  expect(slept.stderr).toContain("billed meanwhile: root disk $5.00/month, volume $2.00/month");
  const asleep = JSON.parse((await must(world, "show", "serve", "--json")).stdout).data;
  expect(asleep).toMatchObject({
    state: "hibernated",
    asleep: { way: "native", assumed: false },
    wakes: { served: 0, failed: 0, last: null },
  });

  const woken = await must(world, "restore", "serve", "--json");
  const { data: rows, wake } = JSON.parse(woken.stdout);
  expect(rows[0]).toMatchObject({ name: "serve", state: "running" });
  // The last one may be made while it is asked whether it is ready.
  expect(phases(wake).filter((phase) => phase !== "warm")).toEqual([
    ...["ask", "provider", "boot", "mount", "restore", "weights", "from-cache", "ready"],
  ]);
  expect(wake).toMatchObject({ outcome: "ready", rung: "same-machine", readyBy: ["command"], provider: "local" });
  expect(wake.phases.find(({ phase }: { phase: string }) => phase === "weights").seconds).toBeGreaterThan(0);
  const awake = JSON.parse((await must(world, "show", "serve", "--json")).stdout).data;
  expect(awake).toMatchObject({
    wakes: { served: 1, failed: 0, p50Seconds: wake.totalSeconds, p95Seconds: wake.totalSeconds, last: wake },
  });
  expect(awake.asleep).toBeUndefined();
  expect((await must(world, "show", "serve")).stdout).toMatch(/took +\S+s, the only one so far/);
  const compiled = 'test -e "$SPOT_VOLUME_DIR/spot/cache/VLLM_CACHE_ROOT/compiled"';
  await must(world, "exec", "serve", "--", "sh", "-c", compiled);
});

test("past the cap the record says during what it was given up, and so does the error", async () => {
  const world = await cloudWorld();
  await upServer(world);
  await must(world, "exec", "serve", "--", "sh", "-c", ': >"$SPOT_VOLUME_DIR/cold"');
  await must(world, "hibernate", "serve");
  const late = await spot(world, "restore", "serve", "--cap", "6s", "--json");
  expect(late.code).toBe(124);
  const { wakes } = JSON.parse((await must(world, "show", "serve", "--json")).stdout).data;
  expect(wakes).toMatchObject({ served: 0, failed: 1, p50Seconds: null, p95Seconds: null, last: { outcome: "asleep" } });
  expect(wakes.last.during).toMatch(/^(boot|mount|restore|ready)$/);
  expect(JSON.parse(late.stderr.trim().split("\n").at(-1) ?? "").error.hint).toMatch(
    new RegExp(`ask .*, ${wakes.last.during} \\S+ \\(not done\\)`),
  );
  expect((await must(world, "show", "serve")).stdout).toContain("1 did not come to serve");
});

test("a plan whose machine a reclaim would put to sleep says what that means", async () => {
  const world = await cloudWorld();
  const argv = ["up", "--name", "serve", "--gpu", "A10G", "--volume", "serve:20:/data", "--dry-run"];
  const [plain] = await data(world, ...argv, "--", "true");
  expect(plain.asleep).toBeUndefined();
  const [line] = await data(world, ...argv, "--on-reclaim", "hibernate", "--", "true");
  // Nobody has asked a machine that is not there, and a volume that is not there has no price of its own.
  expect(line.asleep).toMatchObject({ way: "native", assumed: true, billed: { volume: { price: { amount: "0.002740", basis: "list" } } } });
  const text = (await must(world, ...argv, "--on-reclaim", "hibernate", "--", "true")).stdout;
  expect(text.replaceAll(/\s+/g, " ")).toContain("After a reclaim serve: asleep by its cloud, if this machine can be; parked otherwise;");
});
