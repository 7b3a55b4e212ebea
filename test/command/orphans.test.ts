import { readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { spot, type TestWorld } from "../world.ts";
import { cloudWorld, data, machines, must } from "./cloud.ts";

const up = (world: TestWorld, name: string, ...more: readonly string[]) =>
  must(world, "up", "--name", name, "--gpu", "A10G", "--volume", `${name}:1:/data`, "--yes", ...more, "--", "sh", "-c", KEEPS);
/** Writes what can be sealed, and waits. */
const KEEPS = 'echo 7 >"$SPOT_CHECKPOINT_DIR/count"; sleep 1000';

/** The state is lost; the cloud goes on. */
function loseState(world: TestWorld): void {
  for (const suffix of ["", "-wal", "-shm"]) rmSync(join(world.home, `state.db${suffix}`), { force: true });
}

const sealed = async (world: TestWorld, name: string) => {
  for (let looks = 0; looks < 100; looks++) {
    if ((await spot(world, "snapshot", name)).code === 0 && (await data(world, "checkpoints", "ls", name)).length > 0) return;
    await world.clock.sleep(100);
  }
  throw new Error(`${name} was never sealed`);
};

test("a lost state: orphans shows machine and volume, adopt --all brings back a record with which everything works", async () => {
  const world = await cloudWorld();
  await up(world, "trainer", "--ttl", "3h", "--on-reclaim", "let-go", "--label", "team=vision", "--checkpoint-hook", "true");
  await sealed(world, "trainer");
  const [before] = await data(world, "ls");
  expect(await data(world, "orphans")).toEqual([]);
  loseState(world);
  expect(await data(world, "ls")).toEqual([]);

  const rows = await data(world, "orphans");
  expect(rows).toMatchObject([
    {
      kind: "machine",
      why: "no-record",
      name: "trainer",
      provider: "local",
      providerId: before.providerId,
      state: "running",
      instance: null,
    },
    { kind: "volume", why: "no-record", name: "trainer", attachedTo: before.providerId, sizeGb: 1 },
  ]);
  expect(rows[0].price).toMatchObject({ amount: before.price.amount, currency: "USD", per: "hour" });
  expect((await must(world, "orphans")).stdout).toMatch(/They cost \$\d/);
  const refused = await spot(world, "adopt", "--all");
  expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining("add --yes")]);

  const adopted = await data(world, "adopt", "--all", "--yes");
  expect(adopted).toMatchObject([
    { kind: "machine", name: "trainer", outcome: "adopted", missing: [] },
    { kind: "volume", name: "trainer", outcome: "adopted" },
  ]);
  const [after] = await data(world, "ls");
  expect(after).toMatchObject({
    name: "trainer",
    state: "running",
    providerId: before.providerId,
    type: before.type,
    zone: before.zone,
    billing: "spot",
    price: before.price,
    labels: { team: "vision" },
    volumes: [{ name: "trainer", mount: "/data" }],
  });
  // The cloud's own time, not that of the order.
  expect(Math.abs(Date.parse(after.createdAt) - Date.parse(before.createdAt))).toBeLessThan(60_000);
  expect(Math.abs(Date.parse(after.ttlEndsAt) - Date.parse(before.ttlEndsAt))).toBeLessThan(2_000);
  const { spec } = await data(world, "show", "trainer");
  expect(spec).toMatchObject({ command: ["sh", "-c", KEEPS], onReclaim: "let-go", checkpointHook: "true", labels: { team: "vision" } });
  expect(await data(world, "orphans")).toEqual([]);
  expect((await data(world, "checkpoints", "ls", "trainer")).length).toBeGreaterThan(0);
  await must(world, "snapshot", "trainer");
  await must(world, "reconcile");
  expect(await machines(world)).toBe(1);
  expect((await data(world, "cost")).rows?.length ?? 1).toBeGreaterThan(0);
  await must(world, "down", "trainer", "--yes", "--volumes");
  expect(await machines(world)).toBe(0);
  expect(await data(world, "orphans")).toEqual([]);
});

test("what is forgotten runs on, is left alone by reconcile, and is taken back whole", async () => {
  const world = await cloudWorld();
  await up(world, "trainer", "--env", "TOKEN=s3cret");
  const [before] = await data(world, "ls");
  const asked = await spot(world, "forget", "trainer");
  expect([asked.code, asked.stderr]).toEqual([2, expect.stringMatching(/Forget trainer\? Its machine \(local \S+\) goes on for \$\d/)]);
  await must(world, "forget", "trainer", "--yes");
  expect(await data(world, "ls")).toEqual([]);
  await must(world, "reconcile");
  await must(world, "reconcile");
  expect(await machines(world)).toBe(1);
  const [row, ...others] = await data(world, "orphans");
  expect(others).toEqual([]);
  expect(row).toMatchObject({ kind: "machine", why: "forgotten", instance: "trainer", providerId: before.providerId });
  // Its owner said so: a whole state does not take it back by the way.
  expect(await data(world, "adopt", "--all", "--yes")).toEqual([]);
  // What is left alone is not called nothing.
  expect((await must(world, "adopt", "--all", "--yes")).stdout).toContain("1 orphan (forgotten) left alone by --all");
  const byName = await spot(world, "adopt", "trainer");
  expect([byName.code, byName.stderr]).toEqual([2, expect.stringContaining(`next: spot adopt local/${before.providerId}`)]);
  expect(await data(world, "adopt", `local/${before.providerId}`)).toMatchObject([{ outcome: "adopted", name: "trainer", missing: [] }]);
  expect((await data(world, "show", "trainer")).spec).toMatchObject({ env: { TOKEN: "(hidden)" }, onReclaim: "replace" });
  expect(await data(world, "orphans")).toEqual([]);
  const [again] = await data(world, "ls");
  expect(again.volumes).toEqual(before.volumes);
  await must(world, "down", "trainer", "--yes");
  await must(world, "reconcile");
  expect(await machines(world)).toBe(0);
});

test("reap ends what its plan names and nothing else: what was taken over meanwhile is left, volumes only with --volumes", async () => {
  const world = await cloudWorld();
  for (const name of ["one", "two"]) await up(world, name);
  const plan = join(world.home, "plan.json");
  loseState(world);
  await must(world, "orphans", "--save", plan);
  expect(statSync(plan).mode & 0o777).toBe(0o600);
  expect(JSON.parse(readFileSync(plan, "utf8"))).toMatchObject({ schema: "spot.reap-plan/1", rows: expect.any(Array) });
  const two = (await data(world, "orphans")).find(({ name, kind }: { name: string; kind: string }) => name === "two" && kind === "machine");
  await must(world, "adopt", two.providerId);
  await up(world, "three");

  const asked = await spot(world, "reap", plan);
  expect(asked.code).toBe(2);
  expect(asked.stderr).toMatch(/End 2 machines \(\$\d+\.\d+\/hour\)\? 2 volumes stay \(--volumes\)\./);
  const dry = await data(world, "reap", plan, "--dry-run");
  expect(dry.map(({ name, kind, outcome }: Row) => `${name} ${kind} ${outcome}`).sort()).toEqual([
    "one machine would-end",
    "one volume kept",
    "two machine skipped",
    "two volume kept",
  ]);
  expect(await machines(world)).toBe(3);
  const done = await data(world, "reap", plan, "--yes", "--volumes");
  expect(done.map(({ name, kind, outcome, reason }: Row) => `${name} ${kind} ${outcome} ${reason ?? ""}`.trim()).sort()).toEqual([
    "one machine ended",
    "one volume ended",
    "two machine skipped a record of ours explains it by now",
    "two volume skipped a record of ours explains it by now",
  ]);
  expect((await data(world, "ls")).map(({ name }: Row) => name).sort()).toEqual(["three", "two"]);
  expect(await machines(world)).toBe(2);
  expect(await data(world, "orphans")).toEqual([]);
  const again = await data(world, "reap", plan, "--yes", "--volumes");
  expect(new Set(again.map(({ outcome }: Row) => outcome))).toEqual(new Set(["skipped"]));
});

test("one that sleeps at its cloud is taken over asleep and wakes up; of one that slept on its volume only that is left, and its checkpoints", async () => {
  const world = await cloudWorld();
  for (const name of ["asleep", "ended"]) {
    await up(world, name);
    await sealed(world, name);
  }
  await must(world, "hibernate", "asleep");
  await must(world, "down", "ended", "--yes");
  loseState(world);
  const rows = (await data(world, "orphans")) as (Row & { readonly price: unknown; readonly state: string })[];
  const [sleeper] = rows.filter(({ kind }) => kind === "machine");
  // Nobody pays for its GPU.
  expect(sleeper).toMatchObject({ name: "asleep", state: "hibernated", price: null });
  const { stderr } = await must(world, "adopt", "--all", "--yes");
  expect(stderr).toContain("volume ended has no machine.");
  expect(stderr).toContain("spot up --name ended --volume ended goes on from its checkpoints");
  expect(stderr).toContain("asleep: not known: its command, its time limits, its policy");
  expect(await data(world, "ls")).toMatchObject([{ name: "asleep", state: "hibernated", parked: "native" }]);
  expect((await data(world, "checkpoints", "ls", "ended")).length).toBeGreaterThan(0);
  await must(world, "restore", "asleep");
  expect(await machines(world)).toBe(1);
  await must(world, "up", "--name", "ended", "--volume", "ended:1:/data", "--gpu", "A10G", "--yes", "--", "sh", "-c", "sleep 1000");
  await must(world, "exec", "ended", "--", "sh", "-c", 'grep -qx 7 "$SPOT_CHECKPOINT_DIR/count"');
});

interface Row {
  readonly name: string;
  readonly kind: string;
  readonly outcome: string;
  readonly reason: string | null;
}

const ROW = {
  provider: "local",
  kind: "machine",
  class: "bills",
  providerId: "m-1",
  name: "train",
  region: "local-1",
  zone: "local-1a",
  state: "running",
  rawState: "running",
  token: "t-1",
  price: null,
  sizeGb: null,
  why: "no-record",
  instance: null,
  attachedTo: null,
};

test("a plan that is old, of another version or none at all is refused, and says what to do", async () => {
  const world = await cloudWorld();
  const plan = join(world.home, "plan.json");
  await must(world, "orphans", "--save", plan);
  const text = readFileSync(plan, "utf8");
  const reapWith = (change: Readonly<Record<string, unknown>>) => {
    writeFileSync(plan, JSON.stringify({ ...JSON.parse(text), ...change }));
    return spot(world, "reap", plan, "--yes");
  };
  const old = await reapWith({ madeAt: new Date(world.clock.now() - 25 * 3_600_000).toISOString() });
  expect([old.code, old.stderr]).toEqual([2, expect.stringMatching(/older than a day[\s\S]*--yes-old/)]);
  expect((await spot(world, "reap", plan, "--yes", "--yes-old")).code).toBe(0);
  // Hours alone are an offset for some and no time for others: what cannot be compared with anything is refused.
  const timeless = { madeAt: "2026-10-01T00:00:00+02" };
  const [odd, row] = [await reapWith(timeless), await reapWith({ rows: [{ ...ROW, createdAt: timeless.madeAt }] })];
  expect([odd.code, odd.stderr]).toEqual([2, expect.stringMatching(/is no plan: madeAt: .*no moment/)]);
  expect([row.code, row.stderr]).toEqual([2, expect.stringMatching(/is no plan: rows\.0\.createdAt: .*no moment/)]);
  const newer = await reapWith({ schema: "spot.reap-plan/2" });
  expect([newer.code, newer.stderr]).toEqual([2, expect.stringContaining("another version")]);
  const other = await reapWith({ schema: "spot.orphans/1" });
  expect([other.code, other.stderr]).toEqual([2, expect.stringContaining("is no plan")]);
  expect((await spot(world, "reap", "nowhere.json", "--yes")).code).toBe(2);
});
