import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { listSealed } from "../../src/checkpoints/catalogue.ts";
import { marksOf } from "../../src/guest/marks.ts";
import { idAt, sealSample } from "../checkpoints/sealing.ts";
import { eventually, KINDS } from "./machine.ts";
import { CONTAINER, type Disk, makeRented, type Rented, VM } from "./rented.ts";

const [OLDER, ID, LATER] = [idAt(1), idAt(2), idAt(3)];
const HELD = { awaits: ID, command: ["sh", "-c", 'echo begun >"$SPOT_CHECKPOINT_DIR/begun"; exec sleep 1000'], checkpointHook: "true" };

function vm(options: Parameters<typeof makeRented>[1] = {}): { readonly machine: Rented; readonly disk: Disk } {
  const machine = makeRented(VM, options);
  onTestFinished(() => machine.close());
  const disk = machine.disk();
  machine.attach("vdb", disk);
  return { machine, disk };
}

const until = (machine: Rented, what: string, isIt: (status: Awaited<ReturnType<Rented["status"]>>) => boolean) =>
  eventually(what, async () => {
    const status = await machine.status().catch(() => undefined);
    return status !== undefined && isIt(status) ? status : undefined;
  });

const held = (machine: Rented) => until(machine, "the hold", ({ awaits }) => awaits === ID);

/** A checkpoint gets its name on the volume, as `receive ID seal` gives it. */
function arrive(disk: Disk, id: string): void {
  const folder = sealSample(join(disk.folder, "elsewhere"), { id, files: { STEP: "7\n" } });
  mkdirSync(join(disk.files, "spot/checkpoints"), { recursive: true });
  renameSync(folder, join(disk.files, "spot/checkpoints", id));
}

test.each(KINDS)(
  "the workload is held back until its checkpoint is on the volume, through a reboot and with an older one there ($name)",
  async ({ options }) => {
    const { machine, disk } = vm(options);
    machine.boot(HELD);
    await until(machine, "a wait for its volume", ({ awaits }) => awaits === "volume");
    expect((await machine.verb("volume", "vdb")).code).toBe(0);
    expect(await held(machine)).toMatchObject({ phase: "preparing", startedAt: null });
    expect(machine.log()).toContain(`holding the workload back until checkpoint ${ID} has been copied`);
    // What comes in between has nothing to seal, and nothing that looks like its work may come of it.
    expect((await machine.verb("snapshot", "manual")).stdout).toContain('{"empty":true}');
    arrive(disk, OLDER);
    machine.powerOff();
    machine.startAgent();
    expect(await held(machine)).toMatchObject({ phase: "preparing", startedAt: null });
    expect((await listSealed(disk.files)).map(({ id }) => id)).toEqual([OLDER]);

    arrive(disk, ID);
    const begun = await until(machine, "the workload", ({ phase }) => phase === "running");
    expect(begun).toMatchObject({ awaits: null, restoredFrom: ID, step: "7" });
    expect(marksOf(begun.marks ?? "").map(({ phase }) => phase)).toEqual(["boot", "mount", "copy", "restore"]);

    // It has been there: what was sealed since is as good when it has been pruned.
    arrive(disk, LATER);
    rmSync(join(disk.files, "spot/checkpoints", ID), { recursive: true });
    machine.powerOff();
    machine.startAgent();
    const again = await until(machine, "the workload after a reboot", ({ phase }) => phase === "running");
    expect(marksOf(again.marks ?? "").map(({ phase }) => phase)).toEqual(["boot", "mount", "restore"]);
  },
);

test("one that arrives damaged is not begun from, and nothing begins in its place", async () => {
  const { machine, disk } = vm();
  machine.boot(HELD);
  await until(machine, "a wait for its volume", ({ awaits }) => awaits === "volume");
  await machine.verb("volume", "vdb");
  await held(machine);
  const folder = sealSample(join(disk.folder, "elsewhere"), { id: ID, files: { STEP: "7\n" } });
  writeFileSync(join(folder, "data/STEP"), "8\n");
  mkdirSync(join(disk.files, "spot/checkpoints"), { recursive: true });
  renameSync(folder, join(disk.files, "spot/checkpoints", ID));
  await eventually("the refusal", async () => (machine.log().includes("none verifies") ? true : undefined));
  await eventually("the agent's end", async () =>
    (await machine.verb("status")).stdout.includes("the workload is not started") ? true : undefined,
  );
});

test("a container whose volume its cloud mounts is held back as well", async () => {
  const machine = makeRented(CONTAINER);
  onTestFinished(() => machine.close());
  mkdirSync(join(machine.root, "data"));
  machine.boot(HELD);
  expect(await held(machine)).toMatchObject({ phase: "preparing" });
  sealSample(join(machine.root, "data"), { id: ID, files: { STEP: "7\n" } });
  expect(await until(machine, "the workload", ({ phase }) => phase === "running")).toMatchObject({ restoredFrom: ID });
});
