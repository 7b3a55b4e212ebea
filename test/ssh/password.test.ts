import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { userInfo } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { runSsh } from "../../src/platform/ssh.ts";
import { type SshAccess, sshFolder } from "../../src/platform/ssh-files.ts";
import { sshServer } from "../clouds/machine-processes.ts";
import { freePort } from "../free-port.ts";
import { eventually } from "../guest/machine.ts";
import { temporaryFolder } from "../world.ts";
import { access, never, type SshReach } from "./reached-machine.ts";

const PASSWORD = `pa'ss "wörd" $HOME %s \\n`;
/** Passwords are checked against a shadow file of the test's own, which takes a mount namespace of its own. */
const canHide = sshServer() !== undefined && process.getuid?.() === 0 && spawnSync("unshare", ["-m", "true"]).status === 0;

interface Server {
  readonly reach: SshReach;
  log(): string;
}

async function passwordServer(): Promise<Server> {
  const folder = temporaryFolder();
  const user = userInfo().username;
  const hash = execFileSync("openssl", ["passwd", "-6", "-stdin"], { input: PASSWORD, encoding: "utf8" }).trim();
  writeFileSync(join(folder, "shadow"), `${user}:${hash}:20000:0:99999:7:::\nsshd:*:20000:0:99999:7:::\n`, { mode: 0o600 });
  execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", join(folder, "host")]);
  mkdirSync("/run/sshd", { recursive: true });
  const port = await freePort();
  writeFileSync(
    join(folder, "config"),
    `ListenAddress 127.0.0.1:${port}\nHostKey ${folder}/host\nPidFile none\nUsePAM no\nPermitRootLogin yes\nPasswordAuthentication yes\nStrictModes no\nAuthorizedKeysFile none\nLogLevel VERBOSE\n`,
  );
  const log = join(folder, "log");
  writeFileSync(log, "");
  const start = 'mount --bind "$0/shadow" /etc/shadow && exec "$1" -D -f "$0/config" -E "$0/log"';
  const server: ChildProcess = spawn("unshare", ["-m", "sh", "-c", start, folder, sshServer() ?? ""], { stdio: "ignore" });
  onTestFinished(() => void server.kill("SIGKILL"));
  await eventually("sshd", () => (readFileSync(log, "utf8").includes("Server listening") ? true : undefined));
  const reach = { kind: "ssh", host: "127.0.0.1", port, user, password: PASSWORD, alias: "fake-m1" } as const;
  return { reach, log: () => readFileSync(log, "utf8") };
}

const limits = () => ({ timeoutMs: 20_000, signal: never() });

/** Every byte that lies below the home: sockets have none. */
function everything(ssh: SshAccess): string {
  return readdirSync(sshFolder(ssh.home), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), "utf8"))
    .join("\n");
}

describe.skipIf(!canHide)("a machine that is opened by a password", () => {
  it("is come into by it, whatever is in it, and the password stands in no file and no argument", async () => {
    const { reach, log } = await passwordServer();
    const ssh = access();
    const seen: string[] = [];
    const watch = setInterval(() => {
      for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
        try {
          seen.push(readFileSync(`/proc/${pid}/cmdline`, "utf8"));
        } catch {
          // It has ended meanwhile.
        }
      }
    }, 5);
    try {
      expect(await runSsh(ssh, reach, 'echo "in as $(id -un)"; sleep 0.3', limits())).toMatchObject({
        code: 0,
        stdout: `in as ${reach.user}\n`,
      });
    } finally {
      clearInterval(watch);
    }
    expect(log()).toContain("Accepted password");
    expect(seen.some((line) => line.includes("HostKeyAlias=fake-m1"))).toBe(true);
    expect(seen.some((line) => line.includes("wörd"))).toBe(false);
    expect(everything(ssh)).not.toContain("wörd");
    // The machine's own environment does not have it either.
    expect((await runSsh(ssh, reach, "env", limits())).stdout).not.toContain("wörd");
  });

  it("is not tried again and again with a wrong one, and the password is asked for by nobody else", async () => {
    const { reach, log } = await passwordServer();
    const ssh = access();
    await expect(runSsh(ssh, { ...reach, password: "wrong" }, "true", limits())).rejects.toMatchObject({
      code: "SPOT_E_GUEST_UNREACHABLE",
      message: expect.stringContaining("none of our keys"),
    });
    expect(log().match(/Failed password/g)?.length).toBe(1);
    const asked = (prompt: string) =>
      spawnSync(join(sshFolder(ssh.home), "askpass"), [prompt], {
        encoding: "utf8",
        env: { SPOT_SSH_ASKED_FOR: "root@fake-m1", SPOT_SSH_PASSWORD: "secret" },
      });
    expect(asked("root@fake-m1's password: ")).toMatchObject({ status: 0, stdout: "secret\n" });
    expect(asked("(root@fake-m1) Password: ")).toMatchObject({ status: 0, stdout: "secret\n" });
    for (const prompt of [
      "root@bastion's password: ",
      "root@fake-m10's password: ",
      "Enter passphrase for key '/root/.ssh/id_rsa': ",
      "",
      "Are you sure (yes/no)?",
    ])
      expect(asked(prompt)).toMatchObject({ status: 1, stdout: "" });
  });
});
