import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { exec } from "../../src/commands/exec.ts";
import { ssh } from "../../src/commands/ssh.ts";
import { sshAccess } from "../../src/guest/ssh-access.ts";
import type { Reach } from "../../src/providers/provider.ts";
import { machineRoomAvailable } from "../clouds/machine-room.ts";
import { temporaryFolder, testWorld } from "../world.ts";
import { desk } from "./command.ts";
import { agentMachine, bareMachine, reachOf } from "./reached-machine.ts";

const NASTY = 'printf "a\\033]0;title\\007b\\033[2Jc\\n"; printf "\\033[31md\\n" >&2';

describe.skipIf(!machineRoomAvailable())("spot exec and spot ssh on a rented machine", () => {
  it("keep the exit code, also ssh's own", async () => {
    const { world, reaches, record, run } = desk();
    const { reach } = await agentMachine(sshAccess(world));
    reaches.set("m1", reach);
    await record("train", "m1");
    for (const code of [0, 1, 23, 126, 255]) expect(await run(exec, ["train", "sh", "-c", `exit ${code}`])).toBe(code);
    expect(await run(exec, ["train", "no-such-program"])).toBe(127);
    expect(await run(ssh, ["train", "exit 9"])).toBe(9);
    // As with ssh itself, its words are one line for a shell.
    expect(await run(ssh, ["train", "exit", "$((2 + 3))"])).toBe(5);
  });

  it("give a terminal no escape sequences where nobody works in it", async () => {
    const { world, reaches, record, run } = desk(testWorld({ isTTY: true }));
    const { reach } = await agentMachine(sshAccess(world));
    reaches.set("m1", reach);
    await record("train", "m1");
    expect(await run(exec, ["train", "sh", "-c", `${NASTY}; exit 4`])).toBe(4);
    expect(world.written()).toBe("abc\n");
    expect(world.said()).toContain("d\n");
    expect(world.said()).not.toContain("\u001b[31m");
  });

  it("say before anything else that a machine is away, or is another one", async () => {
    const { world, reaches, record, run } = desk();
    const access = sshAccess(world);
    const machine = await bareMachine(access);
    reaches.set("m1", reachOf(machine));
    await record("train", "m1");
    mkdirSync(join(world.home, "ssh"), { recursive: true });
    writeFileSync(
      join(world.home, "ssh/known_hosts"),
      "fake-m1 ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFY1o9ZbPnpDGSBvJ5nX0YpKDQ8xUQ0Qf3l0k9m0o0aa\n",
    );
    await expect(run(ssh, ["train", "true"])).rejects.toMatchObject({ code: "SPOT_E_HOST_KEY_CHANGED" });
    await machine.halt();
    for (const module of [ssh, exec])
      await expect(run(module, ["train", "true"])).rejects.toMatchObject({ code: "SPOT_E_GUEST_UNREACHABLE" });
  });

  it("send nothing to an address that is none", async () => {
    const { world, reaches, record, run } = desk();
    const machine = await bareMachine(sshAccess(world));
    reaches.set("m1", { ...reachOf(machine), host: "-oProxyCommand=touch /tmp/spot-owned" });
    await record("train", "m1");
    await expect(run(ssh, ["train", "true"])).rejects.toMatchObject({ code: "SPOT_E_REACH" });
  });
});

describe("spot exec and spot ssh on a machine of the embedded cloud", () => {
  it("run in its folder with its environment, and keep the exit code", async () => {
    const { world, reaches, record, run } = desk(testWorld({ isTTY: true }));
    const root = temporaryFolder();
    const reach: Reach = { kind: "process", cwd: root, env: { PATH: process.env["PATH"] ?? "", SPOT_ROOT: root }, log: "" };
    reaches.set("m1", reach);
    await record("train", "m1", { volumes: [] });
    expect(await run(exec, ["train", "sh", "-c", `${NASTY}; pwd; echo "$SPOT_INSTANCE"; exit 6`])).toBe(6);
    expect(world.written()).toBe(`abc\n${root}\ntrain\n`);
    expect(await run(ssh, ["train", 'test "$PWD" =', `"${root}"`, "&& exit 8"])).toBe(8);
    await expect(run(exec, ["train", "no-such-program"])).rejects.toMatchObject({ code: "SPOT_E_EXEC" });
    await expect(run(exec, ["train"])).rejects.toMatchObject({ exit: 2 });
  });
});
