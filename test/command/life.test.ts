import { appendFileSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { eventually } from "../guest/machine.ts";
import { spot, type TestWorld, temporaryFolder } from "../world.ts";
import { cloudWorld, data, machines, must } from "./cloud.ts";

/** A workload that counts: each number goes into the checkpoint folder by rename. */
const COUNTER =
  'n=$(cat "$SPOT_CHECKPOINT_DIR/count" 2>/dev/null || echo 0); echo "from $n"; while :; do n=$((n + 1)); echo $n >"$SPOT_CHECKPOINT_DIR/.count"; mv "$SPOT_CHECKPOINT_DIR/.count" "$SPOT_CHECKPOINT_DIR/count"; sleep 0.2; done';

const upTrainer = (world: TestWorld, ...more: readonly string[]) =>
  must(world, "up", "--name", "trainer", "--gpu", "A10G", "--volume", "trainer:1:/data", "--yes", ...more, "--", "sh", "-c", COUNTER);

/** The text of the workload's log, once it fits. */
async function logUntil(world: TestWorld, pattern: RegExp): Promise<string> {
  for (let looks = 0; looks < 100; looks++) {
    const { stdout } = await spot(world, "logs", "trainer");
    if (pattern.test(stdout)) return stdout;
    await world.clock.sleep(100);
  }
  throw new Error(`the log never said ${pattern}`);
}

/** Something to seal is there. */
async function counting(world: TestWorld): Promise<void> {
  for (let looks = 0; looks < 100; looks++) {
    if ((await spot(world, "exec", "trainer", "--", "sh", "-c", 'test -s "$SPOT_CHECKPOINT_DIR/count"')).code === 0) return;
    await world.clock.sleep(100);
  }
  throw new Error("the workload never wrote");
}

test("up, again up, look around, down: one machine, and then none", async () => {
  const world = await cloudWorld();
  const first = await upTrainer(world, "--env", "TOKEN=s3cret");
  expect(first.stderr).toContain("trainer  A10G  spot     local");
  expect(first.stderr).toMatch(/Together \$\d+\.\d\d\/hour \(\$\d+\.\d\d\/month\) while it runs, its volume not counted\./);
  expect(first.stderr).toMatch(/trainer is running, ready after \d/);
  const [before] = await data(world, "ls");
  expect(before).toMatchObject({
    name: "trainer",
    provider: "local",
    state: "running",
    billing: "spot",
    gpu: { model: "A10G", count: 1, vramGb: 24 },
  });
  expect(before.volumes).toEqual([{ name: "trainer", id: expect.stringMatching(/^v-/), mount: "/data" }]);

  await upTrainer(world, "--env", "TOKEN=s3cret");
  const [again] = await data(world, "ls");
  expect(again.id).toBe(before.id);
  expect((await spot(world, "exec", "trainer", "--", "sh", "-c", 'test "$TOKEN" = s3cret')).code).toBe(0);
  const shown = await must(world, "show", "trainer", "--json");
  expect(JSON.parse(shown.stdout).data.spec.env).toEqual({ TOKEN: "(hidden)" });
  expect(shown.stdout + first.stderr + first.stdout).not.toContain("s3cret");
  const other = await spot(
    world,
    "up",
    "--name",
    "trainer",
    "--gpu",
    "A10G:1",
    "--volume",
    "trainer:1:/data",
    "--ttl",
    "1h",
    "--yes",
    "--",
    "true",
  );
  expect(other.code).toBe(3);
  expect(other.stderr).toContain("trainer exists with a different spec: ttl: none → 1h; command: sh -c ");
  expect(await machines(world)).toBe(1);

  expect((await spot(world, "exec", "trainer", "--", "sh", "-c", 'test "$SPOT_INSTANCE" = trainer && exit 7')).code).toBe(7);
  // Its agent counts whoever is in, and only as long.
  expect((await spot(world, "exec", "trainer", "--", "sh", "-c", 'test -n "$(ls "$SPOT_ROOT/run/spot/sessions")"')).code).toBe(0);
  expect(await logUntil(world, /from 0/)).toContain("from 0\n");
  expect((await must(world, "show", "trainer")).stdout).toContain("on reclaim  replace");
  expect((await must(world, "wait", "trainer", "--for", "running")).code).toBe(0);
  expect((await spot(world, "show", "trainre")).code).toBe(9);

  const [gone] = await data(world, "down", "trainer", "--yes");
  expect(gone.state).toBe("gone");
  expect(await machines(world)).toBe(0);
  expect(await data(world, "ls")).toEqual([]);
  expect((await data(world, "volumes", "ls")).map((volume: { name: string }) => volume.name)).toEqual(["trainer"]);
  // The final checkpoint outlives the machine.
  expect((await data(world, "checkpoints", "ls"))[0]).toMatchObject({ instance: "trainer", reason: "down", sealed: true });
  await must(world, "volumes", "rm", "trainer", "--yes");
  expect(await data(world, "volumes", "ls")).toEqual([]);
});

test("without a terminal and without --yes nothing is rented, and the flag is named", async () => {
  const world = await cloudWorld();
  const refused = await spot(world, "up", "--name", "trainer", "--json", "--", "true");
  expect(refused.code).toBe(2);
  expect(JSON.parse(refused.stderr).error).toMatchObject({ code: "SPOT_E_USAGE", hint: "add --yes to agree beforehand" });
  expect(refused.stdout).toBe("");
  const [line] = await data(world, "up", "--name", "trainer", "--dry-run", "--", "true");
  expect(line).toMatchObject({ name: "trainer", billing: "spot", volume: { name: "trainer", sizeGb: 10, mount: "/data" } });
  expect(await data(world, "ls")).toEqual([]);
  expect(await machines(world)).toBe(0);
});

test("nothing fits: unknown GPU, sold out and too dear are told apart, and nothing is left behind", async () => {
  const world = await cloudWorld();
  const slip = await spot(world, "up", "--name", "x", "--gpu", "A10", "--yes");
  expect([slip.code, slip.stderr]).toEqual([2, expect.stringContaining('no provider knows the GPU "A10"\n  did you mean "A10G"?')]);
  const dear = await spot(world, "up", "--name", "x", "--gpu", "H100", "--max-price", "0.01", "--yes");
  expect([dear.code, dear.stderr]).toEqual([3, expect.stringContaining("every offer that fits costs more than $0.01 an hour")]);
  await must(world, "local", "market", "--stock", "a10g.1=0");
  const soldOut = await spot(world, "up", "--name", "x", "--gpu", "A10G", "--yes");
  expect([soldOut.code, soldOut.stderr]).toEqual([5, expect.stringContaining("every offer that fits is sold out")]);
  expect(await data(world, "ls")).toEqual([]);
  expect(await data(world, "volumes", "ls")).toEqual([]);
});

test("a reclaim is heard, sealed, replaced and resumed from the sealed number", async () => {
  const world = await cloudWorld();
  await upTrainer(world);
  await counting(world);
  await must(world, "local", "reclaim", "trainer", "--notice", "6s");
  const enough = new AbortController();
  const from = world.written().length;
  const watching = spot({ ...world, signal: enough.signal }, "watch", "--act", "--since", "0", "-o", "ndjson");
  await eventually("the second machine", () => (world.written().slice(from).split('"to":"running"').length > 2 ? true : undefined));
  enough.abort("SIGINT");
  const watched = await watching;
  expect(watched.code).toBe(130);
  const events = watched.stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(events.every((event) => event.schema === "spot.event/1")).toBe(true);
  expect(events.map((event) => event.seq)).toEqual(events.map((event) => event.seq).toSorted((a, b) => a - b));
  expect(events.find((event) => event.type === "notice")).toMatchObject({
    kind: "reclaim",
    source: "api",
    instance: "trainer",
    provider: "local",
  });
  expect(events.filter((event) => event.type === "state").map((event) => event.to)).toEqual([
    "provisioning",
    "running",
    "reclaiming",
    "requested",
    "provisioning",
    "running",
  ]);
  const log = await logUntil(world, /from \d+/);
  const sealed = events.filter((event) => event.type === "checkpoint").map((event) => event.checkpoint);
  expect(sealed.length).toBeGreaterThan(0);
  expect(sealed).toEqual(sealed.toSorted());
  expect(Number(/from (\d+)/.exec(log)?.[1])).toBeGreaterThan(0);
  const [record] = await data(world, "ls");
  expect(record).toMatchObject({ state: "running", generation: 2, notice: null });
  expect(await machines(world)).toBe(1);
});

test("hibernate stops the GPU's bill, restore comes back; without stock it sleeps again at the cap", async () => {
  const world = await cloudWorld();
  await upTrainer(world);
  await counting(world);
  const [asleep] = await data(world, "hibernate", "trainer");
  expect(asleep).toMatchObject({ state: "hibernated", parked: "native" });
  // Its folder is still there; nobody works in it.
  const inside = await spot(world, "exec", "trainer", "--", "true");
  expect([inside.code, inside.stderr]).toEqual([1, expect.stringContaining("trainer cannot be reached: it is hibernated")]);
  expect((await data(world, "checkpoints", "ls", "trainer"))[0].reason).toBe("hibernate");
  await must(world, "local", "market", "--stock", "a10g.1=0");
  const capped = await spot(world, "restore", "trainer", "--cap", "2s");
  expect([capped.code, capped.stderr]).toEqual([124, expect.stringContaining("it is hibernated again and its GPU is not billed")]);
  await must(world, "local", "market", "--stock", "seed");
  const [awake] = await data(world, "restore", "trainer");
  expect(awake.state).toBe("running");
  expect((await logUntil(world, /from \d+[\s\S]*from \d+/)).match(/from \d+/g)?.length).toBe(2);
  const [line] = await data(world, "cost");
  expect(line.group).toBe("trainer");
});

test("what is so already, what there is not, and what stays and bills is said", async () => {
  const world = await cloudWorld();
  const idle = ["up", "--name", "idle", "--gpu", "A10G", "--volume", "kept:1:/data"];
  expect((await must(world, ...idle, "--dry-run", "--", "sleep", "1000")).stderr).toContain("nothing was rented");
  await must(world, ...idle, "--yes", "--", "sleep", "1000");
  expect((await must(world, "ls", "--state", "gone")).stdout).toContain("No instance fits");
  expect(await spot(world, "ls", "--state", "runing")).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('did you mean "running"?'),
  });
  expect(await spot(world, "wait", "idle", "--for", "gone", "--timeout", "1s")).toMatchObject({
    code: 124,
    stderr: expect.stringContaining("the time was up: idle is running, not gone"),
  });
  const { stdout } = await must(world, "snapshot", "idle");
  expect(stdout).toContain("nothing to seal");
  expect(stdout).not.toContain("Make one with");
  expect(await data(world, "snapshot", "idle")).toEqual([]);
  expect((await must(world, "volumes", "ls")).stdout).toMatch(/kept +in use +idle/);
  const awake = await must(world, "restore", "idle");
  expect([awake.stderr, awake.stdout]).toEqual([
    expect.stringMatching(/idle runs already .*: nothing was rented/),
    expect.stringMatching(/idle +running/),
  ]);
  expect(awake.stderr).not.toContain("restoring");
  expect((await must(world, "hibernate", "idle")).stderr).toMatch(/idle hibernated in/);
  expect((await must(world, "hibernate", "idle")).stderr).toContain("idle is hibernated already");
  expect((await must(world, "down", "idle", "--yes")).stderr).toContain("volume kept stays, and goes on billing: spot volumes rm kept");
  await must(world, "volumes", "rm", "kept", "--yes");
}, 60_000);

test("a damaged byte is found and named, by verify and by restore; the sound one still comes back", async () => {
  const world = await cloudWorld();
  await upTrainer(world);
  await counting(world);
  const [sound] = await data(world, "snapshot", "trainer");
  await world.clock.sleep(500);
  const [damaged] = await data(world, "snapshot", "trainer");
  const [volume] = readdirSync(join(world.home, "local", "volumes"));
  const file = join(world.home, "local", "volumes", volume ?? "", "spot", "checkpoints", damaged.id, "data", "count");
  writeFileSync(file, readFileSync(file, "utf8").replace(/^./, "x"));
  const verdict = await spot(world, "checkpoints", "verify", "trainer", "--json");
  expect(verdict.code).toBe(7);
  const verdicts = JSON.parse(verdict.stdout).data;
  expect(verdicts.map((item: { id: string; ok: boolean }) => [item.id, item.ok])).toEqual([
    [damaged.id, false],
    [sound.id, true],
  ]);
  expect(verdicts[0].problems[0].path).toContain("count");
  const into = join(temporaryFolder(), "back");
  expect((await spot(world, "checkpoints", "restore", damaged.id, "--to", into)).code).toBe(7);
  await must(world, "checkpoints", "restore", sound.id, "--to", into);
  expect(Number(readFileSync(join(into, "count"), "utf8"))).toBeGreaterThan(0);
  appendFileSync(join(into, "count"), "");
  expect((await spot(world, "checkpoints", "restore", sound.id, "--to", into)).code).not.toBe(0);
});

test("a launch whose answer gets lost is found by its token: one machine, not two", async () => {
  const world = await cloudWorld();
  await must(world, "local", "market", "--profile", "ppio");
  await must(world, "local", "chaos", "launch", "lose-answer");
  await upTrainer(world);
  expect(await machines(world)).toBe(1);
});

test("a machine that does not come up is given back, and another offer is tried", async () => {
  const world = await cloudWorld();
  await must(world, "local", "chaos", "launch", "start-failure");
  await upTrainer(world);
  expect(await machines(world)).toBe(1);
  const [record] = await data(world, "ls");
  expect(record).toMatchObject({ state: "running", generation: 2 });
});

test("an up that is interrupted undoes what it began", async () => {
  const world = await cloudWorld();
  await must(world, "local", "market", "--provisioning", "20s");
  const ctrlC = new AbortController();
  const running = spot({ ...world, signal: ctrlC.signal }, "up", "--name", "trainer", "--yes", "--", "true");
  for (let looks = 0; looks < 100 && (await machines(world)) === 0; looks++) await world.clock.sleep(50);
  ctrlC.abort("SIGINT");
  const interrupted = await running;
  expect([interrupted.code, interrupted.stderr]).toEqual([
    130,
    expect.stringContaining("everything that was begun is undone, nothing is billed"),
  ]);
  expect(await machines(world)).toBe(0);
  expect(await data(world, "volumes", "ls")).toEqual([]);
});

test("what a killed command left is finished by one reconcile", async () => {
  const world = await cloudWorld();
  await upTrainer(world);
  await must(world, "local", "chaos", "destroy", "fail", "--times", "50");
  const stopped = await spot(world, "down", "trainer", "--yes", "--timeout", "2s");
  expect([6, 124]).toContain(stopped.code);
  expect(stopped.stderr).toContain("may still be billing");
  expect((await data(world, "ls"))[0].desired).toBe("gone");
  await must(world, "local", "chaos", "--clear");
  await must(world, "reconcile");
  expect(await data(world, "ls")).toEqual([]);
  expect(await machines(world)).toBe(0);
});
