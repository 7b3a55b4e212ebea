import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it, onTestFinished } from "vitest";
import { type Machine, type MachineRoom, machineRoom, machineRoomAvailable } from "../clouds/machine-room.ts";
import { eventually } from "../guest/machine.ts";
import { temporaryFolder } from "../world.ts";

const SHIMS = fileURLToPath(new URL("../clouds/shims", import.meta.url));

async function room(): Promise<MachineRoom> {
  const made = await machineRoom();
  onTestFinished(() => made.close());
  return made;
}

function keyPair(): { readonly file: string; readonly line: string } {
  const file = join(temporaryFolder(), "key");
  execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", file]);
  return { file, line: readFileSync(`${file}.pub`, "utf8") };
}

function ssh(machine: Machine, key: string, command: string): string {
  const options = ["BatchMode=yes", "StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "IdentitiesOnly=yes", "LogLevel=ERROR"];
  return execFileSync(
    "ssh",
    [
      "-F",
      "/dev/null",
      ...options.flatMap((option) => ["-o", option]),
      "-i",
      key,
      "-p",
      String(machine.port),
      `${machine.user}@${machine.host}`,
      command,
    ],
    { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] },
  );
}

/** Processes whose environment or folder names the machine, as the kernel tells. */
function alive(root: string): string {
  return execFileSync("sh", ["-c", 'grep -lsz -- "$0" /proc/[0-9]*/environ | grep -v "/$$/" || :', `SPOT_ROOT=${root}`], {
    encoding: "utf8",
  });
}

const BACKGROUND = `#!/bin/sh
echo "booted as $(id -un)" >>"$SPOT_ROOT/var/log/boot"
(setsid sleep 1000 &)
sleep 1001
`;

describe.skipIf(!machineRoomAvailable())("the machine room", () => {
  it("boots user data, lets the key in, and leaves no process behind when it halts", async () => {
    const key = keyPair();
    const machine = await (await room()).boot({
      id: "m",
      kind: "vm",
      boot: { script: BACKGROUND },
      authorizedKeys: [key.line],
      mounts: [],
    });
    await eventually("the boot script", () => existsSync(join(machine.root, "var/log/boot")) || undefined);
    expect(ssh(machine, key.file, 'echo "$SPOT_ROOT|$PWD|$(echo "$PATH" | cut -d: -f1)"').trim()).toMatch(
      new RegExp(`^${machine.root}\\|${machine.root}/root\\|.*/test/clouds/shims$`),
    );
    expect(() => ssh(machine, key.file, "exit 23")).toThrow(expect.objectContaining({ status: 23 }));
    // A session that left its process group is the machine's as well.
    ssh(machine, key.file, "setsid sleep 1002 >/dev/null 2>&1 </dev/null &");
    expect(machine.connections()).toBe(3);
    expect(alive(machine.root)).not.toBe("");
    const port = machine.port;
    await machine.halt();
    expect(alive(machine.root)).toBe("");
    expect(() => ssh(machine, key.file, "true")).toThrow(expect.objectContaining({ status: 255 }));
    await machine.reboot();
    expect(machine.port).not.toBe(port);
    expect(readFileSync(join(machine.root, "var/log/boot"), "utf8").split("booted").length - 1).toBe(1);
    expect(ssh(machine, key.file, "echo up")).toBe("up\n");
    await machine.erase();
    expect(alive(machine.root)).toBe("");
    expect(existsSync(machine.root)).toBe(false);
  });

  it("starts an installed agent at every later boot, and forgets mounts and /run", async () => {
    const script =
      '#!/bin/sh\nmkdir -p "$SPOT_ROOT/var/lib/spot"\nprintf "echo again >>$SPOT_ROOT/boots\\n" >"$SPOT_ROOT/var/lib/spot/agent.sh"\n';
    const place = await room();
    const machine = await place.boot({ id: "m", kind: "vm", boot: { script }, authorizedKeys: [], mounts: [] });
    await eventually("the agent", () => existsSync(join(machine.root, "var/lib/spot/agent.sh")) || undefined);
    await machine.attach("vdb", "disk-1");
    expect(readFileSync(join(machine.root, "dev/vdb")).length).toBe(16 * 1024 * 1024);
    mkdirSync(join(machine.root, "data"));
    const shim = (name: string, ...args: readonly string[]) =>
      execFileSync(join(SHIMS, name), args, { env: { PATH: `${SHIMS}:${process.env["PATH"]}`, SPOT_ROOT: machine.root }, stdio: "ignore" });
    shim("mkfs.ext4", "-q", join(machine.root, "dev/vdb"));
    shim("mount", join(machine.root, "dev/vdb"), join(machine.root, "data"));
    writeFileSync(join(machine.root, "data/kept"), "");
    expect(existsSync(join(place.volumeFolder("disk-1"), "files/kept"))).toBe(true);
    writeFileSync(join(machine.root, "run/old"), "");
    await machine.reboot();
    await eventually("the second boot", () => existsSync(join(machine.root, "boots")) || undefined);
    expect(existsSync(join(machine.root, "run/old"))).toBe(false);
    expect(existsSync(join(machine.root, "dev/vdb"))).toBe(true);
    writeFileSync(join(machine.root, "data/on-root"), "");
    expect(existsSync(join(place.volumeFolder("disk-1"), "files/on-root"))).toBe(false);
    await machine.detach("vdb");
    expect(existsSync(join(machine.root, "dev/vdb"))).toBe(false);
  });

  it("mounts volumes for containers, and keeps them when the machine is erased", async () => {
    const place = await room();
    const boot = { argv: ["/bin/sh", "-c", 'echo "$WHAT" >"$SPOT_ROOT/data/kept"'], env: { WHAT: "words" } };
    const machine = await place.boot({ id: "c", kind: "container", boot, authorizedKeys: [], mounts: [{ path: "/data", volumeId: "v1" }] });
    const kept = join(place.volumeFolder("v1"), "files/kept");
    await eventually("the file", () => (existsSync(kept) && readFileSync(kept, "utf8") === "words\n" ? true : undefined));
    await machine.erase();
    expect(readFileSync(kept, "utf8")).toBe("words\n");
    place.eraseVolume("v1");
    expect(existsSync(kept)).toBe(false);
  });
});

it.skipIf(machineRoomAvailable())("did not run: no sshd on this machine (package openssh-server)", (context) => {
  context.skip("install openssh-server");
});
