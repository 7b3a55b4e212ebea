import { execFileSync } from "node:child_process";
import { chmodSync, lstatSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { configSsh } from "../../src/commands/config/ssh.ts";
import { refreshSshConfig } from "../../src/commands/config/ssh-blocks.ts";
import { sshAccess } from "../../src/guest/ssh-access.ts";
import { sshConfigFile } from "../../src/platform/ssh-files.ts";
import { machineRoomAvailable } from "../clouds/machine-room.ts";
import { temporaryFolder, testWorld } from "../world.ts";
import { desk } from "./command.ts";
import { bareMachine } from "./reached-machine.ts";

/** A home of ours with a space in it, and a user's home of its own. */
function writing() {
  const user = temporaryFolder();
  const home = join(temporaryFolder(), "spot home");
  mkdirSync(home);
  return { user, made: desk(testWorld({ home, env: { HOME: user } })), config: join(user, ".ssh/config") };
}

const at = (port: number, host = "127.0.0.1") => ({ host, port, user: "root" });

describe("spot config ssh", () => {
  it("is understood by ssh, for living machines only, and not for what no host can be called", async () => {
    const { made, config } = writing();
    await made.record("trainer", "p1", { ssh: at(2201, "203.0.113.7") });
    await made.record("asleep", "p2", { state: "hibernated", ssh: null });
    await made.record("over", "p3", { state: "gone", ssh: at(2203) });
    await made.record("evil", "p4", { ssh: at(22, "x\n  ProxyCommand id") });
    await made.record("worse", "p5\nHost *", { ssh: at(22) });
    await made.run(configSsh, [], { write: true, yes: true });
    const text = readFileSync(sshConfigFile(made.world.home), "utf8");
    expect(text.match(/^Host .*$/gm)).toEqual(["Host trainer"]);
    expect(text).not.toContain("ProxyCommand");
    const said = execFileSync("ssh", ["-G", "-F", config, "trainer"], { encoding: "utf8" });
    for (const line of ["hostname 203.0.113.7", "port 2201", "user root", "hostkeyalias fake-p1", "stricthostkeychecking accept-new"])
      expect(said.split("\n")).toContain(line);
    expect(said).toContain(`identityfile ${made.world.home}/ssh/id_ed25519`);
  });

  it("adds its line once, at the head, and leaves the rest of the file and its rights alone", async () => {
    const { made, user, config } = writing();
    mkdirSync(join(user, ".ssh"), { mode: 0o700 });
    mkdirSync(join(user, "dotfiles"));
    const real = join(user, "dotfiles/ssh");
    writeFileSync(real, "Host other\n  User me\n");
    chmodSync(real, 0o644);
    symlinkSync(real, config);
    await made.run(configSsh, [], { write: true, yes: true });
    await made.run(configSsh, [], { write: true, yes: true });
    const [first = "", ...rest] = readFileSync(config, "utf8").split("\n");
    expect(first).toBe(`Include "${sshConfigFile(made.world.home)}"`);
    expect(rest.join("\n")).toBe("\nHost other\n  User me\n");
    expect(lstatSync(config).isSymbolicLink()).toBe(true);
    expect(statSync(real).mode & 0o777).toBe(0o644);
  });

  it("touches nothing without an answer, and asks nobody where nobody sits", async () => {
    const { made, config } = writing();
    await expect(made.run(configSsh, [], { write: true })).rejects.toMatchObject({ exit: 2 });
    expect(() => readFileSync(config)).toThrow();
    expect(() => readFileSync(sshConfigFile(made.world.home))).toThrow();
  });

  it("is brought up to date once it has been written, and not before", async () => {
    const { made } = writing();
    const refresh = () => made.with(refreshSshConfig);
    await made.record("trainer", "p1", { ssh: at(2201) });
    await refresh();
    expect(() => readFileSync(sshConfigFile(made.world.home))).toThrow();
    await made.run(configSsh, [], { write: true, yes: true });
    await made.change("trainer", { ssh: at(2299), providerId: "p9" });
    await refresh();
    const text = () => readFileSync(sshConfigFile(made.world.home), "utf8");
    expect(text()).toContain("Port 2299");
    expect(text()).toContain("HostKeyAlias fake-p9");
    await made.change("trainer", { state: "gone" });
    await refresh();
    expect(text()).not.toContain("Host trainer");
  });

  it.skipIf(!machineRoomAvailable())("lets plain ssh in by name, with the host key that spot has pinned", async () => {
    const { made, config } = writing();
    const machine = await bareMachine(sshAccess(made.world));
    await made.record("trainer", "m1", { ssh: { host: machine.host, port: machine.port, user: machine.user } });
    await made.run(configSsh, [], { write: true, yes: true });
    const ssh = () =>
      execFileSync("ssh", ["-F", config, "-o", "BatchMode=yes", "trainer", "echo in"], {
        encoding: "utf8",
        stdio: ["ignore", "pipe", "pipe"],
      });
    expect(ssh()).toBe("in\n");
    const known = join(made.world.home, "ssh/known_hosts");
    expect(readFileSync(known, "utf8")).toMatch(/^fake-m1 /);
    writeFileSync(known, "fake-m1 ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFY1o9ZbPnpDGSBvJ5nX0YpKDQ8xUQ0Qf3l0k9m0o0aa\n");
    expect(ssh).toThrow(expect.objectContaining({ status: 255 }));
  });
});
