import { execFileSync, spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { shellWord } from "../../src/guest/boot-script.ts";
import { sshAccess } from "../../src/guest/ssh-access.ts";
import { runSsh } from "../../src/platform/ssh.ts";
import { controlFolder, ensureControlFolder, knownHostsFile, privateKeyFile, sshFolder, sshPath } from "../../src/platform/ssh-files.ts";
import { ensureSshKey } from "../../src/platform/ssh-key.ts";
import { requireSafeTarget } from "../../src/platform/ssh-options.ts";
import { machineRoomAvailable } from "../clouds/machine-room.ts";
import { eventually } from "../guest/machine.ts";
import { temporaryFolder, testWorld } from "../world.ts";
import { access, bareMachine, hangUp, never, reachOf, room } from "./reached-machine.ts";

const limits = () => ({ timeoutMs: 20_000, signal: never() });

describe("our key", () => {
  it("is made once, by however many at once, and opens to nobody else", async () => {
    const ssh = access();
    const lines = await Promise.all(Array.from({ length: 6 }, () => ensureSshKey(ssh, never())));
    expect(new Set(lines).size).toBe(1);
    expect(lines[0]).toMatch(/^ssh-ed25519 \S+ spot$/);
    const file = privateKeyFile(ssh.home);
    expect(execFileSync("ssh-keygen", ["-y", "-f", file], { encoding: "utf8" }).trim()).toBe(lines[0]);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(statSync(sshFolder(ssh.home)).mode & 0o777).toBe(0o700);
    expect(readdirSync(sshFolder(ssh.home)).sort()).toEqual(["id_ed25519", "id_ed25519.pub"]);
    expect(await ensureSshKey(ssh, never())).toBe(lines[0]);
  });

  it("is whole again when half of it got lost", async () => {
    const ssh = access();
    const line = await ensureSshKey(ssh, never());
    rmSync(`${privateKeyFile(ssh.home)}.pub`);
    expect(await ensureSshKey(ssh, never())).toBe(line);
    rmSync(privateKeyFile(ssh.home));
    expect(await ensureSshKey(ssh, never())).not.toBe(line);
  });

  it("needs ssh-keygen, and says so", async () => {
    await expect(ensureSshKey(access(undefined, { PATH: "/nowhere" }), never())).rejects.toMatchObject({ code: "SPOT_E_NO_SSH" });
  });
});

it("keeps what opens a cloud from ssh, and everything else as it is", () => {
  const env = { PPIO_API_KEY: "canary", VERDA_CLIENT_SECRET: "canary", SSH_AUTH_SOCK: "/agent", LANG: "C" };
  const given = sshAccess(testWorld({ env })).env;
  expect(JSON.stringify(given)).not.toContain("canary");
  expect(given).toMatchObject({ SSH_AUTH_SOCK: "/agent", LANG: "C" });
});

describe("what a cloud says of a machine", () => {
  const good = { host: "10.0.0.1", port: 22, user: "root", password: null, alias: "ppio-abc123" };
  it("is let through when it is what it should be", () => {
    for (const host of ["10.0.0.1", "a.example.com", "2001:db8::1", "ssh-1.x"])
      expect(requireSafeTarget({ ...good, host }).host).toBe(host);
  });
  it.each([
    { host: "-oProxyCommand=id" },
    { host: "a b" },
    { host: "a;id" },
    { host: "$(id)" },
    { host: "a\nHost *" },
    { host: "user@a" },
    { host: "fe80::1%eth0" },
    { host: "a.-b" },
    { host: "" },
    { user: "-l" },
    { user: "root\n" },
    { user: "a b" },
    { user: "%h" },
    { user: "" },
    { port: 0 },
    { port: 65_536 },
    { port: 22.5 },
    { alias: "-x" },
    { alias: "a b" },
    { alias: "*" },
    { alias: "a,b" },
    { alias: "a/../b" },
    { password: "a\nb" },
  ])("is refused: %j", (part) => {
    expect(() => requireSafeTarget({ ...good, ...part })).toThrow(expect.objectContaining({ code: "SPOT_E_REACH" }));
  });
});

describe("the sockets of shared connections", () => {
  it("fit into sun_path however deep the home is", () => {
    expect(controlFolder("/home/u/.local/share/spot")).toBe("/home/u/.local/share/spot/ssh/c");
    const deep = controlFolder(`/home/${"d".repeat(90)}`, 1000);
    expect(deep).toMatch(/^\/tmp\/spot-1000-[0-9a-f]{16}$/);
    expect(deep.length + 1 + 16 + 17).toBeLessThan(104);
  });
  it("are not put where others may come", async () => {
    const home = temporaryFolder();
    expect(await ensureControlFolder(home)).toBe(join(home, "ssh/c"));
    execFileSync("chmod", ["777", join(home, "ssh/c")]);
    expect(await ensureControlFolder(home)).toBeUndefined();
  });
});

it("quotes paths for ssh", () => {
  expect(sshPath("/a/b%c")).toBe("/a/b%%c");
  expect(sshPath('/a b/"c')).toBe('"/a b/\\"c"');
  expect(() => sshPath("/a\nb")).toThrow(expect.objectContaining({ code: "SPOT_E_SSH_PATH" }));
});

it("does not wait for what ssh leaves behind, even when that holds its streams", async () => {
  const bin = temporaryFolder();
  writeFileSync(join(bin, "ssh"), '#!/bin/sh\nsleep 1000 &\necho "$!" >"$HOME/left"\necho out\necho err >&2\nexit 3\n', { mode: 0o755 });
  const ssh = access();
  const target = { host: "127.0.0.1", port: 1, user: "root", password: null, alias: "fake-m1" };
  const result = await runSsh({ ...ssh, env: { ...ssh.env, PATH: `${bin}:${ssh.env["PATH"]}` } }, target, "true", limits());
  expect(result).toEqual({ code: 3, stdout: "out\n", stderr: "err\n" });
  process.kill(Number(readFileSync(join(ssh.home, "left"), "utf8")));
});

describe.skipIf(!machineRoomAvailable())("a machine behind ssh", () => {
  it("runs a line, keeps its exit code and both streams apart, and shares one connection", async () => {
    const ssh = access();
    const machine = await bareMachine(ssh);
    const result = await runSsh(ssh, reachOf(machine), "echo out; echo err >&2; exit 23", limits());
    expect(result).toEqual({ code: 23, stdout: "out\n", stderr: "err\n" });
    for (let count = 0; count < 5; count++) await runSsh(ssh, reachOf(machine), "true", limits());
    expect(machine.connections()).toBe(1);
    await hangUp(ssh, controlFolder(ssh.home));
    await runSsh(ssh, reachOf(machine), "true", limits());
    expect(machine.connections()).toBe(2);
    // One line for the machine, under its own name, whatever its address.
    expect(readFileSync(knownHostsFile(ssh.home), "utf8")).toMatch(/^fake-m1 ssh-ed25519 \S+\n$/);
  });

  it("serves more calls at once than one connection carries", async () => {
    const ssh = access();
    const machine = await bareMachine(ssh);
    await runSsh(ssh, reachOf(machine), "true", limits());
    const results = await Promise.all(
      Array.from({ length: 15 }, (_, index) => runSsh(ssh, reachOf(machine), `sleep 1; echo ${index}`, limits())),
    );
    expect(results.map(({ code, stdout }) => [code, stdout])).toEqual(results.map((_, index) => [0, `${index}\n`]));
  });

  it("opens with our key although the user's agent has more than a server hears, and else with what the agent has", async () => {
    const folder = temporaryFolder();
    const socket = join(folder, "agent");
    const agent = spawn("ssh-agent", ["-D", "-a", socket], { stdio: "ignore" });
    onTestFinished(() => void agent.kill());
    await eventually("the agent", () => existsSync(socket) || undefined);
    const ssh = access(undefined, { SSH_AUTH_SOCK: socket });
    const key = (index: number) => join(folder, `key${index}`);
    const add = (index: number) => {
      execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", key(index)]);
      execFileSync("ssh-add", ["-q", key(index)], { env: { ...process.env, SSH_AUTH_SOCK: socket }, stdio: "ignore" });
    };
    add(0);
    const machine = await bareMachine(access());
    const keys = join(machine.root, "root/.ssh/authorized_keys");
    writeFileSync(keys, readFileSync(`${key(0)}.pub`));
    expect((await runSsh(ssh, reachOf(machine), "echo by the agent", limits())).stdout).toBe("by the agent\n");
    await hangUp(ssh, controlFolder(ssh.home));
    for (let index = 1; index < 8; index++) add(index);
    writeFileSync(keys, `${await ensureSshKey(ssh, never())}\n`);
    expect((await runSsh(ssh, reachOf(machine), "echo by our key", limits())).stdout).toBe("by our key\n");
  });

  it("works from a home with odd characters, deep as it may be", async () => {
    const home = join(temporaryFolder(), `with space %h "quoted" ${"deep".repeat(20)}`);
    execFileSync("mkdir", [home]);
    const ssh = access(home);
    const machine = await bareMachine(ssh);
    expect((await runSsh(ssh, reachOf(machine), "echo in", limits())).stdout).toBe("in\n");
    await runSsh(ssh, reachOf(machine), "true", limits());
    expect(machine.connections()).toBe(1);
    expect(readFileSync(knownHostsFile(home), "utf8")).toContain("fake-m1");
    rmSync(controlFolder(home), { recursive: true });
  });

  it("hands words over exactly", async () => {
    const ssh = access();
    const machine = await bareMachine(ssh);
    const words = ["a b", "'", '"', "$HOME", "`id`", "\\", "a\nb", "*", "-n", "", "ü", ";|&<>()", "%s", "!x", "~"];
    const { stdout } = await runSsh(ssh, reachOf(machine), `printf '%s\\0' ${words.map(shellWord).join(" ")}`, limits());
    expect(stdout.split("\0").slice(0, -1)).toEqual(words);
  });

  it("fails loudly when another machine answers under its name", async () => {
    const ssh = access();
    const place = await room();
    const first = await bareMachine(ssh, place);
    await runSsh(ssh, reachOf(first), "true", limits());
    const second = await bareMachine(ssh, place);
    await expect(runSsh(ssh, reachOf(second), "touch here", limits())).rejects.toMatchObject({
      code: "SPOT_E_HOST_KEY_CHANGED",
      retryable: false,
      next: [`ssh-keygen -R fake-m1 -f ${knownHostsFile(ssh.home)}`],
    });
    expect(second.connections()).toBe(0);
    // The way out that the problem names.
    execFileSync("ssh-keygen", ["-q", "-R", "fake-m1", "-f", knownHostsFile(ssh.home)], { stdio: "ignore" });
    await runSsh(ssh, reachOf(second), "true", limits());
    // Another name is another machine, at whatever address.
    await runSsh(ssh, reachOf(first, "fake-m2"), "true", limits());
  });

  it("is unreachable when nobody listens, when nobody answers, and when our key is not known", async () => {
    const ssh = access();
    const machine = await bareMachine(ssh);
    const refused = { code: "SPOT_E_GUEST_UNREACHABLE", retryable: true };
    const stranger = access();
    await expect(runSsh(stranger, reachOf(machine), "true", limits())).rejects.toMatchObject({
      ...refused,
      message: expect.stringContaining("none of our keys"),
    });
    const silent = createServer(() => {});
    await new Promise<void>((done) => silent.listen(0, "127.0.0.1", done));
    onTestFinished(() => void silent.close());
    const { port } = silent.address() as { port: number };
    await expect(runSsh(ssh, { ...reachOf(machine), port }, "true", { ...limits(), timeoutMs: 500 })).rejects.toMatchObject({
      ...refused,
      message: expect.stringContaining("within 0.5 seconds"),
    });
    await machine.halt();
    await expect(runSsh(ssh, reachOf(machine), "true", limits())).rejects.toMatchObject(refused);
  });

  it("ends a command that takes too long, and what the caller takes back", async () => {
    const ssh = access();
    const machine = await bareMachine(ssh);
    await expect(runSsh(ssh, reachOf(machine), "sleep 100", { ...limits(), timeoutMs: 700 })).rejects.toMatchObject({
      code: "SPOT_E_GUEST_UNREACHABLE",
    });
    const gone = new AbortController();
    const running = runSsh(ssh, reachOf(machine), "sleep 100", { ...limits(), signal: gone.signal });
    gone.abort("SIGINT");
    await expect(running).rejects.toBe("SIGINT");
    expect((await runSsh(ssh, reachOf(machine), "echo on", limits())).stdout).toBe("on\n");
  });

  it("is not confused by what the machine prints at login", async () => {
    const ssh = access();
    const machine = await bareMachine(ssh);
    writeFileSync(join(machine.root, "root/.bashrc"), "echo 'Host key verification failed.' >&2; echo noise >&2\n");
    await expect(runSsh(ssh, reachOf(machine), "exit 7", limits())).resolves.toMatchObject({ code: 7 });
  });
});
