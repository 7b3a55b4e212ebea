import { readdirSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { GuestLine } from "../../src/fleet/fleet.ts";
import { createGuestDoor } from "../../src/fleet/guest-door.ts";
import { sshAccess } from "../../src/guest/ssh-access.ts";
import { forgetConnections } from "../../src/platform/ssh-connections.ts";
import { controlFolder } from "../../src/platform/ssh-files.ts";
import { machineRoomAvailable } from "../clouds/machine-room.ts";
import { agentProcess, eventually } from "../guest/machine.ts";
import { testWorld } from "../world.ts";
import { agentMachine, never } from "./reached-machine.ts";

const AWS = { kind: "container", notices: "aws", endsItself: false, volumes: "mounted" } as const;

describe.skipIf(!machineRoomAvailable())("an agent that is listened to over ssh", () => {
  it("is heard at once, and its listener ends with the connection", async () => {
    const world = testWorld();
    const ssh = sshAccess(world);
    const door = createGuestDoor(world);
    const { reach, machine } = await agentMachine(ssh, { machine: AWS });
    const lines: GuestLine[] = [];
    const over = new AbortController();
    const first = door.listen?.(reach, over.signal, (line) => lines.push(line)) ?? Promise.reject(new Error("deaf"));
    await eventually("a first line", () => lines[0]);
    expect(lines[0]).toMatchObject({ phase: "running", notice: null });
    const deadline = Math.floor(world.clock.now() / 1000) + 3600;
    await door.tellNotice(reach, deadline, never());
    await eventually("the notice", () => lines.at(-1)?.notice ?? undefined);
    expect(lines.at(-1)?.notice).toEqual({ kind: "reclaim", deadline: deadline * 1000, own: false });
    // As after a sleep: every shared connection is given up, and whoever listened knows it.
    expect(readdirSync(controlFolder(world.home))).toHaveLength(1);
    await forgetConnections(ssh, never());
    expect(await first).toBe("ended");
    expect(readdirSync(controlFolder(world.home))).toEqual([]);
    await eventually("the end of the listener in the machine", () =>
      agentProcess(machine.root, "listen") === undefined ? true : undefined,
    );

    const second = door.listen?.(reach, over.signal, (line) => lines.push(line)).catch(() => "stopped");
    const count = lines.length;
    await eventually("a line over a new connection", () => (lines.length > count ? true : undefined));
    over.abort();
    expect(await second).toBe("stopped");
    await eventually("its end in the machine", () => (agentProcess(machine.root, "listen") === undefined ? true : undefined));
  });
});
