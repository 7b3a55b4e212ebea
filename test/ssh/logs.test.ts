import { appendFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { logs } from "../../src/commands/logs.ts";
import { sshAccess } from "../../src/guest/ssh-access.ts";
import { controlFolder } from "../../src/platform/ssh-files.ts";
import { type Machine, machineRoomAvailable } from "../clouds/machine-room.ts";
import { eventually } from "../guest/machine.ts";
import { testWorld } from "../world.ts";
import { desk } from "./command.ts";
import { bareMachine, hangUp, reachOf, room } from "./reached-machine.ts";

function logFile(machine: Machine, text: string): string {
  mkdirSync(join(machine.root, "var/lib/spot"), { recursive: true });
  const file = join(machine.root, "var/lib/spot/console.log");
  writeFileSync(file, text);
  return file;
}

describe.skipIf(!machineRoomAvailable())("spot logs of a rented machine", () => {
  it("prints all of it, or its last lines, or nothing when there is none", async () => {
    const { world, reaches, record, run } = desk();
    const machine = await bareMachine(sshAccess(world));
    reaches.set("m1", reachOf(machine));
    await record("train", "m1");
    expect(await run(logs, ["train"])).toBe(0);
    expect(world.written()).toBe("");
    logFile(machine, "one\ntwo ü\nthree");
    await run(logs, ["train"]);
    expect(world.written()).toBe("one\ntwo ü\nthree");
    await run(logs, ["train"], { tail: "2" });
    expect(world.written()).toBe("one\ntwo ü\nthreetwo ü\nthree");
    await run(logs, ["train"], { tail: "0" });
    expect(world.written()).toBe("one\ntwo ü\nthreetwo ü\nthree");
  });

  it("keeps escape sequences from a terminal", async () => {
    const { world, reaches, record, run } = desk(testWorld({ isTTY: true }));
    const machine = await bareMachine(sshAccess(world));
    reaches.set("m1", reachOf(machine));
    await record("train", "m1");
    logFile(machine, "a\u001b]0;title\u0007b\u001b[2Jc\n");
    await run(logs, ["train"]);
    expect(world.written()).toBe("abc\n");
  });

  it("follows over a broken connection and a replacement, each line once, and ends with the instance", async () => {
    const { world, reaches, record, change, run } = desk();
    const ssh = sshAccess(world);
    const place = await room();
    const first = await bareMachine(ssh, place);
    reaches.set("m1", reachOf(first, "fake-m1"));
    await record("train", "m1");
    const file = logFile(first, "old\none\n");
    const following = run(logs, ["train"], { follow: true, tail: "1" });
    const shows = (text: string) => eventually(JSON.stringify(text), () => (world.written() === text ? true : undefined));
    await shows("one\n");
    appendFileSync(file, "two\n");
    await shows("one\ntwo\n");
    await hangUp(ssh, controlFolder(world.home));
    appendFileSync(file, "three\n");
    await shows("one\ntwo\nthree\n");
    const second = await bareMachine(ssh, place);
    logFile(second, "again one, and longer than the first\n");
    await change("train", { providerId: null, state: "requested" });
    await first.erase();
    reaches.delete("m1");
    reaches.set("m2", reachOf(second, "fake-m2"));
    await change("train", { providerId: "m2", state: "running" });
    await shows("one\ntwo\nthree\nagain one, and longer than the first\n");
    await change("train", { state: "gone" });
    expect(await following).toBe(0);
    expect(world.written()).toBe("one\ntwo\nthree\nagain one, and longer than the first\n");
  });

  it("leaves no reader behind in the machine when it is stopped", async () => {
    const { world, reaches, record, run } = desk();
    const machine = await bareMachine(sshAccess(world));
    reaches.set("m1", reachOf(machine));
    await record("train", "m1");
    logFile(machine, "one\n");
    const stop = new AbortController();
    const following = run(logs, ["train"], { follow: true }, stop.signal);
    await eventually("the first line", () => (world.written() === "one\n" ? true : undefined));
    const readers = () => machine.processes().filter((line) => line.includes("console.log"));
    expect(readers()).not.toEqual([]);
    stop.abort("SIGINT");
    await expect(following).rejects.toBe("SIGINT");
    await eventually("nobody reads", () => (readers().length === 0 ? true : undefined));
  });

  it("says that a machine cannot be reached, and what to wait for", async () => {
    const { reaches, record, run } = desk();
    reaches.set("m1", null);
    await record("train", "m1");
    await expect(run(logs, ["train"])).rejects.toMatchObject({
      code: "SPOT_E_UNREACHABLE",
      retryable: true,
      next: [expect.stringContaining("spot wait train"), "spot show train --refresh"],
    });
  });
});
