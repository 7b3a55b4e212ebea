import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { checkpointFolder, sealedFolder } from "../../src/checkpoints/catalogue.ts";
import { openState } from "../../src/state/open.ts";
import { diskBytes, idAt, sealSample } from "../checkpoints/sealing.ts";
import { eventually } from "../guest/machine.ts";
import { sampleInstance } from "../state/sample-records.ts";
import { spot, type TestWorld } from "../world.ts";
import { cloudWorld, data, must } from "./cloud.ts";
import { volumeHere } from "./volume-here.ts";

const HOUR = 3600;
const day = Date.UTC(2026, 10, 21) / 1000;

/** Sealed every half hour of six hours: the weights are shared, the log is each one's own. */
function sealSix(path: string, instance = "train"): readonly string[] {
  return Array.from({ length: 6 }, (_, index) => {
    const id = idAt(index * (HOUR / 2) + (instance === "train" ? 0 : 1));
    const after = index === 0 ? {} : { after: idAt((index - 1) * (HOUR / 2) + (instance === "train" ? 0 : 1)) };
    const files = { weights: "w".repeat(200_000), log: "x".repeat(10_000 * (index + 1)) };
    sealSample(path, { id, instance, created: day + index * (HOUR / 2), files, ...after });
    return id;
  });
}

const there = (path: string) => readdirSync(sealedFolder(path)).sort();

async function withState(world: TestWorld, work: (state: Awaited<ReturnType<typeof openState>>) => Promise<unknown>): Promise<void> {
  const state = await openState(join(world.home, "state.db"));
  await work(state);
  await state.close();
}

test("a plan says what goes, why the rest stays and what is freed; then exactly that is done, and told", async () => {
  const { world, path } = await volumeHere("disk");
  const ids = sealSix(path);
  const others = sealSix(path, "other");
  const rules = ["--keep-last", "1", "--keep-hourly", "2"];
  const planned = await must(world, "checkpoints", "prune", "train", ...rules, "--dry-run", "--json");
  const plan = JSON.parse(planned.stdout);
  expect(plan.schema).toBe("spot.prune/1");
  const rows = plan.data.map((row: { id: string; outcome: string; because: string[] }) => [row.id, row.outcome, row.because]);
  expect(rows).toEqual([
    [ids[5], "kept", ["newest", "last 1", "hour 2026-11-21T02Z"]],
    [ids[4], "goes", []],
    [ids[3], "kept", ["hour 2026-11-21T01Z"]],
    [ids[2], "goes", []],
    [ids[1], "goes", []],
    [ids[0], "goes", []],
  ]);
  expect(there(path)).toHaveLength(12);

  const before = diskBytes(path);
  const done = await must(world, "checkpoints", "prune", "train", ...rules, "--yes");
  expect(done.stdout).toMatch(/gone/);
  expect(there(path)).toEqual([ids[3], ids[5], ...others].toSorted());
  expect(before - diskBytes(path)).toBe(plan.freedBytes);
  expect((await data(world, "checkpoints", "ls", "train")).map(({ id }: { id: string }) => id)).toEqual([ids[5], ids[3]]);
  await withState(world, async (state) => {
    const events = (await state.events({})).filter((event) => event.data["action"] === "checkpoints-prune");
    expect(events).toMatchObject([
      {
        instance: "train",
        provider: "local",
        data: { volume: "disk", count: 4, freedBytes: plan.freedBytes, checkpoints: [ids[4], ids[2], ids[1], ids[0]] },
      },
    ]);
  });
  const again = await must(world, "checkpoints", "prune", "disk", "--keep-within", "1h", "--json", "--yes");
  expect(JSON.parse(again.stdout).data.filter((row: { outcome: string }) => row.outcome === "gone")).toHaveLength(3);
  expect((await spot(world, "checkpoints", "verify", "--all")).code).toBe(0);
});

test("without a rule, without a yes, or for a name that nobody has, nothing goes", async () => {
  const { world, path } = await volumeHere("disk");
  sealSix(path);
  expect(await spot(world, "checkpoints", "prune")).toMatchObject({ code: 2, stderr: expect.stringContaining("--keep-last") });
  for (const wrong of ["0", "-1", "1.5", "many"])
    expect(await spot(world, "checkpoints", "prune", `--keep-last=${wrong}`, "--yes")).toMatchObject({ code: 2 });
  expect(await spot(world, "checkpoints", "prune", "--keep-within", "soon", "--yes")).toMatchObject({ code: 2 });
  const unasked = await spot(world, "checkpoints", "prune", "--keep-last", "1");
  expect(unasked).toMatchObject({ code: 2, stderr: expect.stringContaining("--yes") });
  expect(unasked.stderr).toMatch(/Remove 5 checkpoints and free \d+ kB of disk\?/);
  expect((await spot(world, "checkpoints", "prune", "nobody", "--keep-last", "1", "--yes")).code).toBe(9);
  expect(there(path)).toHaveLength(6);
});

test("where the newest is damaged, the next older one that is whole stays, and that is said; where none is whole, all stay", async () => {
  const { world, path } = await volumeHere("disk");
  const ids = sealSix(path);
  writeFileSync(join(checkpointFolder(path, ids[5] ?? ""), "data/log"), "y".repeat(60_000));
  const outcome = await spot(world, "checkpoints", "prune", "--keep-last", "1", "--yes", "--json");
  expect(outcome.code).toBe(7);
  const { error } = JSON.parse(outcome.stderr.trim().split("\n").at(-1) ?? "");
  expect(error).toMatchObject({ code: "SPOT_E_CHECKPOINT_DAMAGED", next: [`spot checkpoints verify ${ids[5]}`] });
  const answer = JSON.parse(outcome.stdout);
  expect(answer.damaged).toEqual([ids[5]]);
  expect(answer.data[1]).toMatchObject({ id: ids[4], outcome: "kept", because: ["the newest that verifies"] });
  expect(there(path)).toEqual([ids[4], ids[5]]);

  sealSample(path, { id: ids[3] ?? "", files: { log: "1" }, created: day });
  for (const id of there(path)) writeFileSync(join(checkpointFolder(path, id), "data/log"), "");
  expect(await spot(world, "checkpoints", "prune", "--keep-last", "1", "--yes")).toMatchObject({ code: 7 });
  expect(there(path)).toHaveLength(3);
});

test("what another process reads now stays, and says so", async () => {
  const { world, path } = await volumeHere("disk");
  const ids = sealSix(path);
  await withState(world, (state) => state.acquireLease(`reading:${ids[2]}:restored:r-1`, "another computer's", Date.now(), 60_000));
  const rows = await data(world, "checkpoints", "prune", "--keep-last", "1", "--yes");
  expect(rows.filter(({ outcome }: { outcome: string }) => outcome === "kept")).toMatchObject([
    { id: ids[5] },
    { id: ids[2], because: ["in use: being restored"] },
  ]);
  expect(there(path)).toEqual([ids[2], ids[5]]);
});

test("while a machine that has the volume is on its way, nothing is removed", async () => {
  const { world, path } = await volumeHere("disk");
  sealSix(path);
  await withState(world, async (state) => {
    const [volume] = await state.volumes();
    const used = [{ name: "disk", id: volume?.id ?? "", mount: "/data" }];
    await state.commit({
      addInstance: sampleInstance("train", { state: "provisioning", readyAt: null, providerId: "m-1", volumes: used }),
    });
  });
  const refused = await spot(world, "checkpoints", "prune", "disk", "--keep-last", "1", "--yes");
  expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining("is in the machine of train, which is provisioning") });
  expect(there(path)).toHaveLength(6);
});

test("through the machine that has the volume: its agent says what is freed, and what it began from stays", async () => {
  const world = await cloudWorld();
  const work = 'head -c 400000 /dev/zero | tr "\\0" w >"$SPOT_CHECKPOINT_DIR/weights"; while :; do sleep 1; done';
  const up = () =>
    must(
      world,
      "up",
      "--name",
      "train",
      "--gpu",
      "A10G",
      "--volume",
      "disk:1:/data",
      "--yes",
      "--provider",
      "local",
      "--",
      "sh",
      "-c",
      work,
    );
  const seal = async (step: number) => {
    await must(
      world,
      "exec",
      "train",
      "--",
      "sh",
      "-c",
      `test -s "$SPOT_CHECKPOINT_DIR/weights" && head -c 50000 /dev/zero | tr "\\0" ${step} >"$SPOT_CHECKPOINT_DIR/log"`,
    );
    return (await data(world, "snapshot", "train"))[0].id as string;
  };
  await up();
  await eventually("the weights are there", async () =>
    (await spot(world, "exec", "train", "--", "sh", "-c", 'test "$(wc -c <"$SPOT_CHECKPOINT_DIR/weights")" = 400000')).code === 0
      ? true
      : undefined,
  );
  const first = await seal(1);
  await must(world, "down", "train", "--yes");
  const began = (await data(world, "checkpoints", "ls", "train"))[0].id;
  await up();
  const later = await seal(2);
  const newest = await seal(3);
  const folder = join(world.home, "local", "volumes");
  const path = join(folder, readdirSync(folder)[0] ?? "");
  const plan = await must(world, "checkpoints", "prune", "disk", "--keep-last", "1", "--dry-run", "--json");
  const { data: rows, freedBytes } = JSON.parse(plan.stdout);
  const goes = [first, later].filter((id) => id !== began);
  expect(rows.map((row: { id: string; outcome: string; because: string[] }) => [row.id, row.because])).toEqual(
    [newest, later, began, ...(first === began ? [] : [first])].map((id) => [
      id,
      id === newest ? ["newest", "last 1"] : id === began ? ["in use: train began from it"] : [],
    ]),
  );
  const before = diskBytes(path);
  await must(world, "checkpoints", "prune", "disk", "--keep-last", "1", "--yes");
  expect(there(path)).toEqual([began, newest].toSorted());
  expect(before - diskBytes(path)).toBe(freedBytes);
  expect(freedBytes).toBeGreaterThan(0);
  expect(goes.length).toBeGreaterThan(0);
  expect((await spot(world, "checkpoints", "verify", "--all")).code).toBe(0);
});
