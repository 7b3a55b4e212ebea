import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { createGuestDoor } from "../../src/fleet/guest-door.ts";
import { agentLine, guestExec, guestSnapshot, guestVerify } from "../../src/guest/run-verb.ts";
import { sshAccess, wayIn } from "../../src/guest/ssh-access.ts";
import { runSsh } from "../../src/platform/ssh.ts";
import { knownHostsFile } from "../../src/platform/ssh-files.ts";
import { machineRoomAvailable } from "../clouds/machine-room.ts";
import { eventually } from "../guest/machine.ts";
import { sampleSpec } from "../state/sample-records.ts";
import { testWorld } from "../world.ts";
import { agentMachine, bareMachine, never, reachOf } from "./reached-machine.ts";

const WRITER = [
  "sh",
  "-c",
  'while :; do echo 7 >"$SPOT_CHECKPOINT_DIR/.s"; mv "$SPOT_CHECKPOINT_DIR/.s" "$SPOT_CHECKPOINT_DIR/state"; sleep 0.2; done',
];

describe.skipIf(!machineRoomAvailable())("the agent of a rented machine", () => {
  it("reports, seals, lists and verifies through the door", async () => {
    const world = testWorld();
    const ssh = sshAccess(world);
    const door = createGuestDoor(world);
    const { reach, place, machine } = await agentMachine(ssh, { command: WRITER });
    expect(await door.report(reach, never())).toMatchObject({ phase: "running", awaitsVolume: false, exitCode: null });
    await eventually("the state", () => existsSync(join(machine.root, "var/lib/spot/checkpoint/state")) || undefined);
    const sealed = await door.snapshot(reach, "manual", null, never());
    expect(sealed).toMatchObject({ kind: "sealed" });
    const list = await door.sealed(reach, never());
    expect(list).toMatchObject([{ instance: "train", volume: "disk", reason: "manual", sealed: true, verifiedAt: null }]);
    const [checkpoint] = list;
    expect(checkpoint?.createdAt).toBeGreaterThan(1e12);
    const id = checkpoint?.id ?? "";
    const options = { ...wayIn(world), signal: never() };
    expect(await guestVerify(reach, id, options)).toMatchObject({ id, sha256: checkpoint?.sha256 });
    const state = join(place.volumeFolder("disk"), "files/spot/checkpoints", id, "data/state");
    writeFileSync(state, "8\n");
    await expect(guestVerify(reach, id, options)).rejects.toMatchObject({ exit: 7, message: expect.stringContaining("state") });
    await expect(guestVerify(reach, "c-none", options)).rejects.toMatchObject({ exit: 7 });
  });

  it("hears a notice and takes it back", async () => {
    const world = testWorld();
    const door = createGuestDoor(world);
    const { reach } = await agentMachine(sshAccess(world));
    const inAnHour = Math.floor(world.clock.now() / 1000) + 3600;
    await door.tellNotice(reach, inAnHour, never());
    const heard = async () => (await door.report(reach, never()))?.noticeDeadline;
    await eventually("the notice", async () => ((await heard()) === inAnHour ? true : undefined));
    await door.tellWithdrawn(reach, never());
    await eventually("its end", async () => ((await heard()) === null ? true : undefined));
  });

  it("is asked for readiness inside the machine", async () => {
    const world = testWorld();
    const door = createGuestDoor(world);
    const { reach } = await agentMachine(sshAccess(world), { env: { GREETING: "hello there" } });
    const server = createServer((request, response) => response.writeHead(request.url === "/ok" ? 204 : 503).end());
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    onTestFinished(() => void server.close());
    const { port } = server.address() as { port: number };
    const ready = (spec: object) => door.isReady(reach, sampleSpec("train", spec), never());
    expect(await ready({})).toBe(true);
    expect(await ready({ readyHttp: `:${port}/ok` })).toBe(true);
    expect(await ready({ readyHttp: `:${port}/not` })).toBe(false);
    expect(await ready({ readyHttp: ":1/ok" })).toBe(false);
    expect(await ready({ readyCmd: 'test "$GREETING" = "hello there"' })).toBe(true);
    expect(await ready({ readyCmd: "exit 3" })).toBe(false);
  });

  it("runs commands with the workload's environment and keeps their exit codes and words", async () => {
    const world = testWorld();
    const ssh = sshAccess(world);
    const { reach } = await agentMachine(ssh, { env: { WORD: "it's" } });
    const run = (...argv: readonly string[]) => guestExec(reach, argv, { ssh, signal: never() });
    expect(await run("sh", "-c", 'printf "%s|%s" "$WORD" "$SPOT_INSTANCE"; exit 42')).toMatchObject({ code: 42, stdout: "it's|train" });
    const words = ["a b", "'", "$HOME", "a\nb", "--", "-x", ""];
    expect((await run("printf", "%s\\0", ...words)).stdout.split("\0").slice(0, -1)).toEqual(words);
  });

  it("has nothing to say when it is not there, and a changed host key is said once, aloud", async () => {
    const world = testWorld();
    const ssh = sshAccess(world);
    const machine = await bareMachine(ssh);
    const said: string[] = [];
    const door = createGuestDoor(world, (text) => void said.push(text));
    expect(await door.report(reachOf(machine), never())).toBeUndefined();
    expect(await door.snapshot(reachOf(machine), "manual", null, never())).toMatchObject({ kind: "failed" });
    expect(said).toEqual([]);
    writeFileSync(knownHostsFile(world.home), readFileSync(knownHostsFile(world.home), "utf8").replace("fake-m1", "fake-m0"));
    const other = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFY1o9ZbPnpDGSBvJ5nX0YpKDQ8xUQ0Qf3l0k9m0o0aa";
    writeFileSync(knownHostsFile(world.home), `fake-m9 ${other}\n`);
    expect(await door.report(reachOf(machine, "fake-m9"), never())).toBeUndefined();
    expect(await door.report(reachOf(machine, "fake-m9"), never())).toBeUndefined();
    expect(said).toEqual([expect.stringContaining("ssh-keygen -R fake-m9")]);
  });

  it("is spoken to by sudo where root is not a folder and the login is not root", async () => {
    const ssh = sshAccess(testWorld());
    const machine = await bareMachine(ssh);
    // Stand-ins for a machine of its own: whose `id` says ubuntu and whose sudo says what it was asked for.
    const bin = join(machine.root, "bin");
    mkdirSync(bin);
    writeFileSync(join(bin, "id"), "#!/bin/sh\necho 1000\n", { mode: 0o755 });
    writeFileSync(join(bin, "sudo"), '#!/bin/sh\nprintf "%s|" sudo "$@"\n', { mode: 0o755 });
    symlinkSync("/bin/sh", join(bin, "sh"));
    const line = (root: string) => `unset SPOT_ROOT; ${root} PATH='${bin}':$PATH; ${agentLine(["log", "it's"])}`;
    const options = { signal: never(), timeoutMs: 20_000 };
    expect((await runSsh(ssh, reachOf(machine), line(""), options)).stdout).toBe("sudo|-n|sh|/var/lib/spot/agent.sh|log|it's|");
    writeFileSync(join(bin, "id"), "#!/bin/sh\necho 0\n", { mode: 0o755 });
    expect((await runSsh(ssh, reachOf(machine), line(""), options)).stdout).not.toContain("sudo");
  });

  it("gives up a snapshot that overruns its deadline", async () => {
    const world = testWorld();
    const ssh = sshAccess(world);
    const { reach } = await agentMachine(ssh, { command: WRITER, checkpointHook: "sleep 30" });
    await expect(guestSnapshot(reach, "manual", null, { ssh, signal: never(), timeoutMs: 800 })).rejects.toMatchObject({
      code: "SPOT_E_GUEST_UNREACHABLE",
    });
  });
});
