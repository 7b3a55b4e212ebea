import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, type TestContext, test } from "vitest";
import { listSealed } from "../../src/checkpoints/catalogue.ts";
import { type AgentSettings, bootScript } from "../../src/guest/boot-script.ts";
import { parseGuestError } from "../../src/guest/protocol.ts";
import { packedScript, selfExtracting } from "../../src/model/packed-script.ts";
import { systemClock } from "../../src/platform/clock.ts";
import { agentSource, eventually, KINDS, noSettings } from "./machine.ts";
import { CONTAINER, has, makeRented, type Rented, VM } from "./rented.ts";

function made({ onTestFinished }: TestContext, ...options: Parameters<typeof makeRented>): Rented {
  const machine = makeRented(...options);
  onTestFinished(() => machine.close());
  return machine;
}

const writer = ["sh", "-c", 'echo 7 > "$SPOT_CHECKPOINT_DIR/STEP"; echo written; sleep 1000'];
const KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIO spot's key";

async function phase(machine: Rented, wanted: string) {
  return eventually(`phase ${wanted}`, async () => {
    const result = await machine.verb("status");
    return result.stdout.includes(`"phase":"${wanted}"`) ? machine.status() : undefined;
  });
}

async function written(machine: Rented): Promise<void> {
  await phase(machine, "running");
  await eventually("the workload's file", () => (existsSync(join(machine.lib, "checkpoint/STEP")) ? true : undefined));
}

const volume = (machine: Rented) => join(machine.root, "data");
const agentPid = (machine: Rented) => Number(readFileSync(join(machine.root, "run/spot/agent-pid"), "utf8"));
const stdout = (machine: Rented) => readFileSync(join(machine.root, "../stdout"), "utf8");

function container(context: TestContext, options: Parameters<typeof makeRented>[1] = {}): Rented {
  const machine = made(context, CONTAINER, options);
  mkdirSync(volume(machine));
  return machine;
}

// Much of it is waiting.
describe.concurrent("what a machine runs at boot", { timeout: 120_000 }, () => {
  test.for(KINDS)(
    "a container with $name lets our key in, logs, seals when it is stopped, and goes on when it is started again",
    async ({ options }, context) => {
      const machine = container(context, options);
      const first = machine.boot({ command: writer, authorizedKey: KEY });
      await written(machine);
      const keys = join(machine.root, "root/.ssh/authorized_keys");
      expect(readFileSync(keys, "utf8")).toBe(`${KEY}\n`);
      expect([statSync(join(keys, "..")).mode & 0o777, statSync(keys).mode & 0o777]).toEqual([0o700, 0o600]);
      await eventually("its output on both ways", () =>
        machine.log().includes("written\n") && stdout(machine).includes("written\n") ? true : undefined,
      );
      writeFileSync(join(machine.lib, "checkpoint/weights"), "w");
      first.kill("SIGTERM");
      await eventually("the container's end", () => first.exitCode ?? undefined);
      expect(first.exitCode).toBe(0);
      expect((await listSealed(volume(machine))).map(({ reason }) => reason)).toEqual(["down"]);

      const second = machine.boot({ command: writer, authorizedKey: KEY });
      await written(machine);
      expect(readFileSync(keys, "utf8")).toBe(`${KEY}\n`);
      expect(readFileSync(join(machine.lib, "checkpoint/weights"), "utf8")).toBe("w");
      await eventually("each word once", () => (stdout(machine).split("written\n").length === 3 ? true : undefined));
      expect(second.exitCode).toBeNull();
    },
  );

  test("others' keys are kept, also when the last has no end of line", (context) => {
    const machine = container(context);
    const keys = join(machine.root, "root/.ssh/authorized_keys");
    mkdirSync(join(machine.root, "root/.ssh"));
    writeFileSync(keys, "ssh-rsa AAAA somebody", { mode: 0o644 });
    machine.boot({ authorizedKey: KEY });
    return eventually("both keys", () => (readFileSync(keys, "utf8") === `ssh-rsa AAAA somebody\n${KEY}\n` ? true : undefined));
  });

  test.for([
    ["no folder", ".ssh"],
    ["a folder", ".ssh/authorized_keys/lies there"],
  ])("a container whose keys cannot be written (%s in their place) says so and works all the same", async ([, place = ""], context) => {
    const machine = container(context);
    mkdirSync(join(machine.root, "root", place, ".."), { recursive: true });
    writeFileSync(join(machine.root, "root", place), "in the way");
    machine.boot({ command: writer, authorizedKey: KEY });
    await written(machine);
    expect(machine.log()).toContain("the public key could not be written");
  });

  test("a container stays when its agent ends, and ends when it is told to", async (context) => {
    const machine = container(context);
    const main = machine.boot({ command: writer });
    await written(machine);
    process.kill(agentPid(machine), "SIGKILL");
    await eventually("the note", () => (machine.log().includes("this container stays") ? true : undefined));
    expect(main.exitCode).toBeNull();
    expect(parseGuestError((await machine.verb("status")).stdout)).toMatch(/the agent is not running/);
    main.kill("SIGTERM");
    await eventually("the container's end", () => main.exitCode ?? undefined);
  });

  test("a container without its volume does not begin, and says why", async (context) => {
    const machine = made(context, CONTAINER);
    const main = machine.boot({ command: writer });
    await eventually("the note", () => (machine.log().includes("this container stays") ? true : undefined));
    expect(parseGuestError((await machine.verb("status")).stdout)).toBe(
      "the agent is not running: the volume is not mounted at /data: the workload is not started",
    );
    expect(main.exitCode).toBeNull();
  });

  const over: readonly [string, () => Partial<AgentSettings>, string][] = [
    ["time", () => ({ ttlEndsAt: Math.floor(systemClock.now() / 1000) + 8 }), "down"],
    ["idle time", () => ({ idleSeconds: 2, command: ["sh", "-c", 'echo 7 > "$SPOT_CHECKPOINT_DIR/STEP"'] }), "exit"],
  ];
  test.for(over)("when its %s is over a machine that cannot end itself seals, and waits", async ([, change, reason], context) => {
    const machine = container(context);
    const main = machine.boot({ command: writer, ...change() });
    const status = await phase(machine, "expired");
    expect(status.exitCode).not.toBeNull();
    expect((await listSealed(volume(machine))).map((checkpoint) => checkpoint.reason)).toEqual([reason]);
    const { heartbeatAt } = status;
    await eventually("a later heartbeat", async () => ((await machine.status()).heartbeatAt !== heartbeatAt ? true : undefined));
    expect(await machine.status()).toMatchObject({ phase: "expired" });
    expect((await machine.verb("sealed")).stdout).toContain(`"reason":"${reason}"`);
    main.kill("SIGTERM");
    await eventually("the container's end", () => main.exitCode ?? undefined);
  });

  test("a machine that comes back after its time does not begin again", async (context) => {
    const machine = container(context);
    machine.boot({ command: writer, ttlEndsAt: 1000 });
    expect(await phase(machine, "expired")).toMatchObject({ workloadPid: null });
  });

  test.for(KINDS)(
    "a vm without systemd, with $name: the script returns and leaves one agent behind, however often it runs",
    async ({ options }, context) => {
      const machine = made(context, VM, options);
      const script = machine.write({ command: writer, volumeMount: null, volumeName: null });
      const boot = () => spawnSync("sh", [script], { env: machine.env, encoding: "utf8", timeout: 20_000 });
      expect(boot().status).toBe(0);
      await written(machine);
      const pid = agentPid(machine);
      expect(boot().status).toBe(0);
      await eventually("the second one's word", () => (machine.log().includes("runs already") ? true : undefined));
      expect(agentPid(machine)).toBe(pid);
      expect(await machine.status()).toMatchObject({ phase: "running" });
      process.kill(pid, "SIGTERM");
      await eventually("its end", async () => ((await machine.verb("status")).code === 7 ? true : undefined));
    },
  );

  test("a workload of a vm works in root's folder and knows its home", async (context) => {
    const machine = made(context, VM, { env: { HOME: "" } });
    machine.boot({ command: ["sh", "-c", 'pwd; echo "home: $HOME"'], volumeMount: null, volumeName: null });
    const home = join(machine.root, "root");
    await eventually("its words", () => (machine.log().includes(`${home}\nhome: ${home}\n`) ? true : undefined));
  });

  /** What a `systemctl` of our own was asked for, and the unit that was written. */
  function onSystemd(machine: Rented): { boot(settings: object): void; asked(): string; unit: string } {
    mkdirSync(join(machine.root, "run/systemd/system"), { recursive: true });
    const bin = join(machine.root, "bin");
    mkdirSync(bin);
    writeFileSync(join(bin, "systemctl"), `#!/bin/sh\necho "$*" >>"$SPOT_ROOT/asked"\n`);
    chmodSync(join(bin, "systemctl"), 0o755);
    const unit = join(machine.root, "etc/systemd/system/spot-agent.service");
    return {
      boot(settings) {
        const script = machine.write({ command: writer, ...settings });
        execFileSync("sh", [script], { env: { ...machine.env, PATH: `${bin}:${machine.env["PATH"]}` } });
      },
      asked: () => readFileSync(join(machine.root, "asked"), "utf8"),
      unit,
    };
  }

  test("a vm with systemd gets a unit, which is restarted only when the settings are others", (context) => {
    const machine = made(context, VM);
    const systemd = onSystemd(machine);
    systemd.boot({});
    expect(systemd.asked()).toBe("daemon-reload\nenable spot-agent.service\n--no-block start spot-agent.service\n");
    expect(readFileSync(systemd.unit, "utf8")).toContain(`ExecStart=/bin/sh "${machine.lib}/agent.sh" run\n`);
    expect(readFileSync(systemd.unit, "utf8")).toContain(`Environment="SPOT_ROOT=${machine.root}"\n`);
    systemd.boot({});
    systemd.boot({ ttlEndsAt: 5 });
    expect(systemd.asked().match(/--no-block \w+/g)).toEqual(["--no-block start", "--no-block start", "--no-block restart"]);
  });

  test("the unit is one that systemd takes", (context) => {
    if (!has("systemd-analyze", context.task.name)) return context.skip();
    const machine = made(context, VM);
    const systemd = onSystemd(machine);
    systemd.boot({});
    const result = spawnSync("systemd-analyze", ["verify", systemd.unit], { encoding: "utf8" });
    expect(`${result.stdout}${result.stderr}`).toBe("");
    expect(result.status).toBe(0);
    writeFileSync(systemd.unit, readFileSync(systemd.unit, "utf8").replace("KillMode=mixed", "KillMode=perhaps"));
    expect(spawnSync("systemd-analyze", ["verify", systemd.unit], { encoding: "utf8" }).stderr).toContain("kill mode");
  });

  test("cloud-init takes the script for one", (context) => {
    const ask = "import sys; from cloudinit.handlers import type_from_starts_with as t; [print(t(open(f).read())) for f in sys.argv[1:]]";
    if (spawnSync("/usr/bin/python3", ["-c", ask], { stdio: "ignore" }).status !== 0) {
      process.stderr.write(`skipped, cloud-init is not installed: ${context.task.name}\n`);
      return context.skip();
    }
    const machine = made(context, VM);
    const script = machine.write({});
    const small = join(machine.root, "small");
    writeFileSync(small, selfExtracting(readFileSync(script, "utf8")));
    expect(execFileSync("/usr/bin/python3", ["-c", ask, script, small], { encoding: "utf8" })).toBe("text/x-shellscript\n".repeat(2));
  });

  test("the script passes shellcheck with hostile settings", (context) => {
    if (!has("shellcheck", context.task.name)) return context.skip();
    const env = { A: "'; touch evil; '", B: "$(touch evil)" };
    for (const machine of [VM, CONTAINER, noSettings.machine]) {
      const script = bootScript({ ...noSettings, machine, env, authorizedKey: "k'; touch evil" }, "#!/bin/sh\n:\n");
      const result = spawnSync("shellcheck", ["-s", "sh", "-e", "SC2016,SC2034", "-"], { input: script, encoding: "utf8" });
      expect(result.stdout).toBe("");
    }
  });

  test("a key of two lines is refused", () => {
    expect(() => bootScript({ ...noSettings, machine: CONTAINER, authorizedKey: `${KEY}\nssh-rsa B` }, agentSource)).toThrow(/one line/);
  });

  test.for(KINDS)("with $name a packed script unpacks itself and is the same program", async ({ options }, context) => {
    const machine = container(context, options);
    const script = bootScript({ ...noSettings, machine: CONTAINER, command: writer, authorizedKey: KEY }, agentSource);
    const small = selfExtracting(script);
    expect(small.length).toBeLessThan(script.length / 2);
    writeFileSync(machine.script, packedScript(script));
    const unpacked = execFileSync("sh", ["-c", 'base64 -d <"$0" | gzip -dc', machine.script], {
      env: machine.env,
      stdio: ["ignore", "pipe", "inherit"],
    });
    expect(unpacked.toString()).toBe(script);
    writeFileSync(machine.script, small);
    const main = machine.start(machine.script);
    await written(machine);
    expect(statSync(join(machine.lib, "boot.sh")).mode & 0o777).toBe(0o600);
    main.kill("SIGTERM");
    await eventually("the container's end", () => main.exitCode ?? undefined);
    expect(await listSealed(volume(machine))).toHaveLength(1);
  });

  test("a packed script that was cut short runs nothing", (context) => {
    const machine = container(context);
    const small = selfExtracting(bootScript({ ...noSettings, machine: CONTAINER, command: writer }, agentSource));
    const lines = small.split("\n");
    writeFileSync(machine.script, [...lines.slice(0, 60), ...lines.slice(-4)].join("\n"));
    const result = spawnSync("sh", [machine.script], { env: machine.env, encoding: "utf8", timeout: 20_000 });
    expect(result.status).not.toBe(0);
    expect(readdirSync(machine.lib)).toEqual(["boot.sh"]);
  });
});
