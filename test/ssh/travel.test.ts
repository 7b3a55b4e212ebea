import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { checkpointFolder } from "../../src/checkpoints/catalogue.ts";
import { copyToArrival } from "../../src/checkpoints/travel/arrival.ts";
import { folderArrival } from "../../src/checkpoints/travel/folder-arrival.ts";
import { folderSource } from "../../src/checkpoints/travel/source.ts";
import { verifyCheckpoint } from "../../src/checkpoints/verify.ts";
import { machineArrival, machineSource } from "../../src/fleet/volumes/machine-travel.ts";
import { guestSealed, guestVerify } from "../../src/guest/run-verb.ts";
import { wayIn } from "../../src/guest/ssh-access.ts";
import { sealSample } from "../checkpoints/sealing.ts";
import { someBytes } from "../checkpoints/travel-bench.ts";
import { machineRoomAvailable } from "../clouds/machine-room.ts";
import { temporaryFolder, testWorld } from "../world.ts";
import { agentMachine, never } from "./reached-machine.ts";

const ID = "c-20261121T053818Z-00000014";
const ODD = "odd \n \\ \t 'q' ü";
const LARGE = someBytes(3_000_000, 1);

function sample(volume: string): string {
  const files = {
    STEP: "12\n",
    [`sub/${ODD}`]: "one",
    "sub/large": LARGE,
    "sub/twin": LARGE,
    [`${"d".repeat(200)}/${"n".repeat(255)}`]: "a long name",
    "-dash": "dash",
    empty: "",
  };
  return sealSample(volume, { id: ID, files, folders: ["none"], links: { "sub/newest": ODD, [`far${"r".repeat(150)}`]: "t".repeat(300) } });
}

const quiet = { signal: never(), dryRun: false };

describe.skipIf(!machineRoomAvailable())("a checkpoint that travels over ssh", () => {
  it("goes onto a machine's volume and comes from it as it was; from machine to machine too", async () => {
    const way = wayIn(testWorld());
    const [here, there] = [temporaryFolder(), temporaryFolder()];
    const folder = sample(here);
    const one = await agentMachine(way.ssh);
    const source = await folderSource(folder);
    const arrival = await machineArrival(one.reach, source, way, never());
    expect(arrival).toMatchObject({ isSealed: false, present: new Set() });
    const { bytes, movedBytes } = await copyToArrival(source, arrival, quiet);
    // Twins come twice where they cannot be copied.
    expect(movedBytes).toBe(bytes + LARGE.length);
    const options = { ...way, signal: never() };
    expect(await guestSealed(one.reach, options)).toMatchObject([{ id: ID, files: 7 }]);
    expect(await guestVerify(one.reach, ID, options)).toMatchObject({ id: ID });
    const back = await machineSource(one.reach, ID, way, never());
    expect(back.manifestBytes).toEqual(readFileSync(join(folder, "MANIFEST")));
    await copyToArrival(back, await folderArrival(there, back, false, never()), quiet);
    expect(await verifyCheckpoint(join(there, ID))).toMatchObject({ ok: true });
    expect(statSync(join(there, ID, "data/sub/large")).mtimeMs).toBe(1_000_000);
    // On the machine as well every mode and time is the manifest's.
    const lying = checkpointFolder(join(one.machine.root, "data"), ID);
    for (const name of ["data/sub", "data/sub/large", "data/empty"])
      expect([statSync(join(lying, name)).mtimeMs, statSync(join(lying, name)).mode & 0o777]).toEqual([
        1_000_000,
        name === "data/sub" ? 0o755 : 0o644,
      ]);

    // The names of these machines are the same; what is known of the one is not known of the other.
    const other = wayIn(testWorld());
    const two = await agentMachine(other.ssh, { volumeName: "other" });
    await copyToArrival(back, await machineArrival(two.reach, back, other, never()), quiet);
    expect(await guestVerify(two.reach, ID, { ...other, signal: never() })).toMatchObject({ id: ID });
    const again = await machineArrival(two.reach, back, other, never());
    expect(again.isSealed).toBe(true);
    expect(await copyToArrival(back, again, quiet)).toMatchObject({ movedBytes: 0, proof: "read" });
  });

  it("goes on where it was broken off, and never lists what does not verify", async () => {
    const way = wayIn(testWorld());
    const folder = sample(temporaryFolder());
    const { machine, reach } = await agentMachine(way.ssh);
    const sealed = join(machine.root, "data/spot/checkpoints");
    const source = await folderSource(folder);
    // The second time that the large file is wanted its disk has gone.
    let reads = 0;
    const failing = {
      ...source,
      read(files: Parameters<typeof source.read>[0], signal: AbortSignal, from?: number) {
        if (files.some(({ path }) => path === "sub/twin") && reads++ === 0) throw new Error("the disk has gone");
        return source.read(files, signal, from);
      },
    };
    await expect(copyToArrival(failing, await machineArrival(reach, failing, way, never()), quiet)).rejects.toThrow("the disk has gone");
    expect(readdirSync(sealed)).toEqual([`.arriving-${ID}`]);
    expect(await guestSealed(reach, { ...way, signal: never() })).toEqual([]);
    const arrival = await machineArrival(reach, source, way, never());
    expect([...arrival.present].sort()).toEqual(
      source.manifest.entries.flatMap(({ kind, path }) => (kind === "file" && !["empty", "sub/twin"].includes(path) ? [path] : [])).sort(),
    );
    // One of them is spoilt meanwhile: it must not get the name.
    writeFileSync(join(sealed, `.arriving-${ID}/data/sub/large`), Buffer.alloc(LARGE.length));
    await expect(copyToArrival(source, arrival, quiet)).rejects.toMatchObject({ exit: 7, message: expect.stringContaining("sub/large") });
    expect(readdirSync(sealed)).toEqual([]);
    await copyToArrival(source, await machineArrival(reach, source, way, never()), quiet);
    expect(await guestVerify(reach, ID, { ...way, signal: never() })).toMatchObject({ id: ID });
    // And what is missing at its source is damage, said as such.
    rmSync(join(sealed, ID, "data/sub/large"));
    const back = await machineSource(reach, ID, way, never());
    const there = temporaryFolder();
    await expect(copyToArrival(back, await folderArrival(there, back, false, never()), quiet)).rejects.toMatchObject({
      exit: 7,
      message: expect.stringContaining("sub/large"),
    });
    expect(readdirSync(there)).toEqual([`.arriving-${ID}`]);
  });

  it("another one under that id, a manifest that is none, and a source that is damaged are refused", async () => {
    const way = wayIn(testWorld());
    const options = { ...way, signal: never() };
    const folder = sample(temporaryFolder());
    const { machine, reach } = await agentMachine(way.ssh);
    const sealed = join(machine.root, "data/spot/checkpoints");
    const source = await folderSource(folder);
    const cut = { ...source, manifestBytes: source.manifestBytes.subarray(0, 200) };
    await expect(machineArrival(reach, cut, way, never())).rejects.toMatchObject({ exit: 7 });
    expect(existsSync(sealed) ? readdirSync(sealed) : []).toEqual([]);
    const damaged = Buffer.from(LARGE);
    damaged[7] = (damaged[7] ?? 0) ^ 1;
    writeFileSync(join(folder, "data/sub/large"), damaged);
    await expect(copyToArrival(source, await machineArrival(reach, source, way, never()), quiet)).rejects.toMatchObject({
      exit: 7,
      message: expect.stringContaining("sub/large"),
    });
    expect(await guestSealed(reach, options)).toEqual([]);
    mkdirSync(join(sealed, ID));
    writeFileSync(join(sealed, ID, "MANIFEST"), "another\n");
    await expect(machineArrival(reach, source, way, never())).rejects.toMatchObject({
      message: expect.stringContaining("another checkpoint"),
    });
  });
});
