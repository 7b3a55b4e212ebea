import { appendFileSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { verifyCheckpoint } from "../../src/checkpoints/verify.ts";
import { createGuestDoor } from "../../src/fleet/guest-door.ts";
import { checkpointDoor } from "../../src/fleet/volumes/checkpoint-door.ts";
import type { CheckpointPlace } from "../../src/fleet/volumes/checkpoint-place.ts";
import { sshAccess } from "../../src/guest/ssh-access.ts";
import { machineRoomAvailable } from "../clouds/machine-room.ts";
import { temporaryFolder, testWorld } from "../world.ts";
import { agentMachine, never } from "./reached-machine.ts";

describe.skipIf(!machineRoomAvailable())("the checkpoints of a rented machine", () => {
  it("are verified where they lie, fetched, pruned, and told apart when their manifest does not hold", async () => {
    const world = testWorld();
    const door = checkpointDoor(world);
    const guest = createGuestDoor(world);
    const { reach, place, machine } = await agentMachine(sshAccess(world));
    const there: CheckpointPlace = { kind: "machine", reach };
    const folder = join(place.volumeFolder("disk"), "files/spot/checkpoints");
    const ids: string[] = [];
    for (const step of [1, 2, 3, 4]) {
      const work = join(machine.root, "var/lib/spot/checkpoint");
      mkdirSync(work, { recursive: true });
      if (step === 1) writeFileSync(join(work, "weights"), "w".repeat(300_000));
      writeFileSync(join(work, "log"), `${step}`.repeat(5000 * step));
      const sealed = await guest.snapshot(reach, "manual", null, never());
      if (sealed.kind !== "sealed") throw new Error(JSON.stringify(sealed));
      ids.push(sealed.id);
    }
    const [first = "", second = "", third = "", newest = ""] = ids;
    const sealed = await guest.sealed(reach, never());
    const checkpoint = (id: string) => {
      const found = sealed.find((one) => one.id === id);
      if (found === undefined) throw new Error(`${id} is not listed`);
      return found;
    };
    expect(await door.verify(there, checkpoint(newest), never())).toEqual([]);
    writeFileSync(join(folder, third, "data/log"), "damaged");
    expect(await door.verify(there, checkpoint(third), never())).toEqual([{ path: "", what: expect.stringContaining("log") }]);

    const fetched = join(temporaryFolder(), newest);
    await door.fetch(reach, newest, fetched, never());
    expect(await verifyCheckpoint(fetched)).toMatchObject({ ok: true, problems: [] });

    await expect(door.prune(reach, [first, newest], false, never())).rejects.toMatchObject({ exit: 7 });
    const planned = await door.prune(reach, [first, third], true, never());
    expect(existsSync(join(folder, first))).toBe(true);
    expect(await door.prune(reach, [first, third], false, never())).toEqual(planned);
    expect(planned.pruned).toEqual([first, third]);
    // The weights are shared with those that stay.
    expect(planned.freed).toBeGreaterThan(5000);
    expect(planned.freed).toBeLessThan(300_000);
    expect((await guest.sealed(reach, never())).map(({ id }) => id)).toEqual([newest, second]);
    expect(await door.broken(there, never())).toEqual([]);
    appendFileSync(join(folder, second, "MANIFEST"), "\n");
    expect(await door.broken(there, never())).toEqual([{ id: second, instance: "train", what: "its manifest is damaged or missing" }]);
  });
});
